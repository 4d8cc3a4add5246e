package ws

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fasthttp/websocket"
	"golang.org/x/time/rate"
)

// Close codes of RFC 6455, section 7.4, and of the IANA registry.
const (
	ClosePolicyViolation = websocket.ClosePolicyViolation
	CloseServiceRestart  = websocket.CloseServiceRestart
	CloseTryAgainLater   = websocket.CloseTryAgainLater
)

const (
	closeTimeout = time.Second // for writing a close frame, and for the peer's answer
	maxMessage   = 512         // bytes of a message from the client
	controlBurst = 5           // largest burst of pings and pongs of a client
)

var (
	errUnexpectedData = errors.New("this WebSocket accepts no messages")
	errTooManyPings   = errors.New("too many pings")
)

// CloseError is an error of a Source that closes the connection with a code and a reason.
type CloseError struct {
	Code   int
	Reason string // at most 123 bytes
}

func (e *CloseError) Error() string { return fmt.Sprintf("close %d: %s", e.Code, e.Reason) }

// Source supplies the messages of one connection. The connection calls its methods from one goroutine at a
// time.
type Source interface {
	// Next returns the next message, or nil if there is none before the next Wake. An error disconnects the
	// peer; a *CloseError chooses the close code. The connection does not change the message.
	Next() ([]byte, error)
	// Heartbeat returns the message to send when HeartbeatInterval has passed without one.
	Heartbeat(now time.Time) ([]byte, error)
}

// Conn is one connection. Its own goroutine reads from it, and one of the writers writes to it.
type Conn struct {
	// The fields that each message needs are adjacent, because thousands of connections exceed the cache of
	// the processor.
	source Source // set by Serve
	writer *writer
	state  writeState             // owned by the writer
	done   bool                   // no more messages are sent; owned by the writer
	due    atomic.Bool            // the timer has fired
	pong   atomic.Pointer[string] // the data of the last unanswered ping of the client
	net    *NetConn               // for writing

	socket   *websocket.Conn // for reading, and for writing after stop
	timeouts Timeouts
	log      *slog.Logger
	timer    *time.Timer // sets due at the next ping or heartbeat or, after CloseSoon, the close
	lastSent time.Time   // owned by the writer: when the last message was sent
	nextPing time.Time   // owned by the writer

	mu      sync.Mutex
	ended   bool        // the read deadline is not extended any more
	closing *CloseError // set by CloseSoon
}

// newConn returns a connection that waits for Serve.
func (u *Upgrader) newConn(socket *websocket.Conn) *Conn {
	now := time.Now()
	c := &Conn{
		socket: socket, net: netConn(socket), writer: u.writers.pick(), timeouts: u.Timeouts, log: u.log,
		state:    writeState{scheduled: true, done: make(chan struct{})},
		lastSent: now, nextPing: now.Add(u.Timeouts.PingInterval),
	}
	c.timer = time.AfterFunc(min(u.Timeouts.PingInterval, u.Timeouts.HeartbeatInterval), func() {
		c.due.Store(true)
		c.Wake()
	})
	return c
}

// netConn returns the NetConn below a connection. The library writes through it, too.
func netConn(socket *websocket.Conn) *NetConn {
	conn := socket.NetConn()
	if hijacked, ok := conn.(interface{ UnsafeConn() net.Conn }); ok {
		conn = hijacked.UnsafeConn()
	}
	return conn.(interface{ Base() *NetConn }).Base()
}

// Serve sends the messages of the source. It returns when the connection has ended; the source is not called
// afterwards.
func (c *Conn) Serve(source Source) {
	c.source = source
	c.writer.release(c, true)
	defer c.stop()
	err := c.read()
	if errors.Is(err, errUnexpectedData) || errors.Is(err, errTooManyPings) {
		c.stop()
		c.Reject(ClosePolicyViolation, err.Error())
	}
}

// Wake makes the writer ask the source for messages soon. It never blocks. Any goroutine may call it, also
// before Serve.
func (c *Conn) Wake() { c.writer.wake(c) }

// CloseSoon closes the connection at a random time within a period, so that clients do not all reconnect at
// once. Messages that the source has until then are sent first.
func (c *Conn) CloseSoon(code int, reason string, within time.Duration) {
	c.mu.Lock()
	c.closing = &CloseError{Code: code, Reason: reason}
	c.mu.Unlock()
	c.timer.Reset(rand.N(within))
}

// Reject closes a connection that is not, or no longer, served. It returns when the client has closed as
// well, or after closeTimeout: data that is left unread would reset the connection before the client has read
// the code.
func (c *Conn) Reject(code int, reason string) {
	ignore := func(string) error { return nil } // so that pings do not extend the deadline
	c.socket.SetPingHandler(ignore)
	c.socket.SetPongHandler(ignore)
	c.writeClose(code, reason)
	_ = c.socket.SetReadDeadline(time.Now().Add(closeTimeout))
	for {
		if _, _, err := c.socket.NextReader(); err != nil {
			return
		}
	}
}

