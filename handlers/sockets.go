package handlers

import (
	"context"
	"runtime/debug"
	"sync"

	fastws "github.com/fasthttp/websocket"
	"github.com/gofiber/contrib/websocket"
	"github.com/gofiber/fiber/v2"

	"runboard/app"
	"runboard/handlers/live"
)

// What a request hands over to its socket.
const (
	questionKey = "question"    // live.Question
	unknownKey  = "unknown run" // bool: there is no such run
	addressKey  = "address"     // string: whom it counts for
)

// sockets lets them in and counts them.
type sockets struct {
	server   *Server
	opening  *rateLimit
	upgrader fiber.Handler

	mu         sync.Mutex
	open       int
	perAddress map[string]int
	shut       bool // whether closing is closed

	closing chan struct{} // closed when all are to go
	gone    chan struct{} // closed when all have gone
}

func newSockets(server *Server) *sockets {
	s := &sockets{
		server: server, opening: newRateLimit(server.Config.UpgradeRate),
		perAddress: map[string]int{}, closing: make(chan struct{}), gone: make(chan struct{}),
	}
	s.upgrader = websocket.New(s.handle, websocket.Config{
		// Clients only send pongs and closes; frames are prepared and need no buffer.
		ReadBufferSize: 256, WriteBufferSize: 256,
		WriteBufferPool: &sync.Pool{},
		RecoverHandler:  s.survive,
	})
	return s
}

// admit refuses what must be refused before the upgrade: a browser that has been let in and is then sent
// away comes back at once and for ever.
func (s *sockets) admit(c *fiber.Ctx) error {
	if !websocket.IsWebSocketUpgrade(c) {
		c.Set(fiber.HeaderUpgrade, "websocket")
		return fiber.ErrUpgradeRequired
	}
	if err := s.server.origins.checkOrigin(c); err != nil {
		return err
	}
	if err := s.server.admitting(); err != nil {
		return err
	}
	if !s.opening.allow(address(c)) {
		return app.Errorf(app.CodeTooMany, "That is too often. Please try again in a moment.")
	}
	if err := s.room(address(c)); err != nil {
		return err
	}
	return c.Next()
}

// room returns nil when one more socket fits in.
func (s *sockets) room(address string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.roomLocked(address)
}

func (s *sockets) roomLocked(address string) error {
	switch {
	case s.open >= s.server.Config.MaxSockets:
		return app.Errorf(app.CodeUnavailable, "Too many pages are watching. Please try again in a moment.")
	case s.perAddress[address] >= s.server.Config.MaxSocketsPerAddress:
		return app.Errorf(app.CodeTooMany, "Too many pages are watching from your address.")
	}
	return nil
}

// count is how many sockets are open.
func (s *sockets) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// enter counts a socket that has been opened. It returns how to close it instead, or 0: others may have
// been quicker, since it was admitted.
func (s *sockets) enter(address string) (code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut {
		return fastws.CloseServiceRestart
	}
	if s.roomLocked(address) != nil {
		return fastws.CloseTryAgainLater
	}
	s.open++
	s.perAddress[address]++
	return 0
}

func (s *sockets) leave(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	if s.perAddress[address]--; s.perAddress[address] == 0 {
		delete(s.perAddress, address)
	}
	if s.shut && s.open == 0 {
		close(s.gone)
	}
}

// watchList answers GET /process_runs/live.
func (s *sockets) watchList(c *fiber.Ctx) error {
	query, err := parseQuery(c)
	if err != nil {
		return err
	}
	c.Locals(questionKey, live.Question{Query: query})
	return c.Next()
}

// watchRun answers GET /process_runs/:id/live. A socket for a run that does not exist is opened and
// closed for good, which is the only refusal that stops a browser from asking again.
func (s *sockets) watchRun(c *fiber.Ctx) error {
	page, err := s.server.findRun(c)
	if err != nil && (app.CodeOf(err) != app.CodeNotFound || err == error(errID)) {
		return err
	}
	c.Locals(unknownKey, err != nil)
	c.Locals(questionKey, live.Question{Run: page.Run.ID})
	return c.Next()
}

func (s *sockets) upgrade(c *fiber.Ctx) error {
	c.Locals(addressKey, address(c))
	return s.upgrader(c)
}

// handle owns a socket from the upgrade to its end: when it returns, the connection is somebody else's.
func (s *sockets) handle(conn *websocket.Conn) {
	if unknown, _ := conn.Locals(unknownKey).(bool); unknown {
		refuse(conn.Conn, fastws.ClosePolicyViolation, "there is no such run")
		return
	}
	address, _ := conn.Locals(addressKey).(string)
	if code := s.enter(address); code != 0 {
		refuse(conn.Conn, code, "")
		return
	}
	defer s.leave(address)
	question, _ := conn.Locals(questionKey).(live.Question)
	watcher := s.server.Hub.Watch(question)
	if watcher == nil {
		refuse(conn.Conn, fastws.CloseServiceRestart, "")
		return
	}
	defer watcher.Close()
	(&socket{conn: conn.Conn, watcher: watcher, closing: s.closing, log: s.server.Log}).serve()
}

// survive keeps a panic from ending the process, and from being sent to the browser.
func (s *sockets) survive(conn *websocket.Conn) {
	if panicked := recover(); panicked != nil {
		s.server.Log.Error("a socket panicked", "panic", panicked, "stack", string(debug.Stack()))
		sayGoodbye(conn.Conn, fastws.CloseInternalServerErr, "")
	}
}

// close asks every socket to go, and returns when all have gone or ctx has ended.
func (s *sockets) close(ctx context.Context) {
	s.mu.Lock()
	if !s.shut {
		s.shut = true
		close(s.closing)
		if s.open == 0 {
			close(s.gone)
		}
	}
	s.mu.Unlock()
	select {
	case <-s.gone:
	case <-ctx.Done():
		s.server.Log.Warn("some sockets did not close in time")
	}
}
