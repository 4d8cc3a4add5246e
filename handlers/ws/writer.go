package ws

import (
	"bytes"
	"encoding/binary"
	"math"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// maxReusedBuffer is the largest buffer that a writer keeps for the next message, in bytes.
const maxReusedBuffer = 64 << 10

// writer writes to many connections from one goroutine, which runs while there is something to write. It
// never blocks: when the send buffer of a peer is full, a goroutine of that connection writes the rest.
//
// A goroutine for each connection with something to write would be simpler, but cost 40 % more for each
// message when measured: growing its stack and setting a write deadline cost half as much as the write.
type writer struct {
	mu      sync.Mutex
	ready   []*Conn // connections that are scheduled
	running bool    // the goroutine is running

	batch  []*Conn     // owned by the goroutine: connections that it is writing to
	buffer []byte      // owned by the goroutine: the current frame
	try    nonBlocking // owned by the goroutine
}

// writeState is the state of a connection at its writer, guarded by writer.mu. The writer writes only to
// scheduled connections. A new connection starts as scheduled, so nothing is written before Serve releases
// it.
type writeState struct {
	pending   bool          // Wake was called since it was scheduled
	scheduled bool          // it is in ready, or the writer is writing to it
	stopped   bool          // it must not be scheduled again
	done      chan struct{} // closed when a stopped connection is no longer scheduled
}

// wake schedules a connection. It never blocks.
func (w *writer) wake(c *Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.state.pending = true
	w.schedule(c)
}

// schedule makes a connection ready if it is pending. The caller holds mu.
func (w *writer) schedule(c *Conn) {
	if !c.state.pending || c.state.scheduled || c.state.stopped {
		return
	}
	c.state.pending = false
	c.state.scheduled = true
	w.ready = append(w.ready, c)
	if !w.running {
		w.running = true
		go w.run()
	}
}

// release ends the turn of a connection, and schedules it again if it is pending.
func (w *writer) release(c *Conn, pending bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.state.scheduled = false
	c.state.pending = c.state.pending || pending
	if c.state.stopped {
		close(c.state.done)
	}
	w.schedule(c)
}

// remove waits until nothing is being written to a connection. Nothing is written to it afterwards. It may be
// called more than once.
func (w *writer) remove(c *Conn) {
	w.mu.Lock()
	scheduled := c.state.scheduled
	c.state.stopped = true
	w.mu.Unlock()
	if scheduled {
		<-c.state.done
	}
}

func (w *writer) run() {
	for w.nextBatch() {
		for _, c := range w.batch {
			if w.flush(c) {
				w.release(c, false)
			}
		}
	}
}

// nextBatch takes all ready connections. If there are none, it returns false, and the goroutine must return.
func (w *writer) nextBatch() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.batch) // so that closed connections can be collected
	w.batch, w.ready = w.ready, w.batch[:0]
	w.running = len(w.batch) > 0
	return w.running
}

// flush writes all messages of a connection. It returns false if the peer is slow: then flushSlow writes the
// rest and releases the connection.
func (w *writer) flush(c *Conn) (done bool) {
	defer c.recoverPanic()
	done = true // also after a panic
	for message, ok := c.next(); ok; message, ok = c.next() {
		w.buffer = appendFrame(w.buffer[:0], message)
		rest, err := c.net.tryWrite(w.buffer, &w.try)
		if err != nil {
			c.end(0)
			return true
		}
		if len(rest) > 0 {
			go w.flushSlow(c, bytes.Clone(rest))
			return false
		}
		if cap(w.buffer) > maxReusedBuffer {
			w.buffer = nil
		}
	}
	return true
}

// flushSlow blocks until a slow peer has taken the rest of a message, for at most WriteTimeout.
func (w *writer) flushSlow(c *Conn, rest []byte) {
	defer w.release(c, true)
	defer c.recoverPanic()
	if err := c.net.writeRest(rest, c.timeouts.WriteTimeout); err != nil {
		c.end(0)
	}
}

// recoverPanic disconnects the peer if its source panics.
func (c *Conn) recoverPanic() {
	if panicked := recover(); panicked != nil {
		c.log.Error("a WebSocket writer panicked", "panic", panicked, "stack", string(debug.Stack()))
		c.end(0)
	}
}

// message is a WebSocket message to send.
type message struct {
	opcode byte
	data   []byte
}

// appendFrame appends a message as a frame, unfragmented and unmasked (RFC 6455, section 5.2).
func appendFrame(to []byte, m message) []byte {
	const final, length16, length64 = 0x80, 126, 127
	size := len(m.data)
	switch {
	case size < length16:
		to = append(to, final|m.opcode, byte(size))
	case size <= math.MaxUint16:
		to = binary.BigEndian.AppendUint16(append(to, final|m.opcode, length16), uint16(size))
	default:
		to = binary.BigEndian.AppendUint64(append(to, final|m.opcode, length64), uint64(size))
	}
	return append(to, m.data...)
}

// writers distributes connections over one writer for each core (GOMAXPROCS).
type writers struct {
	all  []writer
	next atomic.Uint32
}

func newWriters() *writers { return &writers{all: make([]writer, runtime.GOMAXPROCS(0))} }

// pick returns the writer for a new connection, in turn.
func (w *writers) pick() *writer { return &w.all[w.next.Add(1)%uint32(len(w.all))] }
