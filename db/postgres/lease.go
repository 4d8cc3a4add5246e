package postgres

import (
	"context"
	"sync"
	"time"

	"runboard/app"
	"runboard/db/query"
)

// processStart is the fallback origin of uptime.
var processStart = time.Now()

// lease is this node's right to work on runs. It lasts for a while after the last heartbeat that reached the
// database, measured by a clock that cannot be set, and ends before other nodes may rescue its runs.
type lease struct {
	lasts time.Duration

	mu      sync.Mutex
	renewed time.Duration // uptime at which the last successful heartbeat was sent
	valid   context.Context
	end     context.CancelCauseFunc
}

func newLease(lasts time.Duration) *lease {
	return &lease{lasts: lasts}
}

// renew extends the lease after a successful heartbeat that was sent at the given uptime. If the lease had
// expired, a new one begins: work under the old one has been told to stop.
func (l *lease) renew(sent time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expire()
	l.renewed = sent
	if l.valid == nil {
		l.valid, l.end = context.WithCancelCause(context.Background())
	}
	l.expire() // the response may have arrived too late
}

// expire ends the lease if its time is over. The caller holds mu.
func (l *lease) expire() {
	if l.valid != nil && uptime()-l.renewed >= l.lasts {
		l.cancel()
	}
}

// cancel ends the lease. The caller holds mu.
func (l *lease) cancel() {
	l.end(app.ErrLeaseLost)
	l.valid = nil
}

// lose ends the lease at once.
func (l *lease) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.valid != nil {
		l.cancel()
	}
}

// current returns a context that ends with the lease, or nil if the lease has expired.
func (l *lease) current() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expire()
	return l.valid
}

// left returns how long the lease lasts if it is not renewed.
func (l *lease) left() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expire()
	if l.valid == nil {
		return 0
	}
	return l.lasts - (uptime() - l.renewed)
}

// watch expires the lease in time, until ctx ends. It polls because timers do not count the time in which the
// machine is suspended.
func (l *lease) watch(ctx context.Context) {
	poll := l.lasts / 8
	for ctx.Err() == nil {
		wait := poll
		if left := l.left(); left > 0 {
			wait = min(left, poll)
		}
		query.Pause(ctx, wait)
	}
}

// LeaseLeft implements app.ClusterStore.
func (s *Store) LeaseLeft() time.Duration { return s.lease.left() }

// Lease implements app.ClusterStore.
func (s *Store) Lease() (context.Context, error) {
	if valid := s.lease.current(); valid != nil {
		return valid, nil
	}
	return nil, app.Errorf(app.CodeUnavailable, "This node has lost its connection to the database.")
}
