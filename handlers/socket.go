package handlers

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fasthttp/websocket"
	"golang.org/x/time/rate"

	"runboard/app"
	"runboard/handlers/live"
)

const (
	closeTimeout = time.Second // for the answer to a close
	closeJitter  = time.Second // over how long sockets are closed at a shutdown, so as not to return as one
	maxIncoming  = 512         // bytes; clients have nothing to say
)

// times are how long things take at most on a socket.
type timeouts struct {
	pingInterval    time.Duration // below the idle time-outs of common proxies, which begin at 30 s
	heartbeat       time.Duration // after so long without a frame, one tells the browser that the server is there
	pongTimeout     time.Duration // a peer that has not answered any ping for so long is gone
	minPingInterval time.Duration // a client that pings more often, or answers pings that were not sent, is cut
	writeTimeout    time.Duration // a reader that has not taken a frame by then is cut
}

var defaultTimeouts = timeouts{
	pingInterval: 25 * time.Second, heartbeat: 15 * time.Second, pongTimeout: 60 * time.Second, writeTimeout: 5 * time.Second, minPingInterval: time.Second,
}

// noSuchRun is why a socket of a run is closed that does not exist, or exists no more.
const noSuchRun = "there is no such run"

var (
	errUnexpectedData = errors.New("this socket only speaks")
	errTooManyPings   = errors.New("too many pings")
)

// pingBurst is how many pings and pongs of a client may come at once. Each costs a system call or two.
const pingBurst = 5

// socket is one open connection. The goroutine that serves it reads, and its pen writes; when serve has returned, nobody
// touches it any more.
type socket struct {
	// What is needed for a frame stands together: thousands of sockets are not in the processor's cache.
	subscriber live.Subscriber
	loop       *writeLoop
	writes     writeState             // the pen's
	closed     bool                   // whoever has the turn sends nothing any more
	timerFired atomic.Bool            // the beat has come
	pong       atomic.Pointer[string] // what a ping of the client said
	sniff      *sniffConn             // for the pen

	timeouts
	conn          *websocket.Conn // for reading, and for writing when the pen has let go of it
	pingTimer     *time.Timer     // until the next ping or heartbeat or, when the server stops, the goodbye
	lastFrame     time.Time       // when the last frame was sent, or the socket was opened; the pen's
	nextPing      time.Time       // the pen's
	hasFirstFrame bool            // the first frame has been sent; the pen's
	drainSent     bool            // the browser knows that the server drains; the pen's
	closing       <-chan struct{} // closed when the server wants to close it
	server        *Server
	log           *slog.Logger
	mu            sync.Mutex
	aborted       bool // nothing that is heard keeps it alive any more
}

// newSocket is a socket that is not served yet. Its connection must be one of Serve's.
func (s *sockets) newSocket(conn *websocket.Conn, wire *sniffConn) *socket {
	one := &socket{
		timeouts: s.times, conn: conn, sniff: wire, loop: s.pool.pick(), closing: s.closing, log: s.server.Log,
		server: s.server, writes: writeState{scheduled: true, done: make(chan struct{})},
	}
	one.lastFrame = time.Now()
	one.nextPing = one.lastFrame.Add(one.pingInterval)
	one.pingTimer = time.AfterFunc(min(one.pingInterval, one.heartbeat), func() {
		one.timerFired.Store(true)
		one.Wake()
	})
	return one
}

// Ring is to be called when there may be something to send. It never waits.
func (s *socket) Wake() { s.loop.schedule(s) }

// serve returns when the connection has ended.
func (s *socket) serve() {
	defer s.pingTimer.Stop()
	defer s.loop.remove(s)
	s.loop.start(s)
	if err := s.read(); errors.Is(err, errUnexpectedData) || errors.Is(err, errTooManyPings) {
		s.loop.remove(s)
		reject(s.conn, websocket.ClosePolicyViolation, err.Error())
	}
}

// read waits for the end of the connection. It lets through what keeps it alive and nothing else.
func (s *socket) read() error {
	s.conn.SetReadLimit(maxIncoming)
	pings := rate.NewLimiter(rate.Every(s.minPingInterval), pingBurst)
	heard := func() error {
		if !pings.Allow() {
			return errTooManyPings
		}
		return s.extendDeadline(s.pongTimeout)
	}
	s.conn.SetPongHandler(func(string) error { return heard() })
	s.conn.SetPingHandler(func(data string) error {
		s.pong.Store(&data)
		s.Wake()
		return heard()
	})
	s.conn.SetCloseHandler(func(code int, _ string) error {
		if s.loop.remove(s); !s.closed {
			writeClose(s.conn, code, "")
		}
		return nil
	})
	if err := s.extendDeadline(s.pongTimeout); err != nil {
		return err
	}
	if _, _, err := s.conn.NextReader(); err != nil {
		return err
	}
	return errUnexpectedData
}

