// Package river does the work where several nodes share one PostgreSQL database. River hands out jobs, and a run that
// waits has one. What becomes of runs is the store's; River is believed in nothing but in who has got which job,
// and in that a job comes to somebody again whose worker is lost.
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
	// tick is how often wishes are read without being told, and how long to wait before the database is asked again that
	// could not be.
	tick = time.Second
	// heedAtMost is how long wishes are not read again, however often the bell rings: a person does not notice, and many
	// nodes ask.
	heedAtMost = 200 * time.Millisecond
	// fetchCooldown is how long River waits before it looks for jobs again. Under load it finds as many then as there are
	// workers.
	fetchCooldown = 5 * time.Millisecond
	// pollEvery is how often River looks for jobs of runs without being told: it does not tell of each that comes right
	// after another.
	pollEvery = 250 * time.Millisecond
	// keepJobs is how long River keeps jobs that are over. Nobody needs them: runs have a history of their own.
	keepJobs = time.Hour
	// stopTime is how long River may take to come to its end after the work has been interrupted. What it has not
	// written down by then, it finds out later.
	stopTime = 10 * time.Second
	// actionsAtOnce is how many runs that act on many others a node does at once.
	actionsAtOnce = 4
)

// Engine works on the runs of the kinds that it has, beside others like it on the same database, and leaves the other
// kinds waiting. All fields are required; they must not change once Run is called.
type Engine struct {
	Pool          *pgxpool.Pool // of the store's database
	Store         app.ClusterStore
	Registry      *jobs.Registry
	Actions       *jobs.Registry // the kinds of runs that act on many others: they do not wait behind these
	Workers       int            // runs worked on at once, beside actions; at most river.QueueNumWorkersMax
	MaxAttempts   int            // attempts that may end in an error or time-out; an action has one
	RunTimeout    time.Duration  // longest time for one attempt
	ActionTimeout time.Duration  // the same for an action, but nobody waits for that
	DrainTimeout  time.Duration  // how long work may go on when Run is stopped
	LogLimit      int64          // how many bytes of a run's log the store keeps; the default is 1 MiB
	Log           *slog.Logger

	pauseAfter     time.Duration // instead of the constants, for tests
	forgottenAfter time.Duration
}

// node is an engine that runs.
type node struct {
	*Engine
	lifecycle jobs.Lifecycle
	places    chan struct{} // holds one for each run that is worked on
	runs      *jobs.Executor
	actions   *jobs.Executor

	mu   sync.Mutex
	held map[int64]int // how often each job is in hand here
}

// isHeld reports whether a job is in hand.
func (n *node) isHeld(job int64) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.held[job] > 0
}

// hold notes that a job is in hand until release is called, and reports whether it was so before.
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

// Run works until ctx ends. Then it takes no more runs, lets the present ones go on for the drain time, gives back those
// that are not done by then, and returns when nobody works any more but those whose run has ended, or whose work
// does not heed its context. As soon as now ends, it interrupts what still goes on, gives it back without waiting
// for it, and returns: the process must end then, because the work may go on. While the database cannot be reached, it
// waits for it.
func (e *Engine) Run(ctx, now context.Context) {
	taking, stopTaking := context.WithCancel(ctx)
	defer stopTaking()
	working, interrupt := context.WithCancelCause(context.WithoutCancel(ctx))
	defer interrupt(jobs.ErrShutdown)
	defer context.AfterFunc(now, func() {
		stopTaking()
		interrupt(jobs.ErrShutdown)
	})()
	defer context.AfterFunc(taking, func() {
		_ = pause(working, e.DrainTimeout)
		interrupt(jobs.ErrShutdown)
	})()
	n := e.node(jobs.Lifecycle{Fetch: taking, Work: working, Grace: now})
	watching, stopWatching := context.WithCancel(working)
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer stopWatching()
	watchers.Go(func() { n.heed(watching) }) // from before the first job is handed out until after the last
	late, giveUp := overdue(working)
	defer giveUp()
	client := n.start(late)
	if client == nil {
		return
	}
	watchers.Go(func() { n.serve(taking) })
	watchers.Go(func() { n.remember(taking) })
	<-taking.Done()
	if err := client.Stop(late); err != nil { // else what it had handed out has come to an end, and that is written down
		n.Log.Warn("the jobs have not been put away in time", "error", err)
	}
}

// overdue returns a context that ends when River has had its time to come to an end after working has.
func overdue(working context.Context) (late context.Context, giveUp func()) {
	late, end := context.WithCancel(context.Background())
	forget := context.AfterFunc(working, func() {
		if pause(late, stopTime) == nil {
			end()
		}
	})
	return late, func() { forget(); end() }
}

