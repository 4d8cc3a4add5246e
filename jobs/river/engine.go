// Package river is the engine for several nodes that share one PostgreSQL database. It relies on
// River only for exclusive delivery of jobs and for redelivery after a worker is lost. The store
// holds the state of runs.
package river

import (
	"cmp"
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"runboard/app"
	"runboard/jobs"
)

const (
	// tick is how long the node pauses after a failed query.
	tick = time.Second
	// fetchCooldown is the shortest time between two fetches of River. Under load, each fetch finds as
	// many jobs as there are idle workers.
	fetchCooldown = 5 * time.Millisecond
	// fetchPollInterval is how often River fetches without a notification. The store notifies within a second of
	// each job that is due, even if a notification is lost, but not of maintenance.
	fetchPollInterval = 30 * time.Second
	// jobRetention is how long River keeps finished jobs. Runs have a history of their own.
	jobRetention = time.Hour
	// stopTimeout is how long River may take to stop after the engine has interrupted the work.
	stopTimeout = 10 * time.Second
	// bulkWorkers is how many bulk runs a node works on at once.
	bulkWorkers = 4
)

// Engine works on the runs of its kinds, alongside other engines on the same database. Runs of other
// kinds stay queued. All fields are required and must not change after Run is called.
type Engine struct {
	Pool         *pgxpool.Pool // of the store's database
	Store        app.ClusterStore
	Runs         *jobs.Executor // of this engine alone, as is Bulk
	Bulk         *jobs.Executor // for bulk runs, which have workers of their own
	Workers      int            // concurrent runs, besides bulk runs; at most river.QueueNumWorkersMax
	DrainTimeout time.Duration  // how long work may continue after Run's ctx has ended

	overrides overrides
}

// overrides replaces constants in tests, unless zero.
type overrides struct{ snoozeAfter, forgottenAfter time.Duration }

// node is a running engine.
type node struct {
	*Engine
	log       *slog.Logger
	lifecycle jobs.Lifecycle
	slots     chan struct{} // semaphore for concurrent runs, shared by all kinds but bulk runs
	kinds     *runKinds
	started   startedRuns
	announce  chan struct{} // holds one: the kinds must be announced

	mu   sync.Mutex
	held map[int64]int // number of deliveries that handlers hold, by job
}

// isHeld reports whether a handler holds a delivery of the job.
func (n *node) isHeld(job int64) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.held[job] > 0
}

// hold records a delivery of the job until the caller calls release. before reports whether another
// delivery is held.
func (n *node) hold(job int64) (release func(), before bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before = n.held[job] > 0
	n.held[job]++
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.held[job]--
		if n.held[job] == 0 {
			delete(n.held, job)
		}
	}, before
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
		slots: make(chan struct{}, e.Workers), held: make(map[int64]int),
		kinds: newRunKinds(e.Store, e.Runs.Registry), announce: make(chan struct{}, 1),
		started: startedRuns{runs: make(map[int64]startedRun)},
	}
	watching, stopWatching := context.WithCancel(lifecycle.Work)
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer stopWatching()
	// From before the first job until after the last.
	watchers.Go(func() { n.Runs.WatchCancellations(watching) })
	watchers.Go(func() { n.Bulk.WatchCancellations(watching) })
	deadline, release := stopDeadline(lifecycle.Work)
	defer release()
	client := n.start(deadline)
	if client == nil {
		return
	}
	watchers.Go(func() { n.announceKinds(lifecycle.Fetch) })
	watchers.Go(func() { n.followRegistry(lifecycle.Fetch) })
	watchers.Go(func() { n.releaseForgottenJobs(lifecycle.Fetch) })
	<-lifecycle.Fetch.Done()
	if err := client.Stop(deadline); err != nil {
		n.log.Warn("River did not stop in time", "error", err)
	}
}

// stopDeadline returns a context that ends stopTimeout after working has ended. The caller must call release.
func stopDeadline(working context.Context) (deadline context.Context, release func()) {
	deadline, end := context.WithCancel(context.Background())
	unhook := context.AfterFunc(working, func() {
		if jobs.Sleep(deadline, stopTimeout) == nil {
			end()
		}
	})
	return deadline, func() {
		unhook()
		end()
	}
}

