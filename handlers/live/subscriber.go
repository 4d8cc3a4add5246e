package live

import "sync/atomic"

// Subscriber is one socket's end of a view. Next is for the goroutine that writes to the socket; the hub only
// leaves a pointer here and never waits.
type Subscriber struct {
	fresh atomic.Pointer[state] // what the view shows; nil once Next has taken it
	sent  int64                 // the number of the frame that Next returned last
	gone  error                 // what Next fails with from now on
	waker Waker
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

// Notified returns a channel that has a value when Next may have a frame. It is for subscribers from Watch.
func (s *Subscriber) Notified() <-chan struct{} { return s.wake }

// Next returns the frame that leads from the last one to what the view shows now, or nil if nothing has
// changed. The first frame is a snapshot, as is any frame after some were missed. Next fails with
// CodeNotFound when the run has been deleted; if it returned frames before, the last one says so first.
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

// notify leaves the newest state for the subscriber. Only the hub calls it.
func (s *Subscriber) notify(current *state) {
	s.fresh.Store(current)
	s.waker.Wake()
}
