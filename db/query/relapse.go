package query

import (
	"sync"
	"time"
)

const (
	// relapseWindow is how soon after an outage the next one shows that the first was not over.
	relapseWindow = time.Minute
	// steadyTime is how long no write may fail before such an outage is over.
	steadyTime = 10 * time.Second
)

// Relapses recognizes an outage that comes back. On a disk that is nearly full, small writes succeed and
// larger ones fail, so a database that is called usable after each success would be so only for a moment.
// The first outage ends with the first success. Its methods may be called from any goroutine.
type Relapses struct {
	mu        sync.Mutex
	fault     error
	failed    time.Time // when the last write failed
	recovered time.Time // when the last outage seemed to end
	relapsed  bool
}

// Failed records that the database cannot be used.
func (r *Relapses) Failed(fault error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if now.Sub(r.failed) > relapseWindow {
		r.relapsed = false
	}
	if r.recovered.After(r.failed) && now.Sub(r.recovered) < relapseWindow {
		r.relapsed = true
	}
	r.fault, r.failed = fault, now
}

// Recovered records that the database can be used again.
func (r *Relapses) Recovered() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recovered = time.Now()
}

// Err returns the last fault while an outage may come back, or nil.
func (r *Relapses) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.relapsed && time.Since(r.failed) < steadyTime {
		return r.fault
	}
	return nil
}
