package board

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"runboard/app"
	"runboard/db/postgres"
	"runboard/db/sqlite"
	"runboard/jobs"
	"runboard/jobs/river"
)

// Bulk runs change many other runs. They have workers of their own, so that a bulk cancel never waits behind the runs that
// it cancels.
const (
	bulkWorkers = 4
	bulkTimeout = 7 * 24 * time.Hour // a bulk retry waits while too many runs wait
)

// store is where runs are kept.
type store interface {
	app.Store
	app.WorkStore
	Close() error
}

// engine works until ctx ends and then drains; as soon as hardStop ends, it stops without draining.
type engine func(ctx, hardStop context.Context)

// backend is a store with the engines that work on its runs.
type backend struct {
	store     store
	engines   []engine
	recovered sqlite.Recovery // what opening the database found
	warnings  []sqlite.Warning
}

func openBackend(ctx context.Context, config Config, registry *jobs.Registry, log *slog.Logger) (*backend, error) {
	if config.UsesPostgres() {
		return openPostgres(ctx, config, registry, log)
	}
	return openSQLite(ctx, config, registry, log)
}

// openSQLite has this process do everything, with a file of its own.
func openSQLite(ctx context.Context, config Config, registry *jobs.Registry, log *slog.Logger) (*backend, error) {
	file, err := sqlite.Open(ctx, sqlite.Options{
		Path: config.DatabasePath(), Synchronous: config.Synchronous,
		MaxPending: config.MaxPending, MaxCrashes: config.MaxCrashes,
		LogLimit: int64(config.LogLimit), MaxLogBytes: int64(config.MaxLogBytes),
		KeepFinished: config.KeepFinished, KeepMax: config.KeepMax,
		Kinds: workerKinds(config, registry), Log: log,
		StartDelay: jobs.SimulatedDelay(config.DelayMin, config.DelayMax),
	})
	if err != nil {
		return nil, err
	}
	queue := &jobs.Queue{
		Store: file, Registry: registry, Workers: config.Workers,
		MaxAttempts: config.MaxAttempts, MaxCrashes: config.MaxCrashes,
		RunTimeout: config.RunTimeout, DrainTimeout: config.DrainTimeout,
		LogLimit: int64(config.LogLimit), Log: log,
	}
	bulk := &jobs.Queue{ // without a drain: a bulk run continues after the restart
		Store: file, Registry: jobs.BulkRegistry(file), Workers: bulkWorkers,
		MaxAttempts: 1, MaxCrashes: config.MaxCrashes, RunTimeout: bulkTimeout, Log: log,
	}
	return &backend{
		store:     file,
		engines:   []engine{outlasting(bulk.Run, queue.Run), func(ctx, _ context.Context) { file.Prune(ctx) }},
		recovered: file.Recovered(),
		warnings:  file.Warnings(),
	}, nil
}

// outlasting runs two engines and stops the first only when the second has stopped: a bulk cancel that was accepted still
// reaches the runs that drain.
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

// openPostgres has this process be one of several nodes.
func openPostgres(ctx context.Context, config Config, registry *jobs.Registry, log *slog.Logger) (*backend, error) {
	server, err := postgres.Open(ctx, postgres.Options{
		URL: config.DatabaseURL, Synchronous: config.Synchronous,
		MaxPending: config.MaxPending, MaxCrashes: config.MaxCrashes,
		LogLimit: int64(config.LogLimit), MaxLogBytes: int64(config.MaxLogBytes),
		KeepFinished: config.KeepFinished, KeepMax: config.KeepMax,
		Kinds: workerKinds(config, registry), Log: log,
		StartDelay: jobs.SimulatedDelay(config.DelayMin, config.DelayMax),
	})
	_ = os.Unsetenv("PGPASSWORD") // the driver has read it, and commands must not inherit it
	if err != nil {
		return nil, err
	}
	if config.Role == app.RoleWeb {
		return &backend{store: server}, nil
	}
	nodes := &river.Engine{
		Pool: server.Pool(), Store: server, Registry: registry, Actions: jobs.BulkRegistry(server), Workers: config.Workers,
		MaxAttempts: config.MaxAttempts, RunTimeout: config.RunTimeout, ActionTimeout: bulkTimeout,
		DrainTimeout: config.DrainTimeout, LogLimit: int64(config.LogLimit), Log: log,
	}
	return &backend{store: server, engines: []engine{nodes.Run}}, nil
}

// workerKinds returns the kinds of runs that this process works on.
func workerKinds(config Config, registry *jobs.Registry) []string {
	if config.Role == app.RoleWeb {
		return []string{}
	}
	return append(registry.Names(), app.BulkKinds()...)
}
