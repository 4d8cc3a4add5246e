package postgres

import "sync"

// door counts reads and writes in progress, and refuses new ones once it is closed. Unlike a sync.RWMutex that a writer
// waits for, it never blocks new ones.
type door struct {
	mu     sync.Mutex
	closed bool
	inside sync.WaitGroup
}

// enter reports whether the caller may proceed. If so, the caller must call leave when it is done.
func (d *door) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.inside.Add(1)
	return true
}

func (d *door) leave() { d.inside.Done() }

// isClosed reports whether close has been called.
func (d *door) isClosed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed
}

// close makes enter return false, and returns when all callers have left.
func (d *door) close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.inside.Wait()
}