func (e *Engine) node(phases jobs.Lifecycle) *node {
	return &node{
		Engine: e, lifecycle: phases, places: make(chan struct{}, e.Workers), held: make(map[int64]int),
		runs: &jobs.Executor{
			Store: e.Store, Registry: e.Registry, MaxAttempts: e.MaxAttempts, RunTimeout: e.RunTimeout,
			LogLimit: e.LogLimit, Log: e.Log,
		},
		actions: &jobs.Executor{
			Store: e.Store, Registry: e.Actions, MaxAttempts: 1, RunTimeout: e.ActionTimeout, Log: e.Log,
		},
	}
}

// start returns a client that runs, or nil when no more runs are to be taken before the database could be reached.
// Once it runs, River waits for the database by itself.
func (n *node) start(late context.Context) *river.Client[pgx.Tx] {
	for wait := tick; ; wait = min(2*wait, 5*time.Second) {
		client, err := river.NewClient(driver{riverpgxv5.New(n.Pool)}, n.config())
		if err == nil {
			err = n.Pool.Ping(n.lifecycle.Fetch) // which River does without an end
		}
		if err == nil {
			err = n.launch(client, late)
		}
		if err == nil {
			return client
		}
		if pause(n.lifecycle.Fetch, wait) != nil {
			return nil
		}
		n.Log.Error("the jobs cannot be reached", "error", err)
	}
}

// launch starts a client. When the database goes away in the middle of that, jobs may have been handed out by then, and
// River returns only when they are over, and that is written down or has been tried for long.
func (n *node) launch(client *river.Client[pgx.Tx], late context.Context) error {
	started := make(chan error, 1)
	go func() { started <- client.Start(n.lifecycle.Work) }() // what it has handed out goes on when no more is taken
	select {
	case err := <-started:
		return err
	case <-late.Done():
		return late.Err() // once it is started, if ever, it finds that nobody works any more
	}
}

func (n *node) config() *river.Config {
	return &river.Config{
		ID: strconv.FormatInt(n.Store.Node(), 10), // by which the store knows whose jobs are those of a lost node
		Queues: map[string]river.QueueConfig{
			app.DefaultQueue:    {MaxWorkers: n.Workers, FetchPollInterval: pollEvery},
			app.QuarantineQueue: {MaxWorkers: 1},
			app.BulkQueue:       {MaxWorkers: actionsAtOnce},
			upkeepQueue:         {MaxWorkers: len(chores(n))},
		},
		Workers:              n.workers(),
		PeriodicJobs:         periodic(n),
		FetchOnlyKnownKinds:  true,
		FetchCooldown:        fetchCooldown,
		JobTimeout:           n.lostAfter(),
		RescueStuckJobsAfter: n.lostAfter(),
		RetryPolicy:          inPlace{},

		CompletedJobRetentionPeriod: keepJobs,
		CancelledJobRetentionPeriod: keepJobs,
		DiscardedJobRetentionPeriod: keepJobs,

		Logger: app.MinLevel(n.Log, slog.LevelError), // it warns of what is usual here, such as a cancelled job
	}
}

// workers has one for each kind of run, and for each chore.
func (n *node) workers() *river.Workers {
	all := river.NewWorkers()
	for _, name := range n.Registry.Names() {
		river.AddWorkerArgs(all, app.Job{Work: name}, river.Worker[app.Job](&worker{node: n, jobs: n.runs, places: n.places}))
	}
	for _, name := range n.Actions.Names() {
		river.AddWorkerArgs(all, app.Job{Work: name}, river.Worker[app.Job](&worker{
			node: n, jobs: n.actions, pauseAfter: cmp.Or(n.pauseAfter, pauseAfter),
		}))
	}
	for _, chore := range chores(n) {
		river.AddWorkerArgs(all, chore.args, river.Worker[upkeep](chore))
	}
	return all
}

// lostAfter is when River takes a worker for lost: after all the time that a run may take. It is the last resort, for jobs that
// are lost although their node is alive. A run that takes longer, on a node with other settings, goes on all the same.
func (n *node) lostAfter() time.Duration {
	return max(lostAtLeast, placeTime+n.RunTimeout+jobs.CancelGrace+margin)
}

// inPlace is how River goes about a job whose worker is lost: it keeps its place in line. For a worker that panicked
// River does not take that, and waits a second at first.
type inPlace struct{}

func (inPlace) NextRetry(job *rivertype.JobRow) time.Time { return job.ScheduledAt }

// heed has runs stop that people have cancelled, until ctx ends. River tells of it too, but a lost notice must not matter.
func (n *node) heed(ctx context.Context) {
	rings, stop := n.Store.Changed().Subscribe()
	defer stop()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-rings:
		case <-ticker.C:
		}
		n.runs.CheckCancellations(ctx)
		n.actions.CheckCancellations(ctx)
		_ = pause(ctx, heedAtMost)
	}
}

// pause returns after d, or when ctx ends with the reason for that.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
