package postgres

import (
	"context"
	"sync"
	"time"

	"runboard/app"
)

// processStart is for uptime, where nothing better is at hand.
var processStart = time.Now()

// lease is this node's right to work on runs. It lasts for a while after the last heartbeat that reached the
// database, by a clock of the machine that nobody can set, and ends before other nodes may start the same
// runs again.
type lease struct {
	lasts time.Duration

	mu      sync.Mutex
	renewed time.Duration // when the last successful heartbeat was sent, as uptime tells it
	valid   context.Context
	end     context.CancelCauseFunc
}

func newLease(lasts time.Duration) *lease {
	return &lease{lasts: lasts}
}

// renew notes that a heartbeat has been written down that was sent at a time. A lease that had ended begins
// anew: work begun under the one before has been told to stop.
func (l *lease) renew(sent time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expire()
	l.renewed = sent
	if l.valid == nil {
		l.valid, l.end = context.WithCancelCause(context.Background())
	}
	l.expire() // the answer may have come late
}

// expire ends the lease if it is over. It is called with the lock held.
func (l *lease) expire() {
	if l.valid != nil && uptime()-l.renewed >= l.lasts {
		l.cancel()
	}
}

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

// current returns a context that ends with the lease, or nil if there is none now.
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

// watch ends the lease when it is over, until ctx ends. It looks often rather than once: timers do not count
// the time in which a machine is suspended.
func (l *lease) watch(ctx context.Context) {
	ticker := time.NewTicker(l.lasts / 30)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			l.current()
		}
	}
}

// LeaseLeft implements app.Shared.
func (s *Store) LeaseLeft() time.Duration { return s.lease.left() }

// Lease implements app.Shared.
func (s *Store) Lease() (context.Context, error) {
	if valid := s.lease.current(); valid != nil {
		return valid, nil
	}
	return nil, app.Errorf(app.CodeUnavailable, "This node has lost its connection to the database.")
}
