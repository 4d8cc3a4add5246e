package handlers

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/fasthttp/websocket"

	"runboard/app"
	"runboard/handlers/live"
)

const (
	goodbyeTime = time.Second // for the answer to a close
	farewell    = time.Second // over how long sockets are closed at a shutdown, so as not to return as one
	maxIncoming = 512         // bytes; clients have nothing to say
)

// times are how long things take at most on a socket.
type times struct {
	pingEvery time.Duration // below the idle time-outs of common proxies, which begin at 30 s
	silence   time.Duration // a peer that has not answered any ping for so long is gone
	frameTime time.Duration // a reader that has not taken a frame by then is cut
}

var usualTimes = times{pingEvery: 25 * time.Second, silence: 60 * time.Second, frameTime: 5 * time.Second}

// noSuchRun is why a socket of a run is closed that does not exist, or exists no more.
const noSuchRun = "there is no such run"

var errSpoke = errors.New("the client sent data")

// socket is one open connection. The goroutine that serves it reads, a second one writes; nobody else
// touches the connection, which is given to others when serve has returned.
type socket struct {
	times
	conn    *websocket.Conn
	watcher *live.Watcher
	closing <-chan struct{} // closed when the server wants to close it
	log     *slog.Logger

	mu    sync.Mutex
	ended bool // nothing that is heard keeps it alive any more
}

// serve returns when the connection has ended.
func (s *socket) serve() {
	gone, written := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(written)
		defer s.hangUp()
		defer func() {
			if panicked := recover(); panicked != nil {
				s.log.Error("a socket's writer panicked", "panic", panicked, "stack", string(debug.Stack()))
			}
		}()
		s.write(gone)
	}()
	if errors.Is(s.read(), errSpoke) {
		refuse(s.conn, websocket.ClosePolicyViolation, "this socket only speaks")
	}
	close(gone)
	<-written
}

// read waits for the end of the connection. It lets through what keeps it alive and nothing else.
func (s *socket) read() error {
	s.conn.SetReadLimit(maxIncoming)
	heard := func() error { return s.listen(s.silence) }
	s.conn.SetPongHandler(func(string) error { return heard() })
	s.conn.SetPingHandler(func(data string) error {
		_ = s.conn.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(s.frameTime))
		return heard()
	})
	if err := heard(); err != nil {
		return err
	}
	if _, _, err := s.conn.NextReader(); err != nil {
		return err
	}
	return errSpoke
}

// write sends frames until the connection ends, the reader is too slow, or the server stops.
func (s *socket) write(gone <-chan struct{}) {
	ping := time.NewTicker(s.pingEvery)
	defer ping.Stop()
	for {
		var err error
		select {
		case <-gone:
			return
		case <-s.watcher.Wake():
			err = s.sendNext()
		case <-ping.C:
			err = s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(s.frameTime))
		case <-s.closing:
			s.leave(gone)
			return
		}
		if err != nil {
			return
		}
	}
}

func (s *socket) sendNext() error {
	frame, err := s.watcher.Next()
	if app.CodeOf(err) == app.CodeNotFound {
		sayGoodbye(s.conn, websocket.ClosePolicyViolation, noSuchRun)
		return err
	}
	if err != nil {
		s.log.Error("a frame is not sent", "error", err)
		return err
	}
	if frame == nil {
		return nil
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.frameTime)); err != nil {
		return err
	}
	return s.conn.WritePreparedMessage(frame.Message)
}

// leave sends what there is still to show, and asks the client to come back.
func (s *socket) leave(gone <-chan struct{}) {
	select {
	case <-time.After(rand.N(farewell)):
	case <-gone:
		return
	}
	if s.sendNext() != nil {
		return
	}
	sayGoodbye(s.conn, websocket.CloseServiceRestart, "restarting")
	select {
	case <-time.After(goodbyeTime):
	case <-gone:
	}
}

// hangUp ends the reading. Close would not: on a connection of fasthttp's it does nothing.
func (s *socket) hangUp() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	_ = s.listen(0)
}

// listen lets the peer be silent for so long, unless the connection has ended: a reader that sends pings
// but takes no frames must not keep it open.
func (s *socket) listen(silent time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		silent = 0
	}
	return s.conn.SetReadDeadline(time.Now().Add(silent))
}

// refuse ends a connection that is not, or no longer, served.
func refuse(conn *websocket.Conn, code int, reason string) {
	conn.SetPingHandler(func(string) error { return nil }) // the time is not extended any more
	conn.SetPongHandler(func(string) error { return nil })
	sayGoodbye(conn, code, reason)
	_ = conn.SetReadDeadline(time.Now().Add(goodbyeTime))
	for { // until the client has closed as well: data that is left unread would reset the connection
		if _, _, err := conn.NextReader(); err != nil {
			return
		}
	}
}

func sayGoodbye(conn *websocket.Conn, code int, reason string) {
	_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(goodbyeTime))
}
