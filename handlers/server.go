// Package handlers answers HTTP requests and sockets. It is the only package that knows Fiber.
package handlers

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"

	"runboard/app"
	"runboard/handlers/live"
	"runboard/static"
	"runboard/templates"
)

// Limits of a request and times for it. None of the times holds for a socket once it is open.
const (
	maxBody        = 16 << 10  // bytes; a form of ours is under 300
	maxCreateBody  = 256 << 10 // bytes; of a POST that creates runs
	maxDiscard     = 4 << 20   // bytes of a refused body that are read, so that its sender gets the answer
	maxHeader      = 8 << 10   // bytes, the request line included
	discardTimeout = 2 * time.Second
	readTimeout    = 10 * time.Second
	writeTimeout   = 15 * time.Second
	idleTimeout    = time.Minute
	requestTimeout = 10 * time.Second // for what a handler waits for
)

// Options is what a server serves. All fields are required.
type Options struct {
	Config    app.Config
	Templates *templates.Templates
	Assets    *static.Assets
	Kinds     []string // that may be started, the default first
	Log       *slog.Logger
}

// Server answers requests.
type Server struct {
	Options
	fiber   *fiber.App
	origins *origins
	posts   *rateLimit
	costly  *rateLimit // reads that cost much
	sockets *sockets
	logins  *logins        // nil if no credentials are configured
	proxies []netip.Prefix // trusted ones

	state atomic.Int32
	Store app.Store // these two are there when it is no longer starting
	Hub   *live.Hub
}

// The states of a server.
const (
	starting int32 = iota
	serving
	draining
)

// New returns a server that is starting: until Ready is called, it only has static files.
func New(options Options) (*Server, error) {
	s := &Server{Options: options, posts: newRateLimit(options.Config.PostRate), costly: newRateLimit(options.Config.PostRate)}
	s.origins = newOrigins(options.Config.PublicOrigin, s.fromProxy)
	for _, text := range options.Config.TrustedProxy {
		proxy, err := app.ParseProxy(text)
		if err != nil {
			return nil, err
		}
		s.proxies = append(s.proxies, proxy)
	}
	s.sockets = newSockets(s)
	s.logins = newLogins(options.Config, options.Log)
	s.fiber = fiber.New(fiber.Config{
		AppName:       "Runboard",
		CaseSensitive: true,
		StrictRouting: true, // a slash at the end makes another address, which does not exist
		// Without it, what is read from a request changes when the next one arrives.
		Immutable:             true,
		DisableStartupMessage: true,
		ErrorHandler:          s.fail,
		BodyLimit:             maxBody,
		ReadBufferSize:        maxHeader,
		ReadTimeout:           readTimeout,
		WriteTimeout:          writeTimeout,
		IdleTimeout:           idleTimeout,
		// Else a body of a type that we do not take would be parsed, and refused for its form.
		DisablePreParseMultipartForm: true,
		// With the check on and no proxies named, no forwarded header is believed.
		EnableTrustedProxyCheck: true,
	})
	s.route()
	s.hardenServer()
	return s, nil
}

