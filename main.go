// Command runboard starts long work from a web page and shows live how it goes.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/alecthomas/kong"

	"runboard/app"
	"runboard/db/postgres"
	"runboard/db/sqlite"
	"runboard/handlers"
	"runboard/handlers/live"
	"runboard/jobs"
	"runboard/jobs/command"
	"runboard/jobs/river"
	"runboard/static"
	"runboard/templates"
)

// Exit statuses.
const (
	exitFailed = 1 // the database or the address cannot be used, or a second signal came
	exitUsage  = 2 // a flag is wrong
)

// Deadlines of the steps of a shutdown, beside that of the drain. All of it has five seconds after the drain, of which some
// are left for the files.
const (
	shutdownTime = 4500 * time.Millisecond
	socketsTime  = 3 * time.Second
	requestsTime = 2 * time.Second
	leastTime    = 250 * time.Millisecond // for each, also when the steps before took all there is
	hurryTime    = time.Second            // for all of them, after a second signal
)

// Runs that act on many others: how many at once, and for how long.
const (
	actionsAtOnce = 4
	actionTimeout = 7 * 24 * time.Hour // one may have to wait until there is room for the runs that it retries
)

func main() {
	command.Main()          // which does not return when this process was started as one
	subcommand(os.Args[1:]) // nor does this when one is asked for
	unguarded := command.Guard()
	config, err := parse(os.Args[1:])
	var registry *jobs.Registry
	if err == nil {
		registry, err = kinds(config)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "runboard:", err)
		os.Exit(exitUsage)
	}
	ctx, shutDown := context.WithCancel(context.Background())
	defer shutDown()
	now, hurry := context.WithCancel(context.Background())
	defer hurry()
	log := newLog(config)
	slog.SetDefault(log) // for libraries
	surviveSignals(log)
	go heedSignals(shutDown, hurry)
	notices := sweep(config, unguarded)
	program, err := open(ctx, config, registry, log)
	if err != nil {
		fmt.Fprintln(os.Stderr, "runboard:", err)
		os.Exit(exitFailed)
	}
	program.warnings = append(program.warnings, notices...) // not before: the first line of the log names the URL
	if err = program.run(ctx, now); err != nil {
		program.log.Error("stopped", "error", err)
	}
	if err != nil || now.Err() != nil {
		os.Exit(exitFailed)
	}
}

// kinds is where your own work goes, a line for each kind: its name and its function. The first is the default.
// Those from the command line follow.
func kinds(config app.Config) (*jobs.Registry, error) {
	commands, err := jobs.CommandKinds(config.Command, config.Commands, config.CommandDir, config.CommandUser)
	if err != nil {
		return nil, err
	}
	return jobs.NewRegistry(append([]jobs.Kind{
		jobs.Simulated(config.DelayMin, config.DelayMax, config.FailureRate),
	}, commands...)...)
}

// offered are the kinds in the order in which the page offers them: whoever has put in work of their own does not
// look for the simulated one, although it stays the default for programs.
func offered(registry *jobs.Registry) []string {
	names := registry.Names()
	if len(names) > 1 && names[0] == jobs.SimulatedName {
		return append(names[1:], names[0])
	}
	return names
}

// parse reads flags and environment. A variable that is empty is as good as absent: that is how compose
// files and unit files leave one out. It ends the process when help is asked for.
func parse(args []string) (config app.Config, err error) {
	settings := reflect.TypeFor[app.Config]()
	for i := range settings.NumField() {
		if name := settings.Field(i).Tag.Get("env"); os.Getenv(name) == "" {
			_ = os.Unsetenv(name)
		}
	}
	parser, err := kong.New(&config, kong.Name("runboard"), kong.TypeMapper(reflect.TypeFor[time.Duration](), durations),
		kong.Description("Start long work from a web page and watch every run change live.\n\n"+
			"runboard hash-password USER reads a password and writes a line for --auth-file. "+
			"runboard licenses writes the licences of what others have made and this binary contains."))
	if err != nil {
		return config, err
	}
	_, err = parser.Parse(args)
	for _, secret := range []string{"AUTH", "DATABASE_URL"} { // nothing that is started from here inherits them
		_ = os.Unsetenv(secret)
	}
	if err != nil {
		return config, err
	}
	// After commas there may be blanks.
	for _, list := range [][]string{config.PublicOrigin, config.TrustedProxy} {
		for i := range list {
			list[i] = strings.TrimSpace(list[i])
		}
	}
	return config, config.Load()
}

