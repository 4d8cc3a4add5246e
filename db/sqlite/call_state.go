package sqlite

import "sync/atomic"

// callState arbitrates between the writer starting a call and the caller cancelling it; whichever comes first wins. So a
// call whose caller was told to try again is never executed as well. The nil callState belongs to a call that is never
// cancelled.
type callState struct{ state atomic.Int32 }

const (
	callStarted int32 = iota + 1
	callCancelled
)

// start reports whether the call is to be executed. It may be repeated.
func (c *callState) start() bool {
	return c == nil || c.state.CompareAndSwap(0, callStarted) || c.state.Load() == callStarted
}

// cancel reports whether the call will never be executed.
func (c *callState) cancel() bool { return c.state.CompareAndSwap(0, callCancelled) }
