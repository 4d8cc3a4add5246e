package handlers

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// pen writes to many sockets, one after the other, and never waits for a reader: what one does not take at once is left to
// a goroutine that does. A goroutine for each socket would be simpler, but to wake it costs about as much as to write.
// There is a pen for each core. It has a goroutine while there is something to write.
type writeLoop struct {
	mu      sync.Mutex
	ready   []*socket // whose turn comes
	writing bool      // whether the goroutine is there

	batch       []*socket // the goroutine's: whose turn it is
	nonBlocking tryWriter // the goroutine's
}

// turn is what a pen knows of a socket. A socket has its turn, or not, and only in its turn is anything written to it. It
// begins in one that start ends. Guarded by the pen.
type writeState struct {
	pending   bool          // it may have something to send
	scheduled bool          // it has its turn, or will in a moment
	closed    bool          // it gets no turn any more
	done      chan struct{} // closed when it has had the last one, after it was gone
}

// start lets a new socket have its turns.
func (p *writeLoop) start(s *socket) { p.release(s, true) }

// ask has the socket asked what it has to send. It never waits.
func (p *writeLoop) schedule(s *socket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.writes.pending = true
	p.enqueue(s)
}

// line puts a socket into the line.
func (p *writeLoop) enqueue(s *socket) {
	if !s.writes.pending || s.writes.scheduled || s.writes.closed {
		return
	}
	s.writes.pending, s.writes.scheduled = false, true
	p.ready = append(p.ready, s)
	if !p.writing {
		p.writing = true
		go p.write()
	}
}

// end ends a socket's turn. It gets another one when it was asked for meanwhile, or is due.
func (p *writeLoop) release(s *socket, due bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.writes.scheduled, s.writes.pending = false, s.writes.pending || due
	if s.writes.closed {
		close(s.writes.done)
	}
	p.enqueue(s)
}

// remove returns when nothing is written to the socket, nor will be. It may be called again.
func (p *writeLoop) remove(s *socket) {
	p.mu.Lock()
	has := s.writes.scheduled
	s.writes.closed = true
	p.mu.Unlock()
	if has {
		<-s.writes.done
	}
}

func (p *writeLoop) write() {
	for p.next() {
		for _, s := range p.batch {
			if p.flush(s) {
				p.release(s, false)
			}
		}
	}
}

// next takes all that are ready, or reports that there are none and the goroutine is to end.
func (p *writeLoop) next() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.batch) // which would keep them from being collected
	p.batch, p.ready = p.ready, p.batch[:0]
	p.writing = len(p.batch) > 0
	return p.writing
}

// serve sends what a socket has to send, and reports whether its turn is over. Else that ends with the goroutine that waits
// for the reader.
func (p *writeLoop) flush(s *socket) (over bool) {
	defer s.recoverPanic()
	over = true
	for message := s.next(); message != nil; message = s.next() {
		rest, err := s.sniff.tryWrite(message, &p.nonBlocking)
		if err != nil {
			s.abort(0)
			return true
		}
		if rest != nil {
			go p.flushSlow(s, rest)
			return false
		}
	}
	return true
}

// finish writes what a slow reader has not taken yet.
func (p *writeLoop) flushSlow(s *socket, rest []byte) {
	defer p.release(s, true)
	defer s.recoverPanic()
	if err := s.sniff.writeRest(rest, s.writeTimeout); err != nil {
		s.abort(0)
	}
}

// pens share the sockets.
type writePool struct {
	all  []*writeLoop
	next atomic.Uint32
}

func newWritePool() *writePool {
	p := &writePool{}
	for range runtime.GOMAXPROCS(0) {
		p.all = append(p.all, &writeLoop{})
	}
	return p
}

// one is the pen for one more socket.
func (p *writePool) pick() *writeLoop { return p.all[p.next.Add(1)%uint32(len(p.all))] }

// survive keeps a panic from ending the process. It ends the socket.
func (s *socket) recoverPanic() {
	if panicked := recover(); panicked != nil {
		s.log.Error("a socket's writer panicked", "panic", panicked, "stack", string(debug.Stack()))
		s.abort(0)
	}
}
