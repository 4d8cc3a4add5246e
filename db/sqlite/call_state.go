package sqlite

import "sync/atomic"

// callState arbitrates between the writer starting a call and the caller cancelling it; whichever comes first
// wins. So a call never takes effect after its caller was told to try again. A nil callState cannot be
// cancelled.
type callState struct{ state atomic.Int32 }

const (
	callStarted int32 = iota + 1
	callCancelled
)

// start reports whether the writer may execute the call. It returns the same result when the writer repeats
// the transaction.
func (c *callState) start() bool {
	return c == nil || c.state.CompareAndSwap(0, callStarted) || c.state.Load() == callStarted
}

// cancel reports whether the call will never be executed.
func (c *callState) cancel() bool { return c.state.CompareAndSwap(0, callCancelled) }
