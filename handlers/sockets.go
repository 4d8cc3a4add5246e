package handlers

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
	"runboard/handlers/live"
	"runboard/handlers/ws"
)

// closeSpread is the period over which sockets are closed at a shutdown, so that browsers do not all
// reconnect at once.
const closeSpread = time.Second

// errNoSuchRun closes the socket of a run that does not exist or has been deleted.
var errNoSuchRun = &ws.CloseError{Code: ws.ClosePolicyViolation, Reason: "there is no such run"}

// sockets opens the WebSockets of pages and closes them at a shutdown.
type sockets struct {
	server   *Server
	rate     *rateLimit
	upgrader *ws.Upgrader
	slots    *slots
	closing  chan struct{} // closed at a shutdown, to end streams and sockets

	mu     sync.Mutex
	open   map[*socket]struct{}
	closed bool // closing is closed
}

func newSockets(server *Server) *sockets {
	return &sockets{
		server: server, rate: newRateLimit(server.Limits.UpgradeRate), upgrader: ws.NewUpgrader(server.Log),
		slots: newSlots(server.Limits), closing: make(chan struct{}), open: map[*socket]struct{}{},
	}
}

// socket sends the frames of a view to a browser. It implements ws.Source.
type socket struct {
	*ws.Conn
	server     *Server
	subscriber live.Subscriber
	greeted    bool // the first frame has been sent
	warned     bool // the drain frame has been sent
}

// Next implements ws.Source. It returns frames of the view and, once, a frame that says that the server is
// draining.
func (s *socket) Next() ([]byte, error) {
	frame, err := s.subscriber.Next()
	switch {
	case app.CodeOf(err) == app.CodeNotFound:
		return nil, errNoSuchRun
	case err != nil:
		return nil, err
	case frame != nil:
		s.greeted = true
		return frame.HTML, nil
	case s.greeted && !s.warned && s.server.state.Load() == draining:
		s.warned = true
		return s.server.Templates.DrainFrame()
	}
	return nil, nil
}

// Heartbeat implements ws.Source. It lets the browser distinguish a quiet server from a dead one.
func (s *socket) Heartbeat(now time.Time) ([]byte, error) {
	return s.server.Templates.Heartbeat(now)
}

// handle returns the handler that opens the socket of a view. If find fails with a *ws.CloseError, the socket
// is opened and closed with it.
func (s *sockets) handle(find func(*fiber.Ctx) (live.ViewKey, error)) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if err := s.admit(c); err != nil {
			return err
		}
		key, err := find(c)
		rejection, rejected := errors.AsType[*ws.CloseError](err)
		if err != nil && !rejected {
			return err
		}
		slot, err := s.slots.acquire(s.server.address(c)) // an open socket cannot be refused
		if err != nil {
			return err
		}
		err = s.upgrader.Upgrade(c, func(conn *ws.Conn) {
			defer slot.release()
			switch {
			case !slot.confirm():
				conn.Reject(ws.CloseTryAgainLater, "")
			case rejected:
				conn.Reject(rejection.Code, rejection.Reason)
			default:
				s.serve(conn, key)
			}
		})
		if err != nil {
			slot.release()
		}
		return err
	}
}

// admit refuses requests before the upgrade: a browser whose socket is opened and then closed reconnects at
// once and for ever.
func (s *sockets) admit(c *fiber.Ctx) error {
	if !ws.IsUpgrade(c) {
		c.Set(fiber.HeaderUpgrade, "websocket")
		return fiber.ErrUpgradeRequired
	}
	if err := s.server.origins.checkOrigin(c); err != nil {
		return err
	}
	if err := s.server.checkAdmission(); err != nil {
		return err
	}
	if !s.rate.allow(s.server.address(c)) {
		return errTooOften
	}
	return nil
}

// findListView returns the view of GET /process_runs/live.
func (s *Server) findListView(c *fiber.Ctx) (live.ViewKey, error) {
	query, err := s.parseQuery(c)
	return live.ViewKey{Query: query}, err
}

// findPageView returns a function that returns the view of a page that is rendered as a whole.
func findPageView(page live.PageView) func(*fiber.Ctx) (live.ViewKey, error) {
	return func(*fiber.Ctx) (live.ViewKey, error) { return live.ViewKey{Page: page}, nil }
}

// findRunView returns the view of GET /process_runs/:id/live. If the run does not exist, the socket is closed
// with 1008: after any other refusal a browser tries again.
func (s *Server) findRunView(c *fiber.Ctx) (live.ViewKey, error) {
	page, err := s.findRun(c)
	if app.CodeOf(err) == app.CodeNotFound && err != error(errID) {
		return live.ViewKey{}, errNoSuchRun
	}
	return live.ViewKey{Run: page.Run.ID}, err
}

// serve subscribes a connection to a view, and returns when the connection has ended.
func (s *sockets) serve(conn *ws.Conn, key live.ViewKey) {
	one := &socket{Conn: conn, server: s.server}
	if !s.server.hub.Join(&one.subscriber, key, conn) {
		conn.Reject(ws.CloseServiceRestart, "")
		return
	}
	defer one.subscriber.Close()
	s.add(one)
	defer s.remove(one)
	conn.Serve(one)
}

// add registers an open socket. During a shutdown it closes the socket within closeSpread, as close does.
func (s *sockets) add(one *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[one] = struct{}{}
	if s.closed {
		one.CloseSoon(ws.CloseServiceRestart, "restarting", closeSpread)
	}
}

func (s *sockets) remove(one *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, one)
}

// notifyDraining wakes every socket to send the frame that says that the server is draining.
func (s *sockets) notifyDraining() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for one := range s.open {
		one.Wake()
	}
}

// close ends every socket and stream, and returns when all have ended or ctx is done.
func (s *sockets) close(ctx context.Context) {
	s.slots.close()
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
		for one := range s.open {
			one.CloseSoon(ws.CloseServiceRestart, "restarting", closeSpread)
		}
	}
	s.mu.Unlock()
	select {
	case <-s.slots.empty:
	case <-ctx.Done():
		s.server.Log.Warn("some sockets did not close in time")
	}
}
