package handlers

import (
	"context"
	"net"
	"runtime/debug"
	"sync"
	"time"

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
	placeKey    = "place"       // *place: that it has taken
)

// sockets lets them in and counts them.
type sockets struct {
	server   *Server
	opening  *rateLimit
	upgrader fiber.Handler
	times    timeouts
	pool     *writePool

	mu         sync.Mutex
	open       int
	perAddress map[string]int
	served     map[*socket]struct{}
	shut       bool // whether closing is closed

	closing chan struct{} // closed when all are to go
	gone    chan struct{} // closed when all have gone
}

func newSockets(server *Server) *sockets {
	s := &sockets{
		server: server, opening: newRateLimit(server.Config.UpgradeRate), times: defaultTimeouts, pool: newWritePool(),
		perAddress: map[string]int{}, served: map[*socket]struct{}{}, closing: make(chan struct{}), gone: make(chan struct{}),
	}
	s.upgrader = websocket.New(s.handle, websocket.Config{
		// Clients only send pongs and closes; frames are prepared and need no buffer.
		ReadBufferSize: 256, WriteBufferSize: 256,
		WriteBufferPool: &sync.Pool{},
		RecoverHandler:  s.recoverPanic,
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
	if err := s.server.checkAdmission(); err != nil {
		return err
	}
	if !s.opening.allow(s.server.address(c)) {
		return errTooOften
	}
	return c.Next()
}

// claimTime is how long a place is kept for a socket whose upgrade was answered. Usually it takes no time
// until the socket is there, and never when its client has gone meanwhile.
const claimTime = 10 * time.Second

// place is one of those that there are for sockets.
type slot struct {
	sockets *sockets
	address string
	expiry  *time.Timer
	once    sync.Once
}

// reserve takes a place, before the upgrade: afterwards it would be too late to refuse.
func (s *sockets) acquire(address string) (*slot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.shut: // it was admitted just before
		return nil, app.Errorf(app.CodeUnavailable, "The server is shutting down. Please try again in a moment.")
	case s.open >= s.server.Config.MaxSockets:
		return nil, app.Errorf(app.CodeUnavailable, "Too many pages are watching. Please try again in a moment.")
	case s.perAddress[address] >= s.server.Config.MaxSocketsPerAddress:
		return nil, app.Errorf(app.CodeTooMany, "Too many pages are watching from your address.")
	}
	s.open++
	s.perAddress[address]++
	p := &slot{sockets: s, address: address}
	p.expiry = time.AfterFunc(claimTime, p.release)
	return p, nil
}

// claim keeps the place until leave is called. It is false when the place has been given up.
func (p *slot) confirm() bool { return p.expiry.Stop() }

// leave gives the place up. It may be called more than once.
func (p *slot) release() {
	p.once.Do(func() {
		s := p.sockets
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open--
		if s.perAddress[p.address]--; s.perAddress[p.address] == 0 {
			delete(s.perAddress, p.address)
		}
		if s.shut && s.open == 0 {
			close(s.gone)
		}
	})
}

// count is how many sockets are open.
func (s *sockets) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// watchList answers GET /process_runs/live.
func (s *sockets) watchList(c *fiber.Ctx) error {
	query, err := parseQuery(c)
	if err != nil {
		return err
	}
	c.Locals(questionKey, live.ViewKey{Query: query})
	return c.Next()
}

// watchTopic answers the sockets of pages that are drawn as a whole.
func (s *sockets) watchPage(topic *live.PageView) fiber.Handler {
	return func(c *fiber.Ctx) error {
		c.Locals(questionKey, live.ViewKey{Topic: topic})
		return c.Next()
	}
}

// watchRun answers GET /process_runs/:id/live. A socket for a run that does not exist is opened and
// closed for good, which is the only refusal that stops a browser from asking again.
func (s *sockets) watchRun(c *fiber.Ctx) error {
	page, err := s.server.findRun(c)
	if err != nil && (app.CodeOf(err) != app.CodeNotFound || err == error(errID)) {
		return err
	}
	c.Locals(unknownKey, err != nil)
	c.Locals(questionKey, live.ViewKey{Run: page.Run.ID})
	return c.Next()
}

func (s *sockets) upgrade(c *fiber.Ctx) error {
	place, err := s.acquire(s.server.address(c))
	if err != nil {
		return err
	}
	c.Locals(placeKey, place)
	if err := s.upgrader(c); err != nil {
		place.release()
		return err
	}
	return nil
}

// handle takes a socket over from its request, which ends here: as long as a socket lives, it would hold what was asked.
func (s *sockets) handle(conn *websocket.Conn) {
	place, _ := conn.Locals(placeKey).(*slot)
	question, _ := conn.Locals(questionKey).(live.ViewKey)
	unknown, _ := conn.Locals(unknownKey).(bool)
	bare := conn.Conn // conn itself is somebody else's when this has returned
	if place == nil || !place.confirm() {
		reject(bare, fastws.CloseTryAgainLater, "")
		_ = bare.Close()
		return
	}
	go func() {
		defer place.release()
		defer func() { _ = bare.Close() }()
		defer s.server.recoverPanic("a socket")
		if unknown {
			reject(bare, fastws.ClosePolicyViolation, noSuchRun)
			return
		}
		s.serve(bare, question)
	}()
}

// serve owns a connection, and returns when it has ended.
func (s *sockets) serve(conn *fastws.Conn, question live.ViewKey) {
	one := s.newSocket(conn, conn.NetConn().(interface{ UnsafeConn() net.Conn }).UnsafeConn().(*sniffConn))
	if !s.server.Hub.Join(&one.subscriber, question, one) {
		one.pingTimer.Stop()
		reject(conn, fastws.CloseServiceRestart, "")
		return
	}
	defer one.subscriber.Close()
	s.add(one)
	defer s.remove(one)
	one.serve()
}

// enter notes that there is a socket, and tells it to leave when all are to.
func (s *sockets) add(one *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.served[one] = struct{}{}
	if s.shut {
		one.scheduleClose()
	}
}

func (s *sockets) remove(one *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.served, one)
}

// survive keeps a panic from ending the process, and from being sent to the browser.
func (s *sockets) recoverPanic(conn *websocket.Conn) {
	if panicked := recover(); panicked != nil {
		s.server.Log.Error("a socket panicked", "panic", panicked, "stack", string(debug.Stack()))
		writeClose(conn.Conn, fastws.CloseInternalServerErr, "")
		_ = conn.Conn.Close()
	}
}

// warn tells every browser that the server drains.
func (s *sockets) notifyDraining() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for one := range s.served {
		one.Wake()
	}
}

// close asks every socket to go, and returns when all have gone or ctx has ended.
func (s *sockets) close(ctx context.Context) {
	s.mu.Lock()
	if !s.shut {
		s.shut = true
		close(s.closing)
		for one := range s.served {
			one.scheduleClose()
		}
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
