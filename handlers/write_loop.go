package handlers

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// writeLoop writes to many sockets, one after the other, and never waits for a client: what a socket does not take at once
// is left to a goroutine of its own. One goroutine for each socket would be simpler, but waking it costs about as much as
// the write. There is a loop for each core. It has a goroutine while there is something to write.
type writeLoop struct {
	mu      sync.Mutex
	ready   []*socket // scheduled sockets
	writing bool      // the goroutine runs

	batch       []*socket // owned by the goroutine: the sockets it writes to now
	nonBlocking tryWriter // owned by the goroutine
}

// writeState makes sure that at most one goroutine writes to a socket at a time. A new socket is scheduled until start.
// Guarded by the mutex of the loop.
type writeState struct {
	pending   bool          // it may have something to send
	scheduled bool          // it is ready, or is written to
	closed    bool          // nothing is written any more
	done      chan struct{} // closed when the last write after closed has ended
}

// start allows writes to a new socket.
func (l *writeLoop) start(s *socket) { l.release(s, true) }

// schedule has the loop ask the socket what it has to send. It never blocks.
func (l *writeLoop) schedule(s *socket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.writes.pending = true
	l.enqueue(s)
}

// enqueue makes the socket ready, unless it is already or has nothing to send. The caller holds the mutex.
func (l *writeLoop) enqueue(s *socket) {
	if !s.writes.pending || s.writes.scheduled || s.writes.closed {
		return
	}
	s.writes.pending, s.writes.scheduled = false, true
	l.ready = append(l.ready, s)
	if !l.writing {
		l.writing = true
		go l.write()
	}
}

// release ends the writing to a socket, and schedules it again if it has more to send.
func (l *writeLoop) release(s *socket, pending bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.writes.scheduled = false
	s.writes.pending = s.writes.pending || pending
	if s.writes.closed {
		close(s.writes.done)
	}
	l.enqueue(s)
}

// remove returns when nothing is written to the socket any more. It may be repeated.
func (l *writeLoop) remove(s *socket) {
	l.mu.Lock()
	scheduled := s.writes.scheduled
	s.writes.closed = true
	l.mu.Unlock()
	if scheduled {
		<-s.writes.done
	}
}

func (l *writeLoop) write() {
	for l.next() {
		for _, s := range l.batch {
			if l.flush(s) {
				l.release(s, false)
			}
		}
	}
}

// next takes the sockets that are ready. It returns false if there are none, and the goroutine must end.
func (l *writeLoop) next() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.batch) // so that closed sockets can be collected
	l.batch, l.ready = l.ready, l.batch[:0]
	l.writing = len(l.batch) > 0
	return l.writing
}

// flush sends what a socket has to send. It returns false if the client is slow: then flushSlow sends the rest and releases
// the socket.
func (l *writeLoop) flush(s *socket) (done bool) {
	defer s.recoverPanic()
	done = true
	for message := s.next(); message != nil; message = s.next() {
		rest, err := s.sniff.tryWrite(message, &l.nonBlocking)
		if err != nil {
			s.abort(0)
			return true
		}
		if rest != nil {
			go l.flushSlow(s, rest)
			return false
		}
	}
	return true
}

// flushSlow waits for a slow client to take the rest of a message.
func (l *writeLoop) flushSlow(s *socket, rest []byte) {
	defer l.release(s, true)
	defer s.recoverPanic()
	if err := s.sniff.writeRest(rest, s.writeTimeout); err != nil {
		s.abort(0)
	}
}

// writePool distributes sockets over loops.
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

// pick returns the loop for a new socket.
func (p *writePool) pick() *writeLoop { return p.all[p.next.Add(1)%uint32(len(p.all))] }

// recoverPanic ends the socket, and not the process, after a panic. It must be deferred.
func (s *socket) recoverPanic() {
	if panicked := recover(); panicked != nil {
		s.log.Error("a socket's writer panicked", "panic", panicked, "stack", string(debug.Stack()))
		s.abort(0)
	}
}
