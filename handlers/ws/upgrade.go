// Package ws is the WebSocket transport: upgrade, writing, deadlines, pings and closing. Messages go from the
// server to the client only; a client that sends one is closed with 1008.
//
// Upgrader.Upgrade hands a Conn to a function in a goroutine of its own. The function calls Conn.Serve with a
// Source, which supplies the messages. Conn.Wake says that the source may have one; it never blocks, so one
// goroutine can wake thousands. The listener of the server must return connections that embed a NetConn.
package ws

import (
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gofiber/contrib/websocket"
	"github.com/gofiber/fiber/v2"
)

// Timeouts are the intervals and deadlines of a connection. All of them must be positive.
type Timeouts struct {
	PingInterval      time.Duration // between two pings
	PongTimeout       time.Duration // a peer that sends neither pong nor ping for so long is disconnected
	HeartbeatInterval time.Duration // without a message, before the heartbeat is sent
	WriteTimeout      time.Duration // a peer that does not take a message in this time is disconnected
	ClientInterval    time.Duration // between pings or pongs of a client, in bursts of controlBurst
}

// DefaultTimeouts returns the timeouts that the documentation promises. Pings are more frequent than the idle
// timeouts of common proxies, which begin at 30 s.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		PingInterval:      25 * time.Second,
		PongTimeout:       60 * time.Second,
		HeartbeatInterval: 15 * time.Second,
		WriteTimeout:      5 * time.Second,
		ClientInterval:    time.Second,
	}
}

const (
	readBuffer  = 256 // bytes of each connection; clients only send control frames
	writeBuffer = 256 // bytes; the library only writes control frames
)

// serveKey is the Fiber local that holds the function to serve the connection.
const serveKey = "ws.serve"

// Upgrader upgrades requests to connections.
type Upgrader struct {
	Timeouts Timeouts // of the connections that are upgraded from now on
	log      *slog.Logger
	handler  fiber.Handler
	writers  *writers
}

// NewUpgrader returns an upgrader with DefaultTimeouts.
func NewUpgrader(log *slog.Logger) *Upgrader {
	u := &Upgrader{Timeouts: DefaultTimeouts(), log: log, writers: newWriters()}
	u.handler = websocket.New(u.accept, websocket.Config{
		ReadBufferSize:  readBuffer,
		WriteBufferSize: writeBuffer,
		WriteBufferPool: &sync.Pool{},
		RecoverHandler:  func(*websocket.Conn) { u.recoverPanic() },
	})
	return u
}

// IsUpgrade reports whether a request asks for a WebSocket.
func IsUpgrade(c *fiber.Ctx) bool { return websocket.IsWebSocketUpgrade(c) }

// Upgrade answers a request with an upgrade and calls serve with the connection in a new goroutine. The
// connection is closed when serve returns. serve is not called if Upgrade fails or the client disconnects
// before the answer. The caller must check the origin.
func (u *Upgrader) Upgrade(c *fiber.Ctx, serve func(*Conn)) error {
	c.Locals(serveKey, serve)
	return u.handler(c)
}

// accept starts the goroutine that serves a connection and returns, so that the request, which may be large,
// is freed. The library then reuses the wrapper, but not the connection inside it.
func (u *Upgrader) accept(wrapper *websocket.Conn) {
	serve, _ := wrapper.Locals(serveKey).(func(*Conn))
	conn := u.newConn(wrapper.Conn)
	go func() {
		defer conn.close()
		defer u.recoverPanic()
		serve(conn)
	}()
}

// recoverPanic logs a panic. The library would send it to the client; in a goroutine it would end the
// process.
func (u *Upgrader) recoverPanic() {
	if panicked := recover(); panicked != nil {
		u.log.Error("a WebSocket handler panicked", "panic", panicked, "stack", string(debug.Stack()))
	}
}