// next is what is to be sent now, framed, or nil. It is the pen's.
func (s *socket) next() []byte {
	if s.closed {
		return nil
	}
	if data := s.pong.Swap(nil); data != nil {
		return controlFrame(websocket.PongMessage, []byte(*data))
	}
	frame, err := s.subscriber.Next()
	switch {
	case app.CodeOf(err) == app.CodeNotFound:
		return s.closeFrame(websocket.ClosePolicyViolation, noSuchRun)
	case err != nil:
		s.log.Error("a frame is not sent", "error", err)
		s.abort(0)
		return nil
	case frame != nil:
		s.lastFrame, s.hasFirstFrame = time.Now(), true
		return frame.Wire
	case s.hasFirstFrame && !s.drainSent && s.server.state.Load() == draining:
		s.drainSent = true
		return s.smallFrame(s.server.Templates.DrainFrame())
	case s.timerFired.Swap(false):
		return s.onTimer(time.Now())
	}
	return nil
}

// onBeat returns what the timer was set for, or nil: a ping, a heartbeat or, when the server stops, the goodbye. By then
// all that there was to show has been sent. The timer is not set anew for each frame, which would cost more than this.
func (s *socket) onTimer(now time.Time) []byte {
	pinging, beating := !now.Before(s.nextPing), now.Sub(s.lastFrame) >= s.heartbeat
	if pinging {
		s.nextPing = now.Add(s.pingInterval)
	} else if beating {
		s.lastFrame = now
	}
	wait := min(s.nextPing.Sub(now), s.lastFrame.Add(s.heartbeat).Sub(now))
	s.pingTimer.Reset(max(0, wait)) // before it looks: the server resets it afterwards
	select {
	case <-s.closing:
		return s.closeFrame(websocket.CloseServiceRestart, "restarting")
	default:
	}
	switch {
	case pinging:
		return controlFrame(websocket.PingMessage, nil)
	case beating:
		return s.smallFrame(s.server.Templates.Heartbeat(now))
	}
	return nil
}

// drawn returns a small frame of HTML.
func (s *socket) smallFrame(html []byte, err error) []byte {
	if err != nil {
		s.log.Error("a frame is not sent", "error", err)
		return nil
	}
	return live.NewFrame(html).Wire
}

// leave has the goodbye said in a moment. It is for after closing was closed.
func (s *socket) scheduleClose() { s.pingTimer.Reset(rand.N(closeJitter)) }

// goodbye is the last that is sent.
func (s *socket) closeFrame(code int, reason string) []byte {
	s.abort(closeTimeout)
	return controlFrame(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason))
}

// control is a frame that says something about the connection.
func controlFrame(kind byte, data []byte) []byte {
	const last = 0x80
	return append([]byte{last | kind, byte(len(data))}, data...)
}

// cut ends the socket, which then has so long to say goodbye. It is for who has the turn.
func (s *socket) abort(within time.Duration) {
	s.closed = true
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aborted = true
	_ = s.conn.SetReadDeadline(time.Now().Add(within))
}

// listen lets the peer be silent for so long, unless the connection has ended: a reader that sends pings
// but takes no frames must not keep it open.
func (s *socket) extendDeadline(silent time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aborted {
		return nil
	}
	return s.conn.SetReadDeadline(time.Now().Add(silent))
}

// refuse ends a connection that is not, or no longer, served.
func reject(conn *websocket.Conn, code int, reason string) {
	conn.SetPingHandler(func(string) error { return nil }) // the time is not extended any more
	conn.SetPongHandler(func(string) error { return nil })
	writeClose(conn, code, reason)
	_ = conn.SetReadDeadline(time.Now().Add(closeTimeout))
	for { // until the client has closed as well: data that is left unread would reset the connection
		if _, _, err := conn.NextReader(); err != nil {
			return
		}
	}
}

func writeClose(conn *websocket.Conn, code int, reason string) {
	_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(closeTimeout))
}
