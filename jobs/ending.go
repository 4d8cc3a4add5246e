package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"runboard/app"
)

// ending says how the work of an attempt ended.
type ending struct {
	err      error // what the work returned, or why it was given up
	cause    error // why the context of the work ended; nil if that is not why the work ended
	returned bool  // false if the work was given up
}

// completed reports whether the work is done. Work that ends too late has timed out, whatever it returns.
func (e ending) completed() bool { return e.err == nil && !errors.Is(e.cause, ErrTimeout) }

// inTime marks the result of work that ended by itself, before it had to stop; the wrapped error may be
// nil. Such work has not timed out, even if a paused server notices the time-out first.
type inTime struct{ error }

// await waits until the work returns or is given up. ctx is the context of the work.
func await(ctx context.Context, lifecycle Lifecycle, result <-chan error) (end ending) {
	end.err, end.returned = waitGrace(ctx, lifecycle.Grace, result)
	end.cause = context.Cause(ctx)
	if !end.returned && (errors.Is(end.cause, ErrCancelled) || errors.Is(end.cause, ErrSnoozed)) {
		// The run is cancelled, or can continue, when its work has returned; until then the page says that it
		// has not. That may take until the server stops.
		select {
		case end.err = <-result:
			end.returned = true
		case <-lifecycle.Work.Done():
			end.err = context.Cause(lifecycle.Work)
		}
	}
	if early, ok := errors.AsType[inTime](end.err); ok {
		end.err = early.error
		if errors.Is(end.cause, ErrTimeout) {
			end.cause = nil
		}
	}
	if end.cause == nil && errors.Is(end.err, app.ErrLeaseLost) {
		end.cause = end.err // the supervisor of a command noticed it first
	}
	return end
}

// waitGrace returns the result of work. After ctx has ended, the work has a grace period to return, as long
// as grace goes on; then returned is false.
func waitGrace(ctx, grace context.Context, result <-chan error) (err error, returned bool) {
	select {
	case err := <-result:
		return err, true
	case <-ctx.Done():
	}
	period := CancelGrace
	if interrupted(context.Cause(ctx)) {
		period = shutdownCancelGrace
	}
	timer := time.NewTimer(period)
	defer timer.Stop()
	select {
	case err := <-result:
		return err, true
	case <-timer.C:
	case <-grace.Done():
	}
	return context.Cause(ctx), false
}

// inWords formats a limit as pages do, such as "1 h 30 min": the units of time.Duration.String are for
// programs.
func inWords(d time.Duration) string {
	units := []struct {
		length time.Duration
		name   string
	}{{time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}, {time.Millisecond, "ms"}}
	var parts []string
	for _, unit := range units {
		if n := d / unit.length; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, unit.name))
		}
		d %= unit.length
	}
	if parts == nil {
		return d.String()
	}
	return strings.Join(parts, " ")
}
