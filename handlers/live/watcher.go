package live

import "sync/atomic"

// Watcher is one socket's end of a view. Next belongs to whoever writes to the
// socket; the hub only ever leaves a pointer here, and never waits.
type Subscriber struct {
	fresh atomic.Pointer[state] // what the view shows; nil when Next has looked at it
	sent  int64                 // the number of the frame that Next returned last
	gone  error                 // what Next fails with from now on
	bell  Waker
	view  *view // owned by the hub, as its place among the watchers there
	place int
	hub   *Hub
	wake  alarm // for those from Watch
}

// Notifier is how the hub tells a watcher that Next may have a frame.
type Waker interface {
	// Ring is called by the hub, which must not be kept waiting.
	Ring()
}

// alarm is a bell that somebody waits for. It holds one when it has rung.
type alarm chan struct{}

func (a alarm) Ring() {
	select {
	case a <- struct{}{}:
	default: // it has not looked since the last one, and will find this one
	}
}

// Wake returns a channel that holds something when Next may have a frame. It is for those from Watch.
func (w *Subscriber) Wake() <-chan struct{} { return w.wake }

// Next returns the frame that takes its reader from what Next returned last to what the view shows
// now, or nil when that is the same. The first one, and any after others were missed, is a snapshot. It fails with
// CodeNotFound when the run has been deleted: if it returned frames before, only after a last one that says so.
func (w *Subscriber) Next() (*Frame, error) {
	if w.gone != nil {
		return nil, w.gone
	}
	current := w.fresh.Swap(nil) // and let go of it: it holds drawings
	if current == nil || current.number == w.sent {
		return nil, nil
	}
	follows := w.sent > 0 && current.number == w.sent+1
	seen := w.sent > 0
	w.sent, w.gone = current.number, current.gone
	if w.gone != nil && !seen {
		return nil, w.gone
	}
	if follows && current.delta != nil {
		return current.delta, nil
	}
	return current.snapshot()
}

// Close ends the watching. It may be called more than once.
func (w *Subscriber) Close() {
	select {
	case w.hub.visits <- visit{watcher: w, leaving: true}:
	case <-w.hub.stopped:
	}
}

// notify leaves the state for the watcher to find. It is the hub's.
func (w *Subscriber) notify(s *state) {
	w.fresh.Store(s)
	w.bell.Ring()
}
