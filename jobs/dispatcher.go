package jobs

import (
	"context"
	"slices"
	"sync"
	"time"

	"runboard/app"
)

// prefetchFactor is how many due runs are fetched at once, as a multiple of the workers.
const prefetchFactor = 8

// dispatcher hands due runs to workers. It reserves nothing in the database: one process owns the file, so the runs in flight
// are known here, and the start of each run is committed before its work begins. All fields without a channel are owned by
// the goroutine of dispatch.
type dispatcher struct {
	queue    *Queue
	executor *Executor           // shared by the workers
	runs     chan app.ProcessRun // from dispatcher to workers; has room for one run for each
	events   chan workerEvent    // from workers to dispatcher
	done     chan struct{}       // closed when no event is received any more
	starter  sync.WaitGroup      // the goroutine that starts runs

	inFlight    map[int64]app.ProcessRun // assigned runs, until everything about them is committed
	interrupted int                      // runs in flight that a crash had interrupted before
	busy        int                      // workers that have a run or will get one
	starting    bool                     // runs are being started
	notBefore   time.Time                // no run is assigned before, because the last start failed
	barrier     barrier

	prefetched []app.ProcessRun // due runs that were fetched and not assigned, oldest first
	requeueSeq int64            // QueueStore.RequeueSeq before the fetch
	enqueueSeq int64            // QueueStore.EnqueueSeq before the fetch, if it returned all due runs; else -1
	skipped    int              // prefetched runs that admission held back
}

// workerEvent is what happened to runs in flight.
type workerEvent struct {
	started bool    // the runs that were being started are started, or cannot be
	idle    int     // workers that have become idle
	saved   []int64 // runs about which everything is committed, so that fetch no longer returns them by mistake
	refetch bool    // some of these runs may be due again
	failed  bool    // they could not be started, and others probably could not either
}

func newDispatcher(q *Queue) *dispatcher {
	return &dispatcher{
		queue:      q,
		runs:       make(chan app.ProcessRun, q.Workers),
		events:     make(chan workerEvent, q.Workers),
		done:       make(chan struct{}),
		enqueueSeq: -1,
		inFlight:   make(map[int64]app.ProcessRun, q.Workers),
		executor: &Executor{
			Store: q.Store, Registry: q.Registry, MaxAttempts: q.MaxAttempts, RunTimeout: q.RunTimeout,
			LogLimit: q.LogLimit, Log: q.Log,
		},
	}
}

// dispatch keeps the workers busy until ctx ends.
func (d *dispatcher) dispatch(ctx context.Context) {
	notifications, unsubscribe := d.queue.Store.Changed().Subscribe()
	defer unsubscribe()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	defer close(d.done)
	for ctx.Err() == nil {
		d.fill(ctx)
		select {
		case <-ctx.Done():
		case <-notifications:
			d.executor.CheckCancellations(ctx)
		case <-ticker.C:
			d.invalidate() // no notification comes when an older run becomes due
			d.executor.CheckCancellations(ctx)
		case first := <-d.events:
			d.drainEvents(first)
		}
	}
}

// watchCancellations cancels runs in flight on request until ctx ends. It takes over from dispatch while the queue drains: a
// cancel that the store has accepted must reach its run as long as the work goes on.
func (d *dispatcher) watchCancellations(ctx context.Context) {
	notifications, unsubscribe := d.queue.Store.Changed().Subscribe()
	defer unsubscribe()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		d.executor.CheckCancellations(ctx)
		select {
		case <-ctx.Done():
			return
		case <-notifications:
		case <-ticker.C:
		}
	}
}

// send sends an event to the dispatcher. Workers call it.
func (d *dispatcher) send(event workerEvent) {
	select {
	case d.events <- event:
	case <-d.done:
	}
}

// drainEvents applies the event and all others that have arrived, so that runs that end together are replaced by one start.
func (d *dispatcher) drainEvents(event workerEvent) {
	d.apply(event)
	for {
		select {
		case event = <-d.events:
			d.apply(event)
		default:
			return
		}
	}
}

func (d *dispatcher) apply(event workerEvent) {
	d.busy -= event.idle
	if event.started {
		d.starting = false
	}
	for _, id := range event.saved {
		d.untrack(id)
	}
	if event.failed {
		d.notBefore = time.Now().Add(tick) // try again, but do not spin
	}
	if event.refetch {
		d.enqueueSeq = -1
	}
}

// untrack removes a run from those in flight.
func (d *dispatcher) untrack(id int64) {
	if d.inFlight[id].Interrupted() {
		d.interrupted--
	}
	delete(d.inFlight, id)
}

// fill assigns the oldest due runs to idle workers. It fetches only if the prefetched runs are not enough and more may have
// come, or if a run was requeued that may be older.
func (d *dispatcher) fill(ctx context.Context) {
	if d.full() || d.starting || time.Now().Before(d.notBefore) {
		return
	}
	enough := d.requeueSeq == d.queue.Store.RequeueSeq() && len(d.prefetched) >= d.idle()
	if enough || d.caughtUp() || d.fetch(ctx) {
		d.assign()
	}
	if enough && !d.caughtUp() && !d.full() && !d.starting && d.fetch(ctx) {
		d.assign()
	}
}

