package cluster

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"runboard/app"
	"runboard/jobs"
)

const (
	// fetchCooldown is the shortest time between two fetches. Under load, each fetch finds as many jobs as
	// there are free slots.
	fetchCooldown = 5 * time.Millisecond
	// pollInterval is how often a fetcher fetches without a notification. The store notifies of all jobs that
	// are due; polling is a precaution.
	pollInterval = 30 * time.Second
	// maxFetch is the most jobs of one fetch. Its statement locks their runs until it is committed, and while it
	// executes, another one can end the runs of the fetch before.
	maxFetch = 50
)

// fetcher fetches the jobs of a queue, and has workers work on their runs.
type fetcher struct {
	node     *node
	queue    string
	executor *jobs.Executor
	slots    chan struct{} // semaphore for concurrent runs
	// shares is the fetcher of whose slots each run takes one, besides its own; nil: it needs none.
	shares *fetcher
	// snoozeAfter is how long to work on a run before it is snoozed; 0: until the work ends.
	snoozeAfter time.Duration

	wake chan struct{} // holds one: there may be jobs
	more atomic.Bool   // there may be more jobs than free slots

	mu       sync.Mutex
	starting map[int64]bool // the jobs that workers are about to start
}

func newFetcher(n *node, queue string, executor *jobs.Executor, workers int) *fetcher {
	return &fetcher{
		node: n, queue: queue, executor: executor, slots: make(chan struct{}, workers),
		wake: make(chan struct{}, 1), starting: map[int64]bool{},
	}
}

// wakeUp has the fetcher fetch soon.
func (f *fetcher) wakeUp() {
	select {
	case f.wake <- struct{}{}:
	default: // it is awake
	}
}

// run fetches until ctx ends.
func (f *fetcher) run(ctx context.Context) {
	added, unsubscribe := f.node.Store.JobsAdded(f.queue).Subscribe()
	defer unsubscribe()
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		if jobs.Sleep(ctx, f.fetch(ctx)) != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-added:
		case <-f.wake:
		case <-poll.C:
		}
	}
}

// fetch starts as many runs as there are free slots, and has workers work on them. It returns how long to
// pause before the next fetch.
func (f *fetcher) fetch(ctx context.Context) (pause time.Duration) {
	lease, err := f.node.Store.Lease()
	if err != nil {
		f.wakeUp()
		return tick
	}
	f.more.Store(true) // before it looks for slots, so that it hears of each that becomes free later
	free := f.takeSlots(ctx)
	if free == 0 {
		return fetchCooldown
	}
	request := app.JobRequest{
		Queue: f.queue, Kinds: f.kinds(), Most: free + f.startingCount(), Slots: free,
	}
	started, left, err := f.node.Store.StartJobs(ctx, request)
	if err != nil {
		f.node.startFailed()
		f.releaseSlots(free)
		if ctx.Err() == nil {
			level := app.RepeatedLevel(err)
			f.node.log.Log(ctx, level, "runs cannot be fetched", "queue", f.queue, "error", err)
		}
		return tick
	}
	f.more.Store(len(started)+len(left) == request.Most)
	for _, run := range started {
		f.node.working.Go(func() {
			defer f.releaseSlots(1)
			f.work(lease, run)
		})
	}
	free -= len(started)
	for _, job := range left {
		if free == 0 || !f.claim(job) {
			continue
		}
		free--
		f.node.working.Go(func() {
			defer f.releaseSlots(1)
			f.startAndWork(lease, job)
		})
	}
	f.putSlots(free)
	if request.Most >= maxFetch && f.more.Load() { // there may be slots left
		f.wakeUp()
		return 0
	}
	return fetchCooldown
}

// kinds returns the kinds of runs to fetch: all that the node works on, but the paused ones.
func (f *fetcher) kinds() []string {
	paused := f.node.Store.PausedKinds()
	return slices.DeleteFunc(f.executor.Registry.Names(), func(kind string) bool {
		return slices.Contains(paused, kind)
	})
}

// takeSlots takes the free slots, at most maxFetch, and returns how many there were. It waits for a slot that
// the run of another queue may have, until ctx ends.
func (f *fetcher) takeSlots(ctx context.Context) (taken int) {
	for taken < maxFetch {
		select {
		case f.slots <- struct{}{}:
			taken++
			continue
		default:
		}
		break
	}
	if f.shares == nil || taken == 0 {
		return taken
	}
	select {
	case f.shares.slots <- struct{}{}: // it has one slot of its own
		return taken
	case <-ctx.Done():
		<-f.slots
		return 0
	}
}

// putSlots returns slots that have not been used.
func (f *fetcher) putSlots(count int) {
	for range count {
		<-f.slots
		if f.shares != nil {
			f.shares.releaseSlots(1)
		}
	}
}

// releaseSlots returns slots, and has their fetcher fetch if there may be jobs for them.
func (f *fetcher) releaseSlots(count int) {
	f.putSlots(count)
	if f.more.Load() {
		f.wakeUp()
	}
}

// claim reports whether no worker is about to start the job. If so, the caller must call startAndWork.
func (f *fetcher) claim(job app.WaitingJob) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.starting[job.ID] {
		return false
	}
	f.starting[job.ID] = true
	return true
}

// unclaim ends a claim.
func (f *fetcher) unclaim(job app.WaitingJob) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.starting, job.ID)
}

func (f *fetcher) startingCount() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.starting)
}
