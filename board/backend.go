package board

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"runboard/app"
	"runboard/db/postgres"
	"runboard/db/sqlite"
	"runboard/jobs"
	"runboard/jobs/cluster"
)

// Bulk runs change many other runs. They have workers of their own, so that a bulk cancel never waits behind
// the runs that it cancels.
const (
	bulkWorkers = 4
	bulkTimeout = 7 * 24 * time.Hour // a bulk retry waits while too many runs wait
)

// store is the store of a board.
type store interface {
	app.Store
	app.WorkStore
	Close() error
}

// engine works on runs until ctx ends and then drains. When hardStop ends, it stops without draining.
type engine func(ctx, hardStop context.Context)

// backend is a store with the engines that work on its runs.
type backend struct {
	store     store
	engines   []engine
	recovered sqlite.Recovery // what opening the database repaired
	warnings  []warning
	failed    <-chan error // receives an error if the store can never be used again; nil: never
}

// warning is a log message for the operator, with its attributes. It waits until the board has logged its URL.
type warning struct {
	text string
	args []any
}

// openBackend opens the database that the configuration names. After an error nothing is left open.
func openBackend(ctx context.Context, config Config, offered *offer) (*backend, error) {
	connect := openSQLite
	if config.UsesPostgres() {
		connect = openPostgres
	}
	opened, err := connect(ctx, config, offered)
	if err != nil {
		return nil, err
	}
	if err := offered.makeSecrets(offered.kinds); err != nil {
		return nil, errors.Join(err, opened.store.Close())
	}
	return opened, nil
}

// openSQLite opens a SQLite file, which belongs to this process alone. The process serves pages and works.
func openSQLite(ctx context.Context, config Config, offered *offer) (*backend, error) {
	file, err := sqlite.Open(ctx, sqlite.Options{
		Path: config.DatabasePath(), Synchronous: config.Synchronous,
		MaxPending: config.MaxPending, MaxCrashes: config.MaxCrashes,
		LogLimit: int64(config.LogLimit), MaxLogBytes: int64(config.MaxLogBytes),
		KeepFinished: config.KeepFinished, KeepMax: config.KeepMax,
		Kinds: handledKinds(config, offered.registry), Workers: workersOf(config),
		Definitions: offered.registry, Secrets: offered.secrets.Load, Log: config.Logger,
		StartDelay: jobs.SimulatedDelay(config.DelayMin, config.DelayMax),
	})
	if err != nil {
		return nil, err
	}
	queue := &jobs.Queue{
		Store: file, Executor: newExecutor(file, config, offered.registry), Workers: config.Workers,
		MaxCrashes: config.MaxCrashes, DrainTimeout: config.DrainTimeout,
	}
	bulk := &jobs.Queue{ // without a drain, because a bulk run continues after a restart
		Store: file, Executor: newBulkExecutor(file, config), Workers: bulkWorkers,
		MaxCrashes: config.MaxCrashes,
	}
	maintain := func(ctx, _ context.Context) { file.Maintain(ctx) }
	opened := &backend{
		store:     file,
		engines:   []engine{outlasting(bulk.Run, queue.Run), maintain},
		recovered: file.Recovered(),
	}
	for _, one := range file.Warnings() {
		opened.warnings = append(opened.warnings, warning{one.Text, one.Args})
	}
	return opened, nil
}

// outlasting returns an engine that runs both engines and stops the first only after the second has stopped.
// So a bulk cancel that was accepted still reaches runs that drain.
func outlasting(first, second engine) engine {
	return func(ctx, hardStop context.Context) {
		lasting, stop := context.WithCancel(context.WithoutCancel(ctx))
		var running sync.WaitGroup
		running.Go(func() { first(lasting, hardStop) })
		second(ctx, hardStop)
		stop()
		running.Wait()
	}
}

// openPostgres connects to a PostgreSQL server. This process is one of possibly several nodes.
func openPostgres(ctx context.Context, config Config, offered *offer) (*backend, error) {
	server, err := postgres.Open(ctx, postgres.Options{
		URL: config.DatabaseURL, Synchronous: config.Synchronous,
		MaxPending: config.MaxPending, MaxCrashes: config.MaxCrashes,
		LogLimit: int64(config.LogLimit), MaxLogBytes: int64(config.MaxLogBytes),
		KeepFinished: config.KeepFinished, KeepMax: config.KeepMax,
		Kinds: handledKinds(config, offered.registry), Workers: workersOf(config),
		Definitions: offered.registry, Secrets: offered.secrets.Load, Log: config.Logger,
		StartDelay: jobs.SimulatedDelay(config.DelayMin, config.DelayMax),
	})
	_ = os.Unsetenv("PGPASSWORD") // the driver has read it, and commands must not inherit it
	if err != nil {
		return nil, err
	}
	if config.Role == roleWeb {
		return &backend{store: server, failed: server.Failed()}, nil
	}
	node := &cluster.Engine{
		Store: server, Workers: config.Workers, DrainTimeout: config.DrainTimeout,
		Runs: newExecutor(server, config, offered.registry), Bulk: newBulkExecutor(server, config),
	}
	return &backend{store: server, engines: []engine{node.Run}, failed: server.Failed()}, nil
}

func newExecutor(store app.WorkStore, config Config, registry *jobs.Registry) *jobs.Executor {
	return &jobs.Executor{
		Store: store, Registry: registry, MaxAttempts: config.MaxAttempts, RunTimeout: config.RunTimeout,
		LogLimit: int64(config.LogLimit), Log: config.Logger,
	}
}

func newBulkExecutor(store bulkStore, config Config) *jobs.Executor {
	return &jobs.Executor{
		Store: store, Registry: jobs.BulkRegistry(store), MaxAttempts: 1, RunTimeout: bulkTimeout,
		Log: config.Logger,
	}
}

// bulkStore is the store of a bulk executor.
type bulkStore interface {
	app.WorkStore
	app.BulkRunner
}

// workersOf returns how many runs this process works on at once. A web node works on none.
func workersOf(config Config) int {
	if config.Role == roleWeb {
		return 0
	}
	return config.Workers
}

// handledKinds returns a function that returns the kinds of runs that this process works on. A web node
// works on none.
func handledKinds(config Config, registry *jobs.Registry) func() []string {
	return func() []string {
		if config.Role == roleWeb {
			return []string{}
		}
		return append(registry.Names(), app.BulkKinds()...)
	}
}
