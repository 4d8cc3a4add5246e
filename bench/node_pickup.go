package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"runboard/app"
	"runboard/db/postgres"
	"runboard/jobs"
	"runboard/jobs/cluster"
)

// riverSettings is the input of a child that measures River alone.
type riverSettings struct {
	URL     string // of an empty database
	Workers int
	Server  int // pid of PostgreSQL
}

// riverChild measures River alone as fleetRound measures nodes.
func riverChild(input *json.Decoder) (sample, error) {
	var settings riverSettings
	if err := input.Decode(&settings); err != nil {
		return nil, err
	}
	pool, err := pgxpool.New(context.Background(), settings.URL+"?pool_max_conns=16")
	if err != nil {
		return nil, err
	}
	q := &riverQueue[pgx.Tx]{driver: riverpgxv5.New(pool), tuned: time.Millisecond, close: pool.Close}
	if err := q.start(settings.Workers, func() {}); err != nil {
		return nil, err
	}
	defer q.stop()
	time.Sleep(200 * time.Millisecond) // until the queue is idle
	used := func() (usage, error) {
		wal, err := written(settings.URL)
		return usage{nodes: ownCPU(), server: cpuOf(settings.Server), wal: wal}, err
	}
	return measureFleet(used, func() error {
		var clients sync.WaitGroup
		failed := make([]error, wholeClients)
		for i := range wholeClients {
			clients.Go(func() {
				for n := i; n < nodesRuns/nodesEach && failed[i] == nil; n += wholeClients {
					failed[i] = q.add(nodesEach)
				}
			})
		}
		clients.Wait()
		if err := errors.Join(failed...); err != nil {
			return err
		}
		return waitForCount(settings.URL, riverDone)
	})
}

// nodePickup is which of several idle nodes picks up a run.
type nodePickup struct {
	name  string
	other bool // only a node works on runs that did not create them
}

var nodePickups = []nodePickup{{"by the node that created it", false}, {"by another node", true}}

// nodePickupSettings is the input of a child that measures a nodePickup.
type nodePickupSettings struct {
	URL   string // of an empty database
	Other bool
}

// nodePickupRound measures a nodePickup in a process of its own.
func (b *bench) nodePickupRound(p nodePickup, at addresses, database string) (sample, error) {
	url, err := newDatabase(at, database)
	if err != nil {
		return nil, err
	}
	return inChild("nodes", nodePickupSettings{URL: url, Other: p.other})
}

// nodePickupChild measures the latency of a nodePickup. Times are in ms.
func nodePickupChild(input *json.Decoder) (sample, error) {
	var settings nodePickupSettings
	if err := input.Decode(&settings); err != nil {
		return nil, err
	}
	creator, err := openNode(settings.URL)
	if err != nil {
		return nil, err
	}
	defer creator.Close()
	worker := creator
	if settings.Other {
		if worker, err = openNode(settings.URL); err != nil {
			return nil, err
		}
		defer worker.Close()
	}
	picked := make(chan time.Time, 1)
	stop, err := workOn(worker, func() { picked <- time.Now() })
	if err != nil {
		return nil, err
	}
	defer stop()
	var took []float64
	for i := range pickupRuns + 1 {
		time.Sleep(20*time.Millisecond + rand.N(pickupGap))
		_, err := creator.Create(context.Background(), app.CreateRequest{Kind: "nothing", Count: 1})
		if err != nil {
			return nil, err
		}
		committed := time.Now()
		select {
		case at := <-picked:
			if i > 0 { // the first waits until the node has started
				took = append(took, max(0, at.Sub(committed).Seconds()*1000))
			}
		case <-time.After(queuePatience):
			return nil, errors.New("a run is not picked up")
		}
	}
	return sample{"p50": percentile(took, 50), "p99": percentile(took, 99)}, nil
}

func openNode(url string) (*postgres.Store, error) {
	return postgres.Open(context.Background(), postgres.Options{
		URL: url, Kinds: func() []string { return []string{"nothing"} }, Log: slog.New(slog.DiscardHandler),
	})
}

// workOn has a node work on runs until stop is called. Their work calls work.
func workOn(store *postgres.Store, work func()) (stop func(), err error) {
	registry, err := jobs.NewRegistry(jobs.Kind{Name: "nothing",
		Work: func(context.Context, *jobs.Run) error {
			work()
			return nil
		}})
	if err != nil {
		return nil, err
	}
	executor := func(registry *jobs.Registry) *jobs.Executor {
		return &jobs.Executor{Store: store, Registry: registry, MaxAttempts: 1, RunTimeout: time.Minute,
			Log: slog.New(slog.DiscardHandler)}
	}
	engine := &cluster.Engine{Store: store, Workers: pickupWorkers, DrainTimeout: time.Second,
		Runs: executor(registry), Bulk: executor(jobs.BulkRegistry(store))}
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() { engine.Run(ctx, context.Background()) })
	return func() {
		cancel()
		ended.Wait()
	}, nil
}