// durations has flags and variables read durations as everything else does.
var durations = kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("duration", &text); err != nil {
		return err
	}
	d, err := app.ParseDuration(text)
	if err == nil {
		target.SetInt(int64(d))
	}
	return err
})

func newLog(config app.Config) *slog.Logger {
	if config.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, nil))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, nil))
}

// store is where runs are kept.
type store interface {
	app.Store
	app.WorkStore
	Close() error
}

// engine is something that works until ctx ends, and then ends in good order or, as soon as now ends, at once.
type engine func(ctx, now context.Context)

// backend is where runs are kept, and what works on them.
type backend struct {
	store
	engines   []engine
	recovered sqlite.Recovery // what was found amiss
	warnings  []sqlite.Warning
}

// openBackend is the only place that knows that there are two.
func openBackend(ctx context.Context, config app.Config, registry *jobs.Registry, log *slog.Logger) (*backend, error) {
	if config.UsesPostgres() {
		return openPostgres(ctx, config, registry, log)
	}
	return openSQLite(ctx, config, registry, log)
}

// openSQLite has one process do everything, with a file of its own.
func openSQLite(ctx context.Context, config app.Config, registry *jobs.Registry, log *slog.Logger) (*backend, error) {
	file, err := sqlite.Open(ctx, sqlite.Options{
		Path: config.DatabasePath(), Synchronous: config.Synchronous,
		MaxPending: config.MaxPending, MaxCrashes: config.MaxCrashes,
		LogLimit: int64(config.LogLimit), MaxLogBytes: int64(config.MaxLogBytes), KeepFinished: config.KeepFinished, KeepMax: config.KeepMax,
		Kinds: worked(config, registry), Log: log,
	})
	if err != nil {
		return nil, err
	}
	queue := &jobs.Queue{
		Backlog: file, Registry: registry, Workers: config.Workers,
		MaxAttempts: config.MaxAttempts, MaxCrashes: config.MaxCrashes,
		RunTimeout: config.RunTimeout, DrainTimeout: config.DrainTimeout,
		LogLimit: int64(config.LogLimit), Log: log,
	}
	actions := &jobs.Queue{ // runs that act on many others must not wait behind these
		Backlog: file, Registry: jobs.BulkRegistry(file), Workers: actionsAtOnce,
		MaxAttempts: 1, MaxCrashes: config.MaxCrashes, RunTimeout: actionTimeout, Log: log, // no drain: they go on later
	}
	work := outlasting(actions.Run, queue.Run) // an accepted bulk cancel also reaches the runs that drain
	prune := func(ctx, _ context.Context) { file.Prune(ctx) }
	return &backend{store: file, engines: []engine{work, prune}, recovered: file.Recovered(), warnings: file.Warnings()}, nil
}

// outlasting returns an engine that runs two others, and asks the first to stop only when the second has stopped.
func outlasting(first, second engine) engine {
	return func(ctx, now context.Context) {
		lasting, stop := context.WithCancel(context.WithoutCancel(ctx))
		var running sync.WaitGroup
		running.Go(func() { first(lasting, now) })
		second(ctx, now)
		stop()
		running.Wait()
	}
}

// openPostgres has this process be one of several nodes.
func openPostgres(ctx context.Context, config app.Config, registry *jobs.Registry, log *slog.Logger) (*backend, error) {
	server, err := postgres.Open(ctx, postgres.Options{
		URL: config.DatabaseURL, Synchronous: config.Synchronous,
		MaxPending: config.MaxPending, MaxCrashes: config.MaxCrashes,
		LogLimit: int64(config.LogLimit), MaxLogBytes: int64(config.MaxLogBytes), KeepFinished: config.KeepFinished, KeepMax: config.KeepMax,
		Kinds: worked(config, registry), Log: log,
	})
	_ = os.Unsetenv("PGPASSWORD") // it is kept where the address is
	if err != nil {
		return nil, err
	}
	if config.Role == app.RoleWeb {
		return &backend{store: server}, nil
	}
	river := &river.Engine{
		Pool: server.Pool(), Store: server, Registry: registry, Actions: jobs.BulkRegistry(server), Workers: config.Workers,
		MaxAttempts: config.MaxAttempts, RunTimeout: config.RunTimeout, ActionTimeout: actionTimeout,
		DrainTimeout: config.DrainTimeout, LogLimit: int64(config.LogLimit), Log: log,
	}
	return &backend{store: server, engines: []engine{river.Run}}, nil
}

