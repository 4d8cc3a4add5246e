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
type pen struct {
	mu      sync.Mutex
	ready   []*socket // whose turn comes
	writing bool      // whether the goroutine is there

	batch []*socket // the goroutine's: whose turn it is
	offer offer     // the goroutine's
}

// turn is what a pen knows of a socket. A socket has its turn, or not, and only in its turn is anything written to it. It
// begins in one that start ends. Guarded by the pen.
type turn struct {
	due  bool          // it may have something to send
	has  bool          // it has its turn, or will in a moment
	gone bool          // it gets no turn any more
	over chan struct{} // closed when it has had the last one, after it was gone
}

// start lets a new socket have its turns.
func (p *pen) start(s *socket) { p.end(s, true) }

// ask has the socket asked what it has to send. It never waits.
func (p *pen) ask(s *socket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.turn.due = true
	p.line(s)
}

// line puts a socket into the line.
func (p *pen) line(s *socket) {
	if !s.turn.due || s.turn.has || s.turn.gone {
		return
	}
	s.turn.due, s.turn.has = false, true
	p.ready = append(p.ready, s)
	if !p.writing {
		p.writing = true
		go p.write()
	}
}

// end ends a socket's turn. It gets another one when it was asked for meanwhile, or is due.
func (p *pen) end(s *socket, due bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.turn.has, s.turn.due = false, s.turn.due || due
	if s.turn.gone {
		close(s.turn.over)
	}
	p.line(s)
}

// remove returns when nothing is written to the socket, nor will be. It may be called again.
func (p *pen) remove(s *socket) {
	p.mu.Lock()
	has := s.turn.has
	s.turn.gone = true
	p.mu.Unlock()
	if has {
		<-s.turn.over
	}
}

func (p *pen) write() {
	for p.next() {
		for _, s := range p.batch {
			if p.serve(s) {
				p.end(s, false)
			}
		}
	}
}

// next takes all that are ready, or reports that there are none and the goroutine is to end.
func (p *pen) next() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.batch) // which would keep them from being collected
	p.batch, p.ready = p.ready, p.batch[:0]
	p.writing = len(p.batch) > 0
	return p.writing
}

// serve sends what a socket has to send, and reports whether its turn is over. Else that ends with the goroutine that waits
// for the reader.
func (p *pen) serve(s *socket) (over bool) {
	defer s.survive()
	over = true
	for message := s.next(); message != nil; message = s.next() {
		rest, err := s.wire.offer(message, &p.offer)
		if err != nil {
			s.cut(0)
			return true
		}
		if rest != nil {
			go p.finish(s, rest)
			return false
		}
	}
	return true
}

// finish writes what a slow reader has not taken yet.
func (p *pen) finish(s *socket, rest []byte) {
	defer p.end(s, true)
	defer s.survive()
	if err := s.wire.finish(rest, s.frameTime); err != nil {
		s.cut(0)
	}
}

// pens share the sockets.
type pens struct {
	all  []*pen
	next atomic.Uint32
}

func newPens() *pens {
	p := &pens{}
	for range runtime.GOMAXPROCS(0) {
		p.all = append(p.all, &pen{})
	}
	return p
}

// one is the pen for one more socket.
func (p *pens) one() *pen { return p.all[p.next.Add(1)%uint32(len(p.all))] }

// survive keeps a panic from ending the process. It ends the socket.
func (s *socket) survive() {
	if panicked := recover(); panicked != nil {
		s.log.Error("a socket's writer panicked", "panic", panicked, "stack", string(debug.Stack()))
		s.cut(0)
	}
}
