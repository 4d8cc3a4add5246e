package postgres

import "sync"

// door lets reads and writes in until it is closed. It relies on TryRLock to fail as soon as close waits for
// the lock, so that new calls are refused and not blocked.
type door struct{ mu sync.RWMutex }

// enter reports whether the caller may proceed. If so, the caller must call leave when it is done.
func (d *door) enter() bool { return d.mu.TryRLock() }

func (d *door) leave() { d.mu.RUnlock() }

// isClosed reports whether close has been called.
func (d *door) isClosed() bool {
	if d.enter() {
		d.leave()
		return false
	}
	return true
}

// close makes enter return false, and returns when all callers have left. It may be called once.
func (d *door) close() { d.mu.Lock() }
