package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"runboard/app"
	"runboard/db/sqlite"
	"runboard/jobs"
)

// runboardQueue is Runboard's queue on its SQLite store, without the server.
type runboardQueue struct {
	store  *sqlite.Store
	cancel context.CancelFunc
	ended  sync.WaitGroup
}

// openRunboard returns a function that opens Runboard's store on a new file, with this value of the
// synchronous pragma.
func openRunboard(synchronous string) func(string, addresses) (queue, error) {
	return func(dir string, _ addresses) (queue, error) {
		store, err := sqlite.Open(context.Background(), sqlite.Options{
			Path: filepath.Join(dir, "runboard.db"), Synchronous: synchronous,
			Kinds: func() []string { return []string{"nothing"} },
			Log:   slog.New(slog.DiscardHandler),
		})
		return &runboardQueue{store: store}, err
	}
}

func (q *runboardQueue) start(workers int, work func()) error {
	registry, err := jobs.NewRegistry(jobs.Kind{Name: "nothing",
		Work: func(context.Context, *jobs.Run) error {
			work()
			return nil
		}})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	q.cancel = stop
	inside := &jobs.Queue{
		Store: q.store, Workers: workers, MaxCrashes: 3, DrainTimeout: time.Second,
		Executor: &jobs.Executor{
			Store: q.store, Registry: registry, MaxAttempts: 1, RunTimeout: time.Minute,
			Log: slog.New(slog.DiscardHandler),
		},
	}
	q.ended.Go(func() { inside.Run(ctx, context.Background()) })
	return nil
}

func (q *runboardQueue) add(runs int) error {
	_, err := q.store.Create(context.Background(), app.CreateRequest{Kind: "nothing", Count: runs})
	return err
}

func (q *runboardQueue) done() (int, error) {
	page, err := q.store.Page(context.Background(), app.Query{})
	return int(page.Counts[app.Completed]), err
}

func (q *runboardQueue) stop() {
	q.cancel()
	q.ended.Wait()
	_ = q.store.Close()
}