// route is the table of what is served.
func (s *Server) route() {
	r := s.fiber
	r.Use(recover.New(recover.Config{EnableStackTrace: true, StackTraceHandler: s.logPanic}))
	r.Use(setHeaders, checkDoubled, s.origins.checkHost, s.authenticate, s.origins.checkCrossSite)

	r.Get(static.Prefix+"*", s.serveStatic)
	r.Use(s.awaitStart)
	r.Get("/up", s.up)
	r.Get("/metrics", s.showMetrics)
	if s.Config.Role == app.RoleWorker {
		r.Use(func(*fiber.Ctx) error { return errNoPages })
		return
	}
	r.Get("/", func(c *fiber.Ctx) error { return c.Redirect(templates.ListPath, fiber.StatusFound) })

	r.Get(templates.ListPath+".ndjson", s.limitReads, s.export(ndjson))
	r.Get(templates.ListPath+".csv", s.limitReads, s.export(commaSeparated))

	runs := r.Group(templates.ListPath, s.limitReads, compressed())
	runs.Get("", s.listRuns)
	runs.Post("", s.limitPosts, s.createRuns)
	runs.Get("/live", s.sockets.admit, s.sockets.watchList, s.sockets.upgrade)
	runs.Get("/failures", s.showFailures)
	runs.Get("/failures/live", s.sockets.admit, s.sockets.watchPage(failures), s.sockets.upgrade)
	runs.Get("/statistics", s.showStatistics)
	runs.Get("/statistics/live", s.sockets.admit, s.sockets.watchPage(statistics), s.sockets.upgrade)
	runs.Get("/bulk", s.showBulkPreview)
	runs.Post("/bulk", s.limitPosts, s.startBulk)
	runs.Get("/:id", s.showRun)
	runs.Get("/:id/status", s.showStatus)
	runs.Get("/:id/log", s.showLog)
	runs.Post("/:id/cancel", s.limitPosts, s.cancelRun)
	runs.Post("/:id/retry", s.limitPosts, s.retryRun)
	runs.Post("/:id/delete", s.limitPosts, s.deleteRun)
	runs.Get("/:id/live", s.sockets.admit, s.sockets.watchRun, s.sockets.upgrade)
}

// Serve answers what comes in through the listener, until Shutdown.
func (s *Server) Serve(listener net.Listener) error {
	return s.fiber.Listener(s.newConnections(listener))
}

// Ready has everything served, from a store and by a hub. It is to be called once.
func (s *Server) Attach(store app.Store, hub *live.Hub) {
	if most, low := connectionLimit(s.Config, openFiles()); low {
		s.Log.Warn("the limit of open files (ulimit -n) is too low for --max-sockets and --workers",
			"open_files", openFiles(), "max_sockets", s.Config.MaxSockets, "workers", s.Config.Workers, "connections", most)
	}
	s.Store, s.Hub = store, hub
	s.state.Store(serving) // whoever sees this sees the two as well
}

// Drain refuses new runs and sockets from now on; pages are still served, and say so.
func (s *Server) Drain() {
	s.state.Store(draining)
	s.Templates.Drain()
	s.sockets.notifyDraining()
}

// CloseSockets sends every socket what its view last showed, tells it to come back later, and
// returns when all are closed or ctx has ended.
func (s *Server) CloseSockets(ctx context.Context) { s.sockets.close(ctx) }

// Shutdown stops listening, and returns when all requests are answered or ctx has ended.
func (s *Server) Shutdown(ctx context.Context) error {
	if s.logins != nil {
		defer s.logins.refused.close()
	}
	return s.fiber.ShutdownWithContext(ctx)
}

// awaitStart refuses what needs the store while there is none.
func (s *Server) awaitStart(c *fiber.Ctx) error {
	if s.state.Load() == starting {
		return errStarting
	}
	return c.Next()
}

var errStarting = app.Errorf(app.CodeUnavailable, "The server is starting. Please try again in a moment.")

var errStopping = app.Errorf(app.CodeUnavailable, "The server is shutting down. Please try again in a moment.")

var errNoPages = app.Errorf(app.CodeNotFound, "This is a worker node; it serves no pages.")

// admitting returns nil when new runs and sockets are let in.
func (s *Server) checkAdmission() error {
	switch s.state.Load() {
	case starting:
		return errStarting
	case draining:
		return errStopping
	}
	return nil
}

// Up returns nil when the server can serve whatever is asked.
func (s *Server) Ready() error {
	if err := s.checkAdmission(); err != nil {
		return err
	}
	return s.Store.Ready()
}

// up answers GET /up, by which a load balancer knows whether to send anybody here.
func (s *Server) up(c *fiber.Ctx) error {
	if err := s.Ready(); err != nil {
		return err
	}
	return c.SendString("ok\n")
}

// requestContext bounds what a handler waits for. It does not end when the client goes away: what
// was asked for is then done all the same.
func requestContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), requestTimeout)
}
