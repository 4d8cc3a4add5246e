package jobs

import (
	"context"
	"time"

	"runboard/app"
)

// dispatcher hands due runs to workers. It reserves nothing in the database: one process owns the file, so
// the runs in flight are known here, and the start of each run is committed before its work begins. The
// goroutine of dispatch owns the fields below done.
type dispatcher struct {
	queue  *Queue
	runs   chan app.ProcessRun // started runs for the workers; has room for one run for each
	events chan workerEvent    // from the workers; has room for one event of each, and one of the saver
	done   chan struct{}       // closed when no event is received any more

	prefetched prefetch
	inFlight   inFlight
	notBefore  time.Time // no run starts before, because the last start failed
}

// inFlight holds the runs that are assigned to workers, until everything about them is committed.
type inFlight struct {
	runs        map[int64]app.ProcessRun
	limits      *limits
	quarantined int64 // the run in the quarantine lane, or 0
	workers     int   // busy workers
}

func (f *inFlight) add(run app.ProcessRun, quarantined bool) {
	f.runs[run.ID] = run
	f.limits.add(run)
	f.workers++
	if quarantined {
		f.quarantined = run.ID
	}
}

// remove removes a run. It reports whether the run has kept others of its kind from starting.
func (f *inFlight) remove(id int64) (wasFull bool) {
	if run, assigned := f.runs[id]; assigned {
		wasFull = f.limits.remove(run)
	}
	delete(f.runs, id)
	if f.quarantined == id {
		f.quarantined = 0
	}
	return wasFull
}

// workerEvent is what happened to runs in flight.
type workerEvent struct {
	idle    int     // workers that have become idle
	saved   []int64 // runs about which everything is committed, so that a fetch cannot return them
	refetch bool    // some of these runs may be due again
}

func newDispatcher(q *Queue) *dispatcher {
	return &dispatcher{
		queue:      q,
		runs:       make(chan app.ProcessRun, q.Workers),
		events:     make(chan workerEvent, q.Workers+1),
		done:       make(chan struct{}),
		prefetched: prefetch{enqueueSeq: -1},
		inFlight: inFlight{
			runs: make(map[int64]app.ProcessRun, q.Workers), limits: newLimits(q.Executor.Registry),
		},
	}
}

// dispatch keeps the workers busy until ctx ends.
func (d *dispatcher) dispatch(ctx context.Context) {
	notifications, unsubscribe := d.queue.Store.Changed().Subscribe()
	defer unsubscribe()
	replaced, unsubscribeKinds := d.queue.Executor.Registry.Changed().Subscribe()
	defer unsubscribeKinds()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	defer close(d.done)
	for ctx.Err() == nil {
		d.fill(ctx)
		select {
		case <-ctx.Done():
		case <-notifications:
		case <-ticker.C:
			d.prefetched.invalidate() // no notification comes when an older run becomes due
		case <-replaced:
			d.prefetched.invalidate()
		case first := <-d.events:
			d.drainEvents(first)
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

// drainEvents applies the event and all others that have arrived, so that runs that end together are
// replaced by one start.
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
	d.inFlight.workers -= event.idle
	for _, id := range event.saved {
		if d.inFlight.remove(id) {
			d.prefetched.invalidate() // the oldest run that waited for it was not fetched
		}
	}
	if event.refetch {
		d.prefetched.setIncomplete()
	}
}

// idle returns the number of workers that can take a run now.
func (d *dispatcher) idle() int {
	if time.Now().Before(d.notBefore) {
		return 0
	}
	return d.queue.Workers - d.inFlight.workers
}

// fill starts the oldest due runs on the idle workers. It fetches only if the prefetched runs are not enough
// and more may have come, or if a run was requeued that may be older.
func (d *dispatcher) fill(ctx context.Context) {
	store, idle := d.queue.Store, d.idle()
	if idle > 0 && len(d.prefetched.runs) >= idle && d.prefetched.inOrder(store) {
		d.start()
	}
	if d.idle() > 0 && (d.prefetched.complete(store) || d.fetch(ctx)) {
		d.start()
	}
}

// fetch reads the oldest due runs and reports whether that succeeded.
func (d *dispatcher) fetch(ctx context.Context) bool {
	err := d.prefetched.fetch(ctx, d.queue, &d.inFlight)
	if err != nil && ctx.Err() == nil {
		// The next tick tries again.
		d.queue.Executor.Log.Log(ctx, app.RepeatedLevel(err), "due runs cannot be fetched", "error", err)
	}
	return err == nil
}

// start commits the start of prefetched runs, which costs little more than to start one, and hands them to
// idle workers. The commit comes before the work, so that a run that kills the process is found started, and
// the crash counts against it.
func (d *dispatcher) start() {
	runs := d.prefetched.take(d.idle(), d.queue.MaxCrashes, &d.inFlight)
	if len(runs) == 0 {
		return
	}
	// Without a deadline: a start that is given up may be committed all the same, and then no worker would
	// have the run. The store answers as soon as it knows.
	started, err := d.queue.Store.StartMany(context.Background(), runs)
	if err != nil {
		d.queue.Executor.Log.Warn("runs could not be started", "runs", len(runs), "error", err)
		d.notBefore = time.Now().Add(tick) // try again, but do not spin
	}
	isStarted := make(map[int64]bool, len(runs))
	for _, run := range started {
		isStarted[run.ID] = true
		d.runs <- run
	}
	for _, run := range runs {
		if !isStarted[run.ID] { // it was cancelled meanwhile, or the start failed
			d.apply(workerEvent{idle: 1, saved: []int64{run.ID}, refetch: true})
		}
	}
}
