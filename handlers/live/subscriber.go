package live

import "sync/atomic"

// Subscriber receives the frames of a view. The goroutine that writes to the socket calls Next; the hub only
// stores a pointer to the newest state and never waits for subscribers.
type Subscriber struct {
	fresh atomic.Pointer[state] // the newest state of the view; nil once Next has taken it
	sent  int64                 // the number of the last frame that Next returned
	gone  error                 // the error of Next from now on
	waker Waker                 // called when Next may have a frame
	hub   *Hub
	view  *view // owned by the hub, as is index
	index int   // in view.subscribers
	wake  chanWaker
}

// Waker is notified by the hub when Next may have a frame.
type Waker interface {
	// Wake is called by the hub's goroutine and must not block.
	Wake()
}

// chanWaker is a Waker whose owner receives from it. It has room for one value.
type chanWaker chan struct{}

func (c chanWaker) Wake() {
	select {
	case c <- struct{}{}:
	default: // a value is already pending
	}
}

// Notified returns a channel that receives a value when Next may have a frame. It is only for subscribers
// from Watch.
func (s *Subscriber) Notified() <-chan struct{} { return s.wake }

// Next returns the frame that leads from the last one to the current state, or nil if nothing has changed.
// The first frame is a snapshot, as is any frame after missed ones. Next fails with CodeNotFound when the run
// has been deleted; if it returned frames before, it first returns one that shows the deletion. Only one
// goroutine may call Next.
func (s *Subscriber) Next() (*Frame, error) {
	if s.gone != nil {
		return nil, s.gone
	}
	current := s.fresh.Swap(nil) // not kept, because it holds rendered HTML
	if current == nil || current.number == s.sent {
		return nil, nil
	}
	first := s.sent == 0
	follows := !first && current.number == s.sent+1
	s.sent, s.gone = current.number, current.gone
	if s.gone != nil && first {
		return nil, s.gone
	}
	if follows && current.delta != nil {
		return current.delta, nil
	}
	return current.snapshot()
}

// Close unsubscribes. It may be called more than once.
func (s *Subscriber) Close() {
	select {
	case s.hub.requests <- request{subscriber: s, leaving: true}:
	case <-s.hub.stopped:
	}
}

// notify stores the newest state for Next and wakes the subscriber. Only the hub calls it.
func (s *Subscriber) notify(current *state) {
	s.fresh.Store(current)
	s.waker.Wake()
}
