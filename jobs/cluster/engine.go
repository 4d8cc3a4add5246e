// Package cluster is the engine for several nodes that share one PostgreSQL database. Each node fetches the
// jobs of runs that wait, and works on these runs. The store sees to it that only one node starts a run,
// holds the state of runs, and rescues those of lost nodes.
package cluster

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"runboard/app"
	"runboard/jobs"
)

const (
	// tick is how long the node pauses after a failed query.
	tick = time.Second
	// stopTimeout is how long the work may take to return after the engine has interrupted it.
	stopTimeout = 10 * time.Second
	// bulkWorkers is how many bulk runs a node works on at once.
	bulkWorkers = 4
	// snoozeAfter is how long a node works on a bulk run before it snoozes the run, so that all bulk runs
	// make progress.
	snoozeAfter = 20 * time.Second
)

// Engine works on the runs of its kinds, alongside other engines on the same database. Runs of other
// kinds stay queued. All fields are required and must not change after Run is called.
type Engine struct {
	Store        app.ClusterStore
	Runs         *jobs.Executor // of this engine alone, as is Bulk
	Bulk         *jobs.Executor // for bulk runs, which have workers of their own
	Workers      int            // concurrent runs, besides bulk runs
	DrainTimeout time.Duration  // how long work may continue after Run's ctx has ended

	overrides overrides
}

// overrides replaces constants in tests, unless zero.
type overrides struct{ snoozeAfter, unknownAfter time.Duration }

// node is a running engine.
type node struct {
	*Engine
	log       *slog.Logger
	lifecycle jobs.Lifecycle
	fetchers  []*fetcher
	announce  chan struct{}  // holds one: the kinds must be announced
	failedAt  atomic.Int64   // when the last start of runs failed, in Unix nanoseconds
	working   sync.WaitGroup // the fetchers, and the workers that they start

	mu   sync.Mutex
	held map[attempt]bool
}

// attempt identifies an attempt of a run.
type attempt struct{ run, fencingToken int64 }

// isHeld reports whether a worker of this node works on an attempt.
func (n *node) isHeld(run app.ProcessRun) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.held[attempt{run.ID, run.FencingToken}]
}

// hold records that a worker works on an attempt, until the caller calls release.
func (n *node) hold(run app.ProcessRun) (release func()) {
	key := attempt{run.ID, run.FencingToken}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.held[key] = true
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.held, key)
	}
}

// Run works until ctx ends. Then it fetches no more runs and lets the work continue for DrainTimeout. It
// requeues runs that are still working after that, and returns when no work goes on, except work whose
// run has ended or that ignores its context.
//
// When hardStop ends, Run interrupts all work, requeues the runs without waiting for the work, and
// returns. The process must exit then, because the work may continue. While the database is
// unreachable, Run waits for it.
func (e *Engine) Run(ctx, hardStop context.Context) {
	lifecycle, end := jobs.StartLifecycle(ctx, hardStop, e.DrainTimeout)
	defer end()
	n := &node{
		Engine: e, log: e.Runs.Log, lifecycle: lifecycle,
		announce: make(chan struct{}, 1), held: make(map[attempt]bool),
	}
	n.fetchers = n.newFetchers()
	watching, stopWatching := context.WithCancel(lifecycle.Work)
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer stopWatching()
	// From before the first run until after the last.
	watchers.Go(func() { n.Runs.WatchCancellations(watching) })
	watchers.Go(func() { n.Bulk.WatchCancellations(watching) })
	for _, fetcher := range n.fetchers {
		n.working.Go(func() { fetcher.run(lifecycle.Fetch) })
	}
	watchers.Go(func() { n.announceKinds(lifecycle.Fetch) })
	watchers.Go(func() { n.followRegistry(lifecycle.Fetch) })
	watchers.Go(func() { n.rescueUnknown(lifecycle.Fetch) })
	for _, task := range n.tasks() {
		watchers.Go(func() { task.repeat(lifecycle.Fetch) })
	}
	<-lifecycle.Fetch.Done()
	n.awaitWork()
}

// newFetchers returns a fetcher for each queue. Quarantined runs share the slots of the others, but a node
// works on one of them at a time.
func (n *node) newFetchers() []*fetcher {
	runs := newFetcher(n, app.DefaultQueue, n.Runs, n.Workers)
	quarantine := newFetcher(n, app.QuarantineQueue, n.Runs, 1)
	quarantine.shares = runs
	bulk := newFetcher(n, app.BulkQueue, n.Bulk, bulkWorkers)
	bulk.snoozeAfter = cmp.Or(n.overrides.snoozeAfter, snoozeAfter)
	return []*fetcher{runs, quarantine, bulk}
}

// awaitWork waits until no work goes on, or until stopTimeout after the work was told to end.
func (n *node) awaitWork() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.working.Wait()
	}()
	select {
	case <-done:
		return
	case <-n.lifecycle.Work.Done():
	}
	timeout := time.NewTimer(stopTimeout)
	defer timeout.Stop()
	select {
	case <-done:
	case <-timeout.C:
		n.log.Warn("the work did not stop in time")
	}
}

// followRegistry applies changes of the kinds until ctx ends.
func (n *node) followRegistry(ctx context.Context) {
	replaced, unsubscribe := n.Runs.Registry.Changed().Subscribe()
	defer unsubscribe()
	for {
		n.Store.ApplyDefinitions() // also at first: the kinds may have been replaced before it subscribed
		for _, fetcher := range n.fetchers {
			fetcher.wakeUp()
		}
		select {
		case <-ctx.Done():
			return
		case <-replaced:
		}
		n.announceNow()
	}
}