// start returns a started client, or nil if the node stops fetching before the database is reachable.
// After the start, River itself waits for the database.
func (n *node) start(deadline context.Context) *river.Client[pgx.Tx] {
	for wait := tick; ; wait = min(2*wait, 5*time.Second) {
		client, err := river.NewClient(driver{riverpgxv5.New(n.Pool), n}, n.config())
		if err == nil {
			err = n.Pool.Ping(n.lifecycle.Fetch) // River would retry without end
		}
		if err == nil {
			err = n.startClient(client, deadline)
		}
		if err == nil {
			return client
		}
		if jobs.Sleep(n.lifecycle.Fetch, wait) != nil {
			return nil
		}
		n.log.Error("River cannot be started", "error", err)
	}
}

// startClient starts a client. If the database fails meanwhile, River may have fetched jobs already. It
// then returns only after these have ended and it has long tried to save their results, so startClient
// gives up at the deadline.
func (n *node) startClient(client *river.Client[pgx.Tx], deadline context.Context) error {
	started := make(chan error, 1)
	go func() { started <- client.Start(n.lifecycle.Work) }() // fetched jobs continue after fetching stops
	select {
	case err := <-started:
		return err
	case <-deadline.Done():
		return deadline.Err() // if it starts later, its context has ended
	}
}

func (n *node) config() *river.Config {
	return &river.Config{
		ID: strconv.FormatInt(n.Store.Node(), 10), // the store finds the jobs of a lost node by this ID
		Queues: map[string]river.QueueConfig{
			app.DefaultQueue:    {MaxWorkers: n.Workers, FetchPollInterval: fetchPollInterval},
			app.QuarantineQueue: {MaxWorkers: 1, FetchPollInterval: fetchPollInterval},
			app.BulkQueue:       {MaxWorkers: bulkWorkers, FetchPollInterval: fetchPollInterval},
			maintenanceQueue:    {MaxWorkers: len(tasks(n)), FetchPollInterval: fetchPollInterval},
		},
		Workers:              n.workers(),
		PeriodicJobs:         periodicJobs(n),
		FetchOnlyKnownKinds:  true,
		FetchCooldown:        fetchCooldown,
		JobTimeout:           n.lostAfter(), // see also jobHandler.Timeout
		RescueStuckJobsAfter: n.lostAfter(),
		RetryPolicy:          retryInPlace{},
		ReindexerIndexNames:  []string{"river_job_prioritized_fetching_index"}, // others are dropped, or small

		CompletedJobRetentionPeriod: jobRetention,
		CancelledJobRetentionPeriod: jobRetention,
		DiscardedJobRetentionPeriod: jobRetention,

		Logger:       slog.New(riverLog{n.log.Handler(), n.lifecycle.Fetch}),
		ErrorHandler: panicLog{n.log},
	}
}

// workers returns River's workers: one for all kinds of runs, one for each bulk operation and one for each
// maintenance task.
func (n *node) workers() *river.Workers {
	all := river.NewWorkers()
	runs := &jobHandler{node: n, executor: n.Runs, slots: n.slots}
	river.AddWorkerArgs(all, app.Job{}, river.Worker[app.Job](runs))
	for _, name := range n.Bulk.Registry.Names() {
		after := cmp.Or(n.overrides.snoozeAfter, snoozeAfter)
		handler := &jobHandler{node: n, executor: n.Bulk, snoozeAfter: after}
		river.AddWorkerArgs(all, app.Job{RunKind: name}, river.Worker[app.Job](handler))
	}
	for _, task := range tasks(n) {
		river.AddWorkerArgs(all, task.args, river.Worker[taskArgs](task))
	}
	return all
}

// lostAfter returns when River considers a worker lost: after the longest time that a run of any kind may
// take. This is the last resort for jobs that are lost although their node is alive. A run that takes longer,
// on a node with other settings, continues.
func (n *node) lostAfter() time.Duration {
	timeout := n.Runs.RunTimeout
	for _, kind := range n.Runs.Registry.Kinds() {
		timeout = max(timeout, n.Runs.Timeout(kind.Name))
	}
	return max(minLostAfter, slotTimeout+timeout+jobs.CancelGrace+margin)
}

// retryInPlace is a retry policy that keeps the position of a job whose worker was lost. River overrides
// it after a panic and then waits for a second at first.
type retryInPlace struct{}

// NextRetry implements river.ClientRetryPolicy.
func (retryInPlace) NextRetry(job *rivertype.JobRow) time.Time { return job.ScheduledAt }