func (d *dispatcher) idle() int  { return d.queue.Workers - d.busy }
func (d *dispatcher) full() bool { return d.idle() == 0 }

// caughtUp reports whether the last fetch returned all runs that are due.
func (d *dispatcher) caughtUp() bool { return d.enqueueSeq == d.queue.Store.EnqueueSeq() }

// invalidate has the next fill fetch before it assigns anything.
func (d *dispatcher) invalidate() { d.requeueSeq, d.enqueueSeq = -1, -1 }

// fetch reads the oldest due runs and reports whether that succeeded.
func (d *dispatcher) fetch(ctx context.Context) bool {
	// Read before the runs, so that a run that comes meanwhile is fetched the next time.
	requeueSeq, enqueueSeq := d.queue.Store.RequeueSeq(), d.queue.Store.EnqueueSeq()
	// More than the workers can take: runs in flight may still be due in the database, and runs that admission holds back
	// must not hide the ones behind them.
	limit := prefetchFactor*d.queue.Workers + d.skipped
	due, err := d.queue.Store.FetchDue(ctx, d.queue.Registry.names, limit)
	if err != nil {
		if ctx.Err() == nil {
			d.queue.Log.Error("due runs cannot be fetched", "error", err) // the next tick tries again
		}
		d.invalidate() // prefetched runs must not start before an older one
		return false
	}
	more := len(due) == limit
	d.prefetched = slices.DeleteFunc(due, func(run app.ProcessRun) bool {
		mine, assigned := d.inFlight[run.ID]
		more = more || assigned && mine.Version != run.Version // requeued before its worker has reported that
		return assigned
	})
	d.requeueSeq, d.enqueueSeq = requeueSeq, enqueueSeq
	if more {
		d.enqueueSeq = -1
	}
	return true
}

// assign gives prefetched runs to idle workers. They are started together, which costs little more than to start one.
func (d *dispatcher) assign() {
	runs := d.pick()
	if len(runs) > 0 {
		d.starting = true // until then, workers that become idle wait for the next start
		d.starter.Go(func() { d.startMany(runs) })
	}
}

// pick removes from the prefetched runs those that start now.
func (d *dispatcher) pick() (picked []app.ProcessRun) {
	d.skipped = 0
	kept, exclusive := d.prefetched[:0], d.exclusiveActive()
	for i, run := range d.prefetched {
		admission := blockAll
		if !d.full() && !exclusive {
			admission = d.admit(run)
		}
		switch admission {
		case admitted:
			d.inFlight[run.ID] = run
			d.busy++
			if run.Interrupted() {
				d.interrupted++
			}
			picked = append(picked, run)
			exclusive = d.finalAttempt(run)
		case skipped:
			d.skipped++
			kept = append(kept, run)
		case blockAll:
			d.prefetched = append(kept, d.prefetched[i:]...)
			return picked
		}
	}
	d.prefetched = kept
	return picked
}

// startMany commits the start of runs and hands those to workers that are started.
func (d *dispatcher) startMany(runs []app.ProcessRun) {
	started, err := d.queue.startMany(runs)
	if err != nil {
		d.queue.Log.Warn("runs could not be started", "runs", len(runs), "error", err)
	}
	isStarted := make(map[int64]bool, len(runs))
	for _, run := range started {
		isStarted[run.ID] = true
		d.runs <- run
	}
	event := workerEvent{started: true, failed: err != nil}
	for _, run := range runs {
		if !isStarted[run.ID] { // it was cancelled meanwhile, or the start failed
			event.idle++
			event.saved, event.refetch = append(event.saved, run.ID), true
		}
	}
	d.send(event)
}

// admission says whether a due run may start now.
type admission int

const (
	admitted admission = iota
	skipped            // not now, but runs behind it may start
	blockAll           // not now, and no other run may start, so that it can start soon
)

// admit decides whether a run may join those in flight. A run that a crash interrupted may have caused the crash. A few such
// runs start at a time, so that few are in flight when it happens again. One that the next crash would fail starts alone, so
// that only its own crash can fail it; other starts are blocked for that, but not for ever.
func (d *dispatcher) admit(run app.ProcessRun) admission {
	switch {
	case !run.Interrupted():
		return admitted
	case d.finalAttempt(run):
		switch {
		case d.atRisk() == 0:
			d.barrier = barrier{}
			return admitted
		case d.barrier.blocks(time.Now()):
			return blockAll
		}
		return skipped
	}
	if d.interrupted >= max(1, d.queue.Workers/5) {
		return skipped
	}
	return admitted
}

// finalAttempt reports whether the next crash would fail the run.
func (d *dispatcher) finalAttempt(run app.ProcessRun) bool {
	return run.Interrupted() && run.Crashes+1 >= d.queue.MaxCrashes
}

// atRisk returns the number of runs in flight that a crash would interrupt.
func (d *dispatcher) atRisk() (n int) {
	for id := range d.inFlight {
		if !d.executor.cancels.abandoned(id) {
			n++
		}
	}
	return n
}

// exclusiveActive reports whether a run is in flight that must run alone.
func (d *dispatcher) exclusiveActive() bool {
	if d.interrupted == 0 {
		return false
	}
	for _, run := range d.inFlight {
		if d.finalAttempt(run) && !d.executor.cancels.abandoned(run.ID) {
			return true
		}
	}
	return false
}
