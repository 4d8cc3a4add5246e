package jobs

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"runboard/app"
)

// dispatcher hands waiting runs to workers. It claims nothing in the database: one process owns the
// file, so what is in flight is known here, and the start of each run is written by whoever does it.
type dispatcher struct {
	queue *Queue
	runs  chan app.ProcessRun // dispatcher to workers; never full: it has room for one for each
	news  chan news           // workers to dispatcher
	over  chan struct{}       // closed when nobody reads them any more

	inFlight map[int64]app.ProcessRun // owned by dispatch: from when they are handed out until all is written down
	suspects int                      // likewise: how many of them are
	taken    int                      // likewise: how many workers have one, or are to have it
	starting bool                     // likewise: some of these are being started
	starter  sync.WaitGroup           // who does that
	later    time.Time                // likewise: until then nothing is handed out, because nothing could be started
	hold     hold                     // likewise
	ahead    []app.ProcessRun         // likewise: those of the last look that have yet to be handed out, oldest first
	returned int64                    // likewise: what Returned said before that look
	arrived  int64                    // likewise: what Arrived said before it, when it found all that wait; or -1
	skipped  int                      // likewise: how many of ahead had to stand aside
	worker   *Worker                  // what the workers have in common
}

// news is what happens to runs in flight.
type news struct {
	started bool    // all that were being started are, or cannot be
	free    int     // how many workers have become free
	written []int64 // how these ended is written down: whoever looks for waiting runs cannot find them any more
	again   bool    // these may wait all the same: they are to be looked for
	faulty  bool    // they could not be started, as probably no others
}

func newDispatcher(q *Queue) *dispatcher {
	return &dispatcher{
		queue:    q,
		runs:     make(chan app.ProcessRun, q.Workers),
		news:     make(chan news, q.Workers),
		arrived:  -1,
		over:     make(chan struct{}),
		inFlight: make(map[int64]app.ProcessRun, q.Workers),
		worker: &Worker{
			Ledger: q.Backlog, Registry: q.Registry, MaxAttempts: q.MaxAttempts, RunTimeout: q.RunTimeout,
			LogLimit: q.LogLimit, Log: q.Log,
		},
	}
}

// dispatch keeps the workers busy until ctx ends.
func (d *dispatcher) dispatch(ctx context.Context) {
	rings, stop := d.queue.Backlog.Changed().Subscribe()
	defer stop()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	defer close(d.over)
	for ctx.Err() == nil {
		d.fill(ctx)
		select {
		case <-ctx.Done():
		case <-rings:
			d.worker.Heed(ctx)
		case <-ticker.C:
			d.forgetLook() // it is not told when a run becomes due that comes before them
			d.worker.Heed(ctx)
		case first := <-d.news:
			d.heed(first)
		}
	}
}

// heedCancels cancels the runs in flight whose cancellation is requested, until ctx ends. It takes over from dispatch while the
// queue drains: a cancel that the store has accepted must reach its run as long as the run works.
func (d *dispatcher) heedCancels(ctx context.Context) {
	rings, stop := d.queue.Backlog.Changed().Subscribe()
	defer stop()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		d.worker.Heed(ctx)
		select {
		case <-ctx.Done():
			return
		case <-rings:
		case <-ticker.C:
		}
	}
}

// forget takes a run out of those in flight.
func (d *dispatcher) forget(id int64) {
	if d.inFlight[id].Interrupted() {
		d.suspects--
	}
	delete(d.inFlight, id)
}

// tell has the dispatcher know. Workers may call it.
func (d *dispatcher) tell(n news) {
	select {
	case d.news <- n:
	case <-d.over:
	}
}

// lookAhead is for how many times the workers waiting runs are read at once.
const lookAhead = 8

// heed applies the event and all others that have arrived: what ends together is replaced by one start of many.
func (d *dispatcher) heed(next news) {
	d.note(next)
	for {
		select {
		case next = <-d.news:
			d.note(next)
		default:
			return
		}
	}
}

func (d *dispatcher) note(n news) {
	d.taken -= n.free
	d.starting = d.starting && !n.started
	for _, id := range n.written {
		d.forget(id)
	}
	if n.faulty {
		d.later = time.Now().Add(tick) // it is taken up again: not at once, it might spin
	}
	if n.again {
		d.arrived = -1
	}
}

// fill gives the free workers the oldest waiting runs. It looks for them in the database only when those of the
// last look are not enough and more may have come, or when a run has come back to wait that may be older. One of them
// that has been cancelled meanwhile cannot be started.
func (d *dispatcher) fill(ctx context.Context) {
	if d.full() || d.starting || time.Now().Before(d.later) {
		return
	}
	enough := d.returned == d.queue.Backlog.RequeueSeq() && len(d.ahead) >= d.free()
	if enough || d.knowsAll() || d.look(ctx) {
		d.handOut()
	}
	if enough && !d.knowsAll() && !d.full() && !d.starting && d.look(ctx) {
		d.handOut()
	}
}

func (d *dispatcher) free() int  { return d.queue.Workers - d.taken }
func (d *dispatcher) full() bool { return d.free() == 0 }

// knowsAll reports whether no run waits that the last look has not found.
func (d *dispatcher) knowsAll() bool { return d.arrived == d.queue.Backlog.EnqueueSeq() }

// forgetLook has the waiting runs looked for before any is handed out.
func (d *dispatcher) forgetLook() { d.returned, d.arrived = -1, -1 }

