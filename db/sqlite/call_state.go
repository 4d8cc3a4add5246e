package sqlite

import "sync/atomic"

// turn decides between the writer, who is about to do a write, and whoever handed it in and waits no longer: the first of
// them wins. So what somebody was told to try again is not done all the same, and twice in the end. The nil turn is of a
// write that nobody calls off.
type callState struct{ state atomic.Int32 }

const (
	turnBegun int32 = iota + 1
	callCancelled
)

// begin reports whether the write is to be done. It may be called again.
func (t *callState) start() bool {
	return t == nil || t.state.CompareAndSwap(0, turnBegun) || t.state.Load() == turnBegun
}

// callOff reports whether the write will never be done.
func (t *callState) cancel() bool { return t.state.CompareAndSwap(0, callCancelled) }