func (c *Conn) writeClose(code int, reason string) {
	message := websocket.FormatCloseMessage(code, reason)
	_ = c.socket.WriteControl(websocket.CloseMessage, message, time.Now().Add(closeTimeout))
}

// close ends the connection without a close frame.
func (c *Conn) close() {
	c.timer.Stop()
	_ = c.socket.Close()
}

// stop waits for the current write. Nothing is written afterwards.
func (c *Conn) stop() { c.writer.remove(c) }

// read blocks until the connection ends. It queues pongs for pings, and fails with errUnexpectedData if the
// client sends a message.
func (c *Conn) read() error {
	c.socket.SetReadLimit(maxMessage)
	limit := rate.NewLimiter(rate.Every(c.timeouts.ClientInterval), controlBurst)
	alive := func() error {
		if !limit.Allow() {
			return errTooManyPings
		}
		return c.extendReadDeadline()
	}
	c.socket.SetPongHandler(func(string) error { return alive() })
	c.socket.SetPingHandler(func(data string) error {
		c.pong.Store(&data)
		c.Wake()
		return alive()
	})
	c.socket.SetCloseHandler(func(code int, _ string) error {
		c.stop()
		if !c.done {
			c.writeClose(code, "")
		}
		return nil
	})
	if err := c.extendReadDeadline(); err != nil {
		return err
	}
	if _, _, err := c.socket.NextReader(); err != nil {
		return err
	}
	return errUnexpectedData
}

// extendReadDeadline gives the peer PongTimeout until its next frame, unless the connection has ended: a
// reader that sends pings but takes no messages must not keep it open.
func (c *Conn) extendReadDeadline() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return nil
	}
	return c.socket.SetReadDeadline(time.Now().Add(c.timeouts.PongTimeout))
}

// next returns the next message, or false if there is none. Only the writer calls it. The message of the
// timer comes last, so that a close follows the last message of the source.
func (c *Conn) next() (message, bool) {
	if c.done {
		return message{}, false
	}
	if data := c.pong.Swap(nil); data != nil {
		return message{websocket.PongMessage, []byte(*data)}, true
	}
	data, err := c.source.Next()
	if data == nil && err == nil && c.due.Swap(false) {
		return c.onTimer(time.Now())
	}
	return c.fromSource(data, err)
}

// fromSource turns a result of the source into a message. An error ends the connection.
func (c *Conn) fromSource(data []byte, err error) (message, bool) {
	closing, isClose := errors.AsType[*CloseError](err)
	switch {
	case isClose:
		return c.closeMessage(closing), true
	case err != nil:
		c.log.Error("a WebSocket message could not be made", "error", err)
		c.end(0)
		return message{}, false
	case data == nil:
		return message{}, false
	}
	c.lastSent = time.Now()
	return message{websocket.TextMessage, data}, true
}

// onTimer returns the message for which the timer was set: a ping, the heartbeat, or the close of CloseSoon.
// Sending a message does not reset the timer: resetting costs more than an onTimer that finds nothing to do.
func (c *Conn) onTimer(now time.Time) (message, bool) {
	ping := !now.Before(c.nextPing)
	heartbeat := now.Sub(c.lastSent) >= c.timeouts.HeartbeatInterval
	switch {
	case ping:
		c.nextPing = now.Add(c.timeouts.PingInterval)
	case heartbeat:
		c.lastSent = now
	}
	c.timer.Reset(max(0, min(c.nextPing.Sub(now), c.lastSent.Add(c.timeouts.HeartbeatInterval).Sub(now))))
	c.mu.Lock() // after the reset, because CloseSoon sets closing first and resets the timer afterwards
	closing := c.closing
	c.mu.Unlock()
	switch {
	case closing != nil:
		return c.closeMessage(closing), true
	case ping:
		return message{websocket.PingMessage, nil}, true
	case heartbeat:
		return c.fromSource(c.source.Heartbeat(now))
	}
	return message{}, false
}

// closeMessage returns the close message and ends the connection: the peer has closeTimeout to answer.
func (c *Conn) closeMessage(reason *CloseError) message {
	c.end(closeTimeout)
	return message{websocket.CloseMessage, websocket.FormatCloseMessage(reason.Code, reason.Reason)}
}

// end stops sending and makes the reader return after the given time. Only the writer calls it.
func (c *Conn) end(within time.Duration) {
	c.done = true
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	_ = c.socket.SetReadDeadline(time.Now().Add(within))
}
