package jobs

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"runboard/app"
)

// dispatcher hands waiting runs to workers. It claims nothing in the database: one process owns the
// file, so what is in flight is known here, and the start of each run is written by whoever does it.
type dispatcher struct {
	queue    *Queue
	runs     chan app.ProcessRun // dispatcher to workers; never full: it has room for all in flight
	released chan int64          // workers to dispatcher: the ids of runs they are done with

	inFlight map[int64]app.ProcessRun // owned by dispatch
	hold     hold                     // likewise
	ahead    []app.ProcessRun         // likewise: those of the last look that have yet to be handed out, oldest first
	returned int64                    // likewise: what Returned said before that look
	skipped  int                      // likewise: how many of ahead had to stand aside
	orders   *orders                  // dispatcher to workers: what to stop
}

func newDispatcher(q *Queue) *dispatcher {
	return &dispatcher{
		queue:    q,
		runs:     make(chan app.ProcessRun, q.Workers),
		released: make(chan int64, q.Workers), // room for all: workers never wait to release
		inFlight: make(map[int64]app.ProcessRun, q.Workers),
		orders:   newOrders(),
	}
}

// dispatch keeps the workers busy until ctx ends.
func (d *dispatcher) dispatch(ctx context.Context) {
	rings, stop := d.queue.Backlog.Changes().Listen()
	defer stop()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for ctx.Err() == nil {
		d.fill(ctx)
		select {
		case <-ctx.Done():
		case <-rings:
			d.heedWishes(ctx)
		case <-ticker.C:
			d.returned = -1 // it is not told when a run becomes due that comes before them
			d.heedWishes(ctx)
		case id := <-d.released:
			d.release(id)
		}
	}
}

// heedWishes stops the runs that people have cancelled. Like all else it reads the rows: a wish that is
// not heard the first time, because the run has only just been started, is heard at the next bell or tick.
func (d *dispatcher) heedWishes(ctx context.Context) {
	if len(d.inFlight) == 0 {
		return
	}
	ids, err := d.queue.Backlog.Stopping(ctx)
	if err != nil && ctx.Err() == nil {
		d.queue.Log.Error("runs to stop cannot be read", "error", err) // the next tick tries again
	}
	for _, id := range ids {
		d.orders.stop(id)
	}
	d.wakeCancelled(ctx)
}

// wakeCancelled ends the rest of runs that are cancelled, so that their workers are free for others.
func (d *dispatcher) wakeCancelled(ctx context.Context) {
	resting := d.orders.resting()
	if len(resting) == 0 {
		return
	}
	ids, err := d.queue.Backlog.Cancelled(ctx, resting)
	if err != nil && ctx.Err() == nil {
		d.queue.Log.Error("cancelled runs cannot be read", "error", err) // the next tick tries again
	}
	for _, id := range ids {
		d.orders.wake(id)
	}
}

// release takes note of all places that have become free.
func (d *dispatcher) release(id int64) {
	delete(d.inFlight, id)
	for {
		select {
		case id := <-d.released:
			delete(d.inFlight, id)
		default:
			return
		}
	}
}

// fill gives the free workers the oldest waiting runs. It looks for them in the database only when those of the
// last look are not enough, or when a run has come back to wait that may be older. One of them that has been
// cancelled meanwhile cannot be started.
func (d *dispatcher) fill(ctx context.Context) {
	if d.full() {
		return
	}
	if d.returned == d.queue.Backlog.Returned() {
		d.handOut()
	}
	if !d.full() && d.look(ctx) {
		d.handOut()
	}
}

func (d *dispatcher) full() bool { return len(d.inFlight) == d.queue.Workers }

// look reads the oldest waiting runs, and reports whether it could.
func (d *dispatcher) look(ctx context.Context) bool {
	d.returned = d.queue.Backlog.Returned() // before the look: one that returns meanwhile is looked for again
	// Twice as many as could be taken: those in flight may still be waiting in the database, at the
	// head of the line. And past those who stand aside, or else they would stop all others.
	waiting, err := d.queue.Backlog.Waiting(ctx, d.queue.Registry.names, 2*d.queue.Workers+d.skipped)
	if err != nil {
		if ctx.Err() == nil {
			d.queue.Log.Error("waiting runs cannot be read", "error", err) // the next tick tries again
		}
		d.returned = -1 // nor may those of the last look be handed out before one that is older
		return false
	}
	d.ahead = slices.DeleteFunc(waiting, func(run app.ProcessRun) bool {
		_, taken := d.inFlight[run.ID]
		return taken
	})
	return true
}

// handOut gives runs that were found to workers, while there are both, and keeps the others.
func (d *dispatcher) handOut() {
	d.skipped = 0
	kept := d.ahead[:0]
	for i, run := range d.ahead {
		verdict := holdAll
		if !d.full() && !d.mustWait() {
			verdict = d.admit(run)
		}
		switch verdict {
		case admitted:
			d.inFlight[run.ID] = run
			d.runs <- run
		case skipped:
			d.skipped++
			kept = append(kept, run)
		case holdAll:
			d.ahead = append(kept, d.ahead[i:]...)
			return
		}
	}
	d.ahead = kept
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
	case !run.Suspect():
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
	suspects := 0
	for _, other := range d.inFlight {
		if other.Suspect() {
			suspects++
		}
	}
	if suspects >= max(1, d.queue.Workers/5) {
		return skipped
	}
	return admitted
}

func (d *dispatcher) lastChance(run app.ProcessRun) bool {
	return run.Suspect() && run.Crashes+1 >= d.queue.MaxCrashes
}

// endangered is how many runs in flight a crash would interrupt.
func (d *dispatcher) endangered() (n int) {
	for id := range d.inFlight {
		if !d.orders.isGivenUp(id) {
			n++
		}
	}
	return n
}

// mustWait reports whether a run is in flight that must be alone.
func (d *dispatcher) mustWait() bool {
	for _, run := range d.inFlight {
		if d.lastChance(run) && !d.orders.isGivenUp(run.ID) {
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