// look reads the oldest waiting runs, and reports whether it could.
func (d *dispatcher) look(ctx context.Context) bool {
	// Before the look: one that comes meanwhile is looked for again.
	returned, arrived := d.queue.Backlog.RequeueSeq(), d.queue.Backlog.EnqueueSeq()
	// Many times as many as could be taken: those in flight may still be waiting in the database, at the
	// head of the line, and the rest need not be looked for soon. And past those who stand aside, or else they would stop all others.
	limit := lookAhead*d.queue.Workers + d.skipped
	waiting, err := d.queue.Backlog.FetchDue(ctx, d.queue.Registry.names, limit)
	if err != nil {
		if ctx.Err() == nil {
			d.queue.Log.Error("waiting runs cannot be read", "error", err) // the next tick tries again
		}
		d.forgetLook() // nor may those of the last look be handed out before one that is older
		return false
	}
	more := len(waiting) == limit
	d.ahead = slices.DeleteFunc(waiting, func(run app.ProcessRun) bool {
		mine, taken := d.inFlight[run.ID]
		more = more || taken && mine.Version != run.Version // it is back, before its worker could say so
		return taken
	})
	if d.returned, d.arrived = returned, arrived; more {
		d.arrived = -1
	}
	return true
}

// handOut gives runs that were found to workers, while there are both, and keeps the others.
func (d *dispatcher) handOut() {
	d.start(d.choose())
}

// choose takes from the runs that were found those that are to be done now.
func (d *dispatcher) choose() (chosen []app.ProcessRun) {
	d.skipped = 0
	kept, mustWait := d.ahead[:0], d.mustWait()
	chosen = make([]app.ProcessRun, 0, min(d.free(), len(d.ahead)))
	for i, run := range d.ahead {
		verdict := holdAll
		if !d.full() && !mustWait {
			verdict = d.admit(run)
		}
		switch verdict {
		case admitted:
			d.inFlight[run.ID] = run
			d.taken++
			if run.Interrupted() {
				d.suspects++
			}
			chosen, mustWait = append(chosen, run), d.lastChance(run)
		case skipped:
			d.skipped++
			kept = append(kept, run)
		case holdAll:
			d.ahead = append(kept, d.ahead[i:]...)
			return chosen
		}
	}
	d.ahead = kept
	return chosen
}

// start hands runs to workers. Those that do not rest before are started on the way, all together: that costs little
// more than to start one. Workers that become free meanwhile have to wait for company, and the next start.
func (d *dispatcher) start(chosen []app.ProcessRun) {
	atOnce := chosen[:0]
	for _, run := range chosen {
		if d.queue.Registry.kinds[run.Kind].DelayMax > 0 {
			d.runs <- run
		} else {
			atOnce = append(atOnce, run)
		}
	}
	if len(atOnce) > 0 {
		d.starting = true
		d.starter.Go(func() { d.startAll(atOnce) })
	}
}

// startAll hands runs to workers when it is written down that they are started, and tells of those that are not.
func (d *dispatcher) startAll(runs []app.ProcessRun) {
	started, err := d.queue.startAll(runs)
	if err != nil {
		d.queue.Log.Warn("runs could not be started", "runs", len(runs), "error", err)
	}
	isStarted := make(map[int64]bool, len(runs))
	for _, run := range started {
		isStarted[run.ID] = true
		d.runs <- run
	}
	left := news{started: true, faulty: err != nil} // those that could not be, or were cancelled meanwhile
	for _, run := range runs {
		if !isStarted[run.ID] {
			left.free++
			left.written, left.again = append(left.written, run.ID), true
		}
	}
	d.tell(left)
}

type verdict int

const (
	admitted verdict = iota
	skipped          // not now, but others may go
	holdAll          // not now, and nobody else for a while, so that it can
)

// admit decides whether a run may join those in flight. Any run that a crash has interrupted may be
// the one that caused it. These go a few at a time, so that few are there when it happens again;
// and one that another crash would fail goes alone, so that only its own fault can fail it. For that, others are
// held back, but not for ever.
func (d *dispatcher) admit(run app.ProcessRun) verdict {
	switch {
	case !run.Interrupted():
		return admitted
	case d.lastChance(run):
		switch {
		case d.endangered() == 0:
			d.hold = hold{}
			return admitted
		case d.hold.holding(time.Now()):
			return holdAll
		}
		return skipped
	}
	if d.suspects >= max(1, d.queue.Workers/5) {
		return skipped
	}
	return admitted
}

func (d *dispatcher) lastChance(run app.ProcessRun) bool {
	return run.Interrupted() && run.Crashes+1 >= d.queue.MaxCrashes
}

// endangered is how many runs in flight a crash would interrupt.
func (d *dispatcher) endangered() (n int) {
	for id := range d.inFlight {
		if !d.worker.orders.isGivenUp(id) {
			n++
		}
	}
	return n
}

// mustWait reports whether a run is in flight that must be alone.
func (d *dispatcher) mustWait() bool {
	if d.suspects == 0 {
		return false
	}
	for _, run := range d.inFlight {
		if d.lastChance(run) && !d.worker.orders.isGivenUp(run.ID) {
			return true
		}
	}
	return false
}

// Waits between attempts: the first about a second, each twice as long as the one before.
const (
	firstBackoff   = time.Second
	longestBackoff = 10 * time.Minute
)

// backoff is how long to wait after the n-th attempt, give or take a quarter, so that runs that
// failed together do not come back together.
func backoff(attempt int) time.Duration {
	wait := longestBackoff
	if attempt < 11 { // 2^10 seconds are more than the longest
		wait = min(longestBackoff, firstBackoff<<max(0, attempt-1))
	}
	return wait*3/4 + rand.N(wait/2)
}
