package postgres

import "sync"

// door lets reads and writes in until it is closed. Nothing waits at a door that is being closed, as it would
// at a lock that a writer waits for.
type door struct {
	mu     sync.Mutex
	closed bool
	inside sync.WaitGroup
}

// enter reports whether the caller may go on. If so, it must call leave.
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

// isClosed reports whether nothing is let in any more.
func (d *door) isClosed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed
}

// close lets nothing in any more, and returns when all that was let in has left.
func (d *door) close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.inside.Wait()
}
