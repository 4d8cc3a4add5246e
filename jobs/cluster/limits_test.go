package cluster_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"runboard/app"
	"runboard/db/postgres"
	"runboard/jobs"
	"runboard/jobs/cluster"
	"runboard/jobs/limitstest"
)

func TestLimits_AreKept(t *testing.T) {
	t.Parallel()
	limitstest.Test(t, func(t testing.TB) limitstest.Cluster {
		return &twoNodes{address: migrated.Copy(t)}
	})
}

// twoNodes is a cluster of engines on a database.
type twoNodes struct{ address string }

func (*twoNodes) Nodes() int { return 2 }

func (c *twoNodes) Start(t testing.TB, registry *jobs.Registry) limitstest.Node {
	settings := options(c.address)
	settings.MaxCrashes = 1000
	settings.Definitions = registry
	settings.Heartbeat = lostSoon
	store, err := postgres.Open(context.Background(), settings)
	if err != nil {
		t.Fatal(err)
	}
	node := &engineNode{store: store}
	ctx, hardStop := context.WithCancel(context.Background())
	node.hardStop = hardStop
	runs := newExecutor(store, registry, time.Hour)
	runs.MaxAttempts = 1000
	runs.Store = &cutStore{ClusterStore: store, cut: &node.cut}
	engine := &cluster.Engine{
		Store: store, Workers: 30, DrainTimeout: patience,
		Runs: runs, Bulk: newExecutor(store, jobs.BulkRegistry(store), time.Hour),
	}
	node.stopped.Go(func() { engine.Run(context.Background(), ctx) })
	t.Cleanup(node.Kill)
	return node
}

// engineNode is a process with an engine.
type engineNode struct {
	store    *postgres.Store
	cut      atomic.Bool
	hardStop func()
	stopped  sync.WaitGroup
}

func (n *engineNode) Store() app.Store { return n.store }

// Kill first cuts the work off from the store, so that no result is saved. The other node learns of it when
// the store is closed.
func (n *engineNode) Kill() {
	n.cut.Store(true)
	n.hardStop()
	n.stopped.Wait()
	_ = n.store.Close()
}

// cutStore is a store that a dying process no longer reaches.
type cutStore struct {
	app.ClusterStore
	cut *atomic.Bool
}

func (s *cutStore) reach() error {
	if s.cut.Load() {
		return app.Errorf(app.CodeUnavailable, "The process dies.")
	}
	return nil
}

func (s *cutStore) Finish(ctx context.Context, run app.ProcessRun, outcome app.Outcome) error {
	if err := s.reach(); err != nil {
		return err
	}
	return s.ClusterStore.Finish(ctx, run, outcome)
}

func (s *cutStore) Requeue(ctx context.Context, run app.ProcessRun) error {
	if err := s.reach(); err != nil {
		return err
	}
	return s.ClusterStore.Requeue(ctx, run)
}