// worked are the kinds of runs that this process works on.
func worked(config app.Config, registry *jobs.Registry) []string {
	if config.Role == app.RoleWeb {
		return []string{}
	}
	return append(registry.Names(), app.BulkKinds()...)
}

// program is everything that runs. Tests start the very same one, on a port of its own.
type program struct {
	*backend
	url      string // where it listens
	log      *slog.Logger
	config   app.Config
	listener net.Listener
	hub      *live.Hub
	server   *handlers.Server
	served   chan error // holds one: why the server has stopped
}

// open makes a program that is ready to run. When it fails, nothing is left open, and nothing that was
// there before has changed.
func open(ctx context.Context, config app.Config, registry *jobs.Registry, log *slog.Logger) (_ *program, err error) {
	p := &program{log: log, config: config, served: make(chan error, 1)}
	assets, err := static.Load()
	if err != nil {
		return nil, err
	}
	drawing, err := templates.New(templates.Options{
		Asset: assets.Path, Kinds: offered(registry), MaxAttempts: config.MaxAttempts, RunTimeout: config.RunTimeout,
	})
	if err != nil {
		return nil, err
	}
	p.server, err = handlers.New(handlers.Options{
		Config: config, Templates: drawing, Assets: assets, Kinds: registry.Names(), Log: log,
	})
	if err != nil {
		return nil, err
	}
	if p.listener, err = net.Listen("tcp", config.Addr); err != nil { // before the database: it is easily undone
		return nil, fmt.Errorf("cannot listen: %w", err)
	}
	p.url = "http://" + p.listener.Addr().String()
	go func() { p.served <- p.server.Serve(p.listener) }() // it says that it is starting
	if p.backend, err = openBackend(ctx, config, registry, log); err != nil {
		_ = p.listener.Close() // it may not have come to serve yet
		within(requestsTime, func(ctx context.Context) { _ = p.server.Shutdown(ctx) })
		<-p.served
		return nil, err
	}
	p.hub = live.NewHub(p.store, drawing, log)
	return p, nil
}

// run serves and works until ctx ends, and then ends step by step: nobody new is let in, work drains, its
// last states are shown, sockets are told to come back, and the files are closed. When now ends, it returns as
// soon as what was interrupted is given back, and puts nothing away: the process must end then.
func (p *program) run(ctx, now context.Context) error {
	p.log.Info("listening on "+p.url, "url", p.url)
	p.tellRecovery(p.recovered)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var work, hub sync.WaitGroup
	watching, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWatching()
	for _, engine := range p.engines {
		work.Go(func() { engine(ctx, now) })
	}
	hub.Go(func() { p.hub.Run(watching) })
	p.server.Attach(p.store, p.hub)

	var err error
	select {
	case <-ctx.Done():
		p.log.Info("shutting down")
	case err = <-p.served: // it cannot go on alone
		cancel()
	}
	end := time.Now().Add(p.config.DrainTimeout + shutdownTime)
	p.server.Drain()
	work.Wait()
	if now.Err() != nil {
		return err
	}
	stopWatching()
	hub.Wait()
	left := func(most time.Duration) time.Duration { return min(most, max(leastTime, time.Until(end))) }
	within(left(socketsTime), p.server.CloseSockets)
	within(left(requestsTime), func(ctx context.Context) {
		if p.server.Shutdown(ctx) != nil {
			p.log.Warn("some requests were not answered in time")
		}
	})
	return errors.Join(err, p.Close())
}

// tellRecovery says in the log what was found amiss in the database.
func (p *program) tellRecovery(r sqlite.Recovery) {
	for _, warning := range p.warnings {
		p.log.Warn(warning.Text, warning.Args...)
	}
	if r.Repaired {
		p.log.Warn("the number of runs in each status was wrong and has been counted anew", "was", r.Was, "is", r.Is)
	}
	if r.Requeued+r.Failed+r.Cancelled > 0 {
		p.log.Warn("runs were interrupted by a crash", "given_back", r.Requeued, "failed", r.Failed, "cancelled", r.Cancelled)
	}
}

func within(limit time.Duration, step func(context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	step(ctx)
}
