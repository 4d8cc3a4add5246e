// Package board runs a Runboard server. Main is a whole program, with the flags of runboard; New and Run
// embed a board in another program.
package board

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"runboard/app"
	"runboard/handlers"
	"runboard/handlers/live"
	"runboard/jobs"
	"runboard/static"
	"runboard/templates"
)

// Kind is a kind of run: a name and the function that does the work.
type Kind = jobs.Kind

// Deadlines of the steps of a shutdown after the drain. Together they stay below five seconds, so that a
// service manager that waits ten seconds longer than --drain-timeout never kills the process.
const (
	shutdownTimeout = 4500 * time.Millisecond // of all steps together
	socketsTimeout  = 3 * time.Second
	requestsTimeout = 2 * time.Second
	minStepTimeout  = 250 * time.Millisecond // of each step, even if earlier steps have used up the time
	hardStopTimeout = time.Second            // of requeueing after a second signal
)

// Board is a server with its database, workers and live pages. New creates it, and Run runs it once.
type Board struct {
	*backend
	config   Config
	offer    *offer
	listener net.Listener
	hub      *live.Hub
	server   *handlers.Server
	served   chan error // receives one value: the error with which the server stopped
}

// New listens at config.Addr and opens the database, so that a wrong setting or a database in use fails
// here. After an error nothing is left open. Each kind needs a unique name; the kinds that config names
// come after these. Without any kind the board offers the simulated kind. The caller must call Run, which
// also releases what New opened.
//
// If config names commands, the program must call command.Main, of package jobs/command, before anything
// else, and command.Guard next. Without the former, New fails; the latter keeps commands from reading the
// memory of the program. New then removes what commands of dead programs left behind.
func New(config Config, kinds ...Kind) (*Board, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	offered, err := newOffer(config, kinds)
	if err != nil {
		return nil, err
	}
	var warnings []warning
	if offered.hasCommands() {
		warnings = sweep(config)
	}
	b, err := open(context.Background(), config, offered)
	if err == nil {
		b.warnings = append(b.warnings, warnings...)
	}
	return b, err
}

// open creates a board that is ready to run. After an error nothing is left open and no file has changed.
func open(ctx context.Context, config Config, offered *offer) (*Board, error) {
	if config.Logger == nil {
		config.Logger = newLogger(config)
	}
	log := config.Logger
	registry := offered.registry
	b := &Board{config: config, offer: offered, served: make(chan error, 1)}
	assets, err := static.Load()
	if err != nil {
		return nil, err
	}
	pages, err := templates.New(templates.Options{
		Asset: assets.Path, Kinds: registry,
		MaxAttempts: config.MaxAttempts, RunTimeout: config.RunTimeout,
	})
	if err != nil {
		return nil, err
	}
	access, err := config.access()
	if err != nil {
		return nil, err
	}
	b.server = handlers.New(handlers.Options{
		Limits: config.limits(), Access: access, PagesOff: config.Role == roleWorker,
		Templates: pages, Assets: assets, Kinds: registry, Log: log,
		Policy: app.Policy{Timeout: config.RunTimeout, Attempts: config.MaxAttempts},
	})
	b.listener, err = net.Listen("tcp", config.Addr) // before the database, because it is easy to undo
	if err != nil {
		return nil, fmt.Errorf("cannot listen: %w; --addr chooses another address", err)
	}
	go func() { b.served <- b.server.Serve(b.listener) }() // answers 503 until Run
	b.backend, err = openBackend(ctx, config, offered)
	if err != nil {
		_ = b.listener.Close() // Serve may not have reached it yet
		withTimeout(requestsTimeout, func(ctx context.Context) { _ = b.server.Shutdown(ctx) })
		<-b.served
		return nil, err
	}
	b.hub = live.NewHub(b.store, pages, log)
	return b, nil
}

// URL returns the base URL of the board, such as http://127.0.0.1:3000. It does not change.
func (b *Board) URL() string { return "http://" + b.listener.Addr().String() }

// Store returns the store of the board, to read and change runs from the same process. Run closes it before
// it returns.
func (b *Board) Store() app.Store { return b.store }

// Ready returns nil if the board serves pages and can write, else the reason. GET /up reports it.
func (b *Board) Ready() error { return b.server.Ready() }

// Run serves and works until ctx ends, and then shuts down: it refuses new runs and sockets, lets running
// work finish for config.DrainTimeout, requeues the rest, sends the last states to open pages, and closes the
// database. It may be called only once. It returns nil after a shutdown through ctx, and otherwise the error
// that stopped the board.
func (b *Board) Run(ctx context.Context) error { return b.run(ctx, context.Background()) }

// run is Run with a second context. When hardStop ends, run returns as soon as interrupted runs are requeued,
// and leaves everything else open: the process must then exit.
func (b *Board) run(ctx, hardStop context.Context) error {
	b.config.Logger.Info("listening on "+b.URL(), "url", b.URL())
	b.logRecovery()
	b.offer.logWarnings(b.config)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var engines, hub sync.WaitGroup
	watching, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWatching()
	working, interrupt := context.WithCancel(hardStop)
	defer interrupt()
	for _, engine := range b.engines {
		engines.Go(func() { engine(ctx, working) })
	}
	hub.Go(func() { b.hub.Run(watching) })
	b.server.Attach(b.store, b.hub)

	var err error
	select {
	case <-ctx.Done():
		b.config.Logger.Info("shutting down")
	case err = <-b.served: // the server has failed
		cancel()
	case err = <-b.failed:
		b.config.Logger.Error("shutting down", "error", err)
		interrupt() // no result can be saved
		cancel()
	}
	deadline := time.Now().Add(b.config.DrainTimeout + shutdownTimeout)
	b.server.Drain()
	engines.Wait()
	if hardStop.Err() != nil {
		return err
	}
	stopWatching()
	hub.Wait()
	return errors.Join(err, b.closeAll(deadline))
}

// closeAll closes sockets, requests and the database in this order. Each step has a limit of its own, and all
// together end at about the deadline.
func (b *Board) closeAll(deadline time.Time) error {
	limit := func(most time.Duration) time.Duration {
		return min(most, max(minStepTimeout, time.Until(deadline)))
	}
	withTimeout(limit(socketsTimeout), b.server.CloseSockets)
	withTimeout(limit(requestsTimeout), func(ctx context.Context) {
		if b.server.Shutdown(ctx) != nil {
			b.config.Logger.Warn("some requests were not answered in time")
		}
	})
	return b.store.Close()
}

// logRecovery logs what opening the database found and repaired.
func (b *Board) logRecovery() {
	for _, one := range b.warnings {
		b.config.Logger.Warn(one.text, one.args...)
	}
	r := b.recovered
	if r.Repaired {
		b.config.Logger.Warn("corrected the stored counts of runs", "was", r.Was, "is", r.Is)
	}
	if r.Requeued+r.Failed+r.Cancelled > 0 {
		b.config.Logger.Warn("runs were interrupted by a crash",
			"requeued", r.Requeued, "failed", r.Failed, "cancelled", r.Cancelled)
	}
}

func withTimeout(limit time.Duration, step func(context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	step(ctx)
}
