// Package handlers serves HTTP requests and WebSockets. Only this package and handlers/ws import Fiber.
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

// Limits and timeouts of a request. The timeouts do not apply to open sockets.
const (
	maxBody        = 16 << 10  // bytes; the forms of the pages are under 300
	maxCreateBody  = 256 << 10 // bytes; of a form that creates runs
	maxDiscard     = 4 << 20   // bytes of a refused body that are read, so that the client gets the answer
	maxHeader      = 8 << 10   // bytes, the request line included
	discardTimeout = 2 * time.Second
	readTimeout    = 10 * time.Second
	writeTimeout   = 15 * time.Second
	idleTimeout    = time.Minute
	requestTimeout = 10 * time.Second // of the store, for each request
)

// Options configures a Server. Templates, Assets, Kinds and Log are required.
type Options struct {
	Limits    Limits
	Access    Access
	PagesOff  bool // serve only /up, /metrics and static files: the pages are on other nodes
	Templates *templates.Templates
	Assets    *static.Assets
	Kinds     Kinds      // kinds that requests can start
	Policy    app.Policy // of runs whose kind has none of its own
	Log       *slog.Logger
}

// Kinds has the kinds that requests can start. jobs.Registry implements it.
type Kinds interface {
	app.KindSource
	// Describe returns what a run of a kind would execute with these values, and false if that is no command.
	Describe(kind string, values app.InputValues) (app.CommandPreview, bool)
}

// Limits bound what clients can use.
type Limits struct {
	MaxSockets, MaxSocketsPerAddress int     // open at once
	UpgradeRate, PostRate            float64 // a second from one address; 0: no limit
	Workers                          int     // open files are reserved for as many commands
}

// Access says who may use the server. The zero Access lets every client in, under the server's own address.
type Access struct {
	Origins []string       // further origins from which a browser may send requests
	Proxies []netip.Prefix // proxies whose X-Forwarded-For names the client
	Logins  []Login        // empty: no login is required
}

// Login is a user with a password, or with the bcrypt hash of one.
type Login struct {
	User, Password string
	Hash           string // if set, Password is ignored
}

// Server answers HTTP requests. New creates it, Serve runs it, and until Attach it answers 503.
type Server struct {
	Options
	fiber   *fiber.App
	origins *origins
	posts   *rateLimit
	costly  *rateLimit // expensive reads
	sockets *sockets
	logins  *logins // nil if no login is required

	comparing chan struct{} // has an element for each comparison under way

	state atomic.Int32
	store app.Store // set by Attach, as is hub
	hub   *live.Hub
}

// The states of a server.
const (
	starting int32 = iota
	serving
	draining
)

// New returns a server that is starting: until Attach is called, it only serves static files.
func New(options Options) *Server {
	s := &Server{
		Options: options,
		posts:   newRateLimit(options.Limits.PostRate),
		costly:  newRateLimit(options.Limits.PostRate),
		logins:  newLogins(options.Access.Logins, options.Log),

		comparing: make(chan struct{}, maxComparisons),
	}
	s.origins = newOrigins(options.Access.Origins, s.fromProxy)
	s.sockets = newSockets(s)
	s.fiber = fiber.New(fiber.Config{
		AppName:       "Runboard",
		CaseSensitive: true,
		StrictRouting: true, // an address with a slash at the end does not exist
		// Otherwise strings from a request change when the next one arrives.
		Immutable:             true,
		DisableStartupMessage: true,
		ErrorHandler:          s.fail,
		BodyLimit:             maxBody,
		ReadBufferSize:        maxHeader,
		ReadTimeout:           readTimeout,
		WriteTimeout:          writeTimeout,
		IdleTimeout:           idleTimeout,
		// Otherwise a body of an unsupported type is parsed before it is refused.
		DisablePreParseMultipartForm: true,
		// With the check on and no proxies configured, forwarded headers are ignored.
		EnableTrustedProxyCheck: true,
	})
	s.route()
	s.hardenServer()
	return s
}

