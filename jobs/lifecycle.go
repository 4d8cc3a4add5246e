package jobs

import (
	"context"
	"time"
)

// Lifecycle says how far an engine is in its shutdown. Each context ends after the one before it, or with it.
type Lifecycle struct {
	Fetch context.Context // until then, runs are fetched and started
	Work  context.Context // until then, work goes on and failed writes are repeated; it ends with ErrShutdown
	Grace context.Context // until then, interrupted work has some time to return
}

// StartLifecycle returns the lifecycle of an engine: Fetch ends with ctx, Work ends drainTimeout later, and
// both end at once with hardStop. The caller must call end when no work goes on.
func StartLifecycle(ctx, hardStop context.Context, drainTimeout time.Duration) (_ Lifecycle, end func()) {
	fetching, stopFetching := context.WithCancel(ctx)
	working, interrupt := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := func() {
		stopFetching()
		interrupt(ErrShutdown)
	}
	forgetHardStop := context.AfterFunc(hardStop, stop)
	context.AfterFunc(fetching, func() {
		_ = Sleep(working, drainTimeout)
		interrupt(ErrShutdown)
	})
	return Lifecycle{Fetch: fetching, Work: working, Grace: hardStop}, func() {
		forgetHardStop()
		stop()
	}
}

// Sleep waits for d. If ctx ends first, it returns the cause.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
