package jobs_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"runboard/app"
	"runboard/db/sqlite"
	"runboard/jobs"
	"runboard/jobs/limitstest"
)

func TestLimits_AreKept(t *testing.T) {
	t.Parallel()
	limitstest.Test(t, func(t testing.TB) limitstest.Cluster {
		return &oneProcess{path: filepath.Join(t.TempDir(), "runs.db")}
	})
}

// oneProcess is a cluster of one queue.
type oneProcess struct{ path string }

func (*oneProcess) Nodes() int { return 1 }

func (c *oneProcess) Start(t testing.TB, registry *jobs.Registry) limitstest.Node {
	store, err := sqlite.Open(context.Background(), sqlite.Options{
		Path: c.path, Synchronous: "normal", MaxCrashes: 1000, Definitions: registry,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	node := &queueNode{store: store}
	ctx, hardStop := context.WithCancel(context.Background())
	queue := &jobs.Queue{
		Store: store, Workers: 40, MaxCrashes: 1000, DrainTimeout: patience,
		Executor: &jobs.Executor{
			Store: store, Registry: registry, MaxAttempts: 1000, RunTimeout: time.Hour,
			Log: slog.New(slog.DiscardHandler),
		},
	}
	node.hardStop = hardStop
	node.stopped.Go(func() { queue.Run(context.Background(), ctx) })
	t.Cleanup(node.Kill)
	return node
}

// queueNode is a process with a queue.
type queueNode struct {
	store    *sqlite.Store
	hardStop func()
	stopped  sync.WaitGroup
}

func (n *queueNode) Store() app.Store { return n.store }

// Kill closes the store first, so that no result is saved.
func (n *queueNode) Kill() {
	_ = n.store.Close()
	n.hardStop()
	n.stopped.Wait()
}