// route registers the middleware and the routes.
func (s *Server) route() {
	r := s.fiber
	r.Use(recover.New(recover.Config{EnableStackTrace: true, StackTraceHandler: s.logPanic}))
	r.Use(setHeaders, checkDoubled, s.origins.checkHost, s.authenticate, s.origins.checkCrossSite)

	r.Get(static.Prefix+"*", s.serveStatic)
	r.Get("/favicon.ico", s.redirectToIcon)
	r.Use(s.awaitStart, limitTime)
	r.Get("/up", s.up)
	r.Get("/metrics", s.showMetrics)
	if s.PagesOff {
		r.Use(func(*fiber.Ctx) error { return errNoPages })
		return
	}
	r.Get("/", func(c *fiber.Ctx) error { return c.Redirect(templates.ListPath, fiber.StatusFound) })

	r.Get(templates.ListPath+".ndjson", s.limitReads, s.export(ndjson))
	r.Get(templates.ListPath+".csv", s.limitReads, s.export(commaSeparated))

	kinds := r.Group(templates.KindsPath, s.limitReads, compressed())
	kinds.Get("", s.showKinds)
	kinds.Get("/:name", s.showKind)
	kinds.Post("/:name/preview", s.limitPosts, s.previewStart)
	kinds.Post("/:name/pause", s.limitPosts, s.pauseKind)
	kinds.Post("/:name/resume", s.limitPosts, s.resumeKind)

	runs := r.Group(templates.ListPath, s.limitReads, compressed())
	runs.Get("", s.listRuns)
	runs.Post("", s.limitPosts, s.createRuns)
	runs.Get("/live", s.sockets.handle(s.findListView))
	runs.Get("/overview/live", s.sockets.handle(findPageView(overviewView{})))
	runs.Get("/failures", s.showFailures)
	runs.Get("/failures/live", s.sockets.handle(findFailuresView))
	runs.Get("/failures/:id/note", s.showNoteForm)
	runs.Post("/failures/:id/note", s.limitPosts, s.annotateFailure)
	runs.Get("/failures/:id/mute", s.showMuteForm)
	runs.Post("/failures/:id/mute", s.limitPosts, s.muteFailure)
	runs.Post("/failures/:id/unmute", s.limitPosts, s.unmuteFailure)
	runs.Get("/kinds/live", s.sockets.handle(findPageView(kindsView{s.Kinds})))
	runs.Get("/statistics", s.showStatistics)
	runs.Get("/statistics/live", s.sockets.handle(findStatisticsView))
	runs.Get("/timeline", s.showTimeline)
	runs.Get("/timeline/live", s.sockets.handle(s.findTimelineView))
	runs.Get("/bulk", s.showBulkPreview)
	runs.Get("/bulk/:id", s.showBulkProgress)
	runs.Post("/bulk", s.limitPosts, s.startBulk)
	runs.Post("/bulk/:id/undo", s.limitPosts, s.undoBulk)
	runs.Post("/undo", s.limitPosts, s.undoStart)
	runs.Get("/:id", s.showRun)
	runs.Get("/:id/status", s.showStatus)
	runs.Get("/:id/log", s.showLog)
	runs.Get("/:id/compare/:other", s.showComparison)
	runs.Post("/:id/cancel", s.limitPosts, s.cancelRun)
	runs.Post("/:id/retry", s.limitPosts, s.retryRun)
	runs.Post("/:id/undo", s.limitPosts, s.undoCancel)
	runs.Post("/:id/delete", s.limitPosts, s.deleteRun)
	runs.Get("/:id/live", s.sockets.handle(s.findRunView))
}

// Serve accepts connections from the listener and answers their requests until Shutdown.
func (s *Server) Serve(listener net.Listener) error {
	return s.fiber.Listener(s.newConnections(listener))
}

// Attach sets the store and the hub and starts to serve pages. The caller must call it once.
func (s *Server) Attach(store app.Store, hub *live.Hub) {
	if limit, low := connectionLimit(s.Limits, openFiles()); low {
		s.Log.Warn("the limit of open files (ulimit -n) is too low for --max-sockets and --workers",
			"open_files", openFiles(), "max_sockets", s.Limits.MaxSockets, "workers", s.Limits.Workers,
			"connections", limit)
	}
	s.store, s.hub = store, hub
	s.state.Store(serving) // last, so that a handler that reads serving also sees store and hub
}

// Drain refuses new runs and sockets from now on. The server still serves pages, which say that it is
// shutting down.
func (s *Server) Drain() {
	s.state.Store(draining)
	s.Templates.Drain()
	s.sockets.notifyDraining()
}

// CloseSockets sends every socket the last state of its view, closes it with 1012, and returns when all are
// closed or ctx is done.
func (s *Server) CloseSockets(ctx context.Context) { s.sockets.close(ctx) }

// Shutdown stops accepting connections, and returns when all requests are answered or ctx is done.
func (s *Server) Shutdown(ctx context.Context) error {
	if s.logins != nil {
		defer s.logins.refused.close()
	}
	return s.fiber.ShutdownWithContext(ctx)
}

// awaitStart is the middleware that answers 503 until Attach.
func (s *Server) awaitStart(c *fiber.Ctx) error {
	if s.state.Load() == starting {
		return errStarting
	}
	return c.Next()
}

var errStarting = app.Errorf(app.CodeUnavailable, "The server is starting. Please try again in a moment.")

var errStopping = app.Errorf(app.CodeUnavailable,
	"The server is shutting down. Please try again in a moment.")

var errNoPages = app.Errorf(app.CodeNotFound, "This is a worker node; it serves no pages.")

// checkAdmission returns nil if the server accepts new runs and sockets, else the error for the client.
func (s *Server) checkAdmission() error {
	switch s.state.Load() {
	case starting:
		return errStarting
	case draining:
		return errStopping
	}
	return nil
}

// Ready returns nil if the server can serve every request, else the reason. GET /up reports it.
func (s *Server) Ready() error {
	if err := s.checkAdmission(); err != nil {
		return err
	}
	return s.store.Ready()
}

// up answers GET /up, the health check for load balancers.
func (s *Server) up(c *fiber.Ctx) error {
	if err := s.Ready(); err != nil {
		return err
	}
	return c.SendString("ok\n")
}

// limitTime is the middleware that sets the user context of a request to requestContext.
func limitTime(c *fiber.Ctx) error {
	ctx, cancel := requestContext()
	defer cancel()
	c.SetUserContext(ctx)
	return c.Next()
}

// requestContext returns a context that limits how long a handler waits for the store. It does not end when
// the client disconnects, so that a change is not half done.
func requestContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), requestTimeout)
}
