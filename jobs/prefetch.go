package jobs

import (
	"context"
	"slices"

	"runboard/app"
)

// prefetchFactor is how many due runs are fetched at once, as a multiple of the workers.
const prefetchFactor = 8

// prefetch holds due runs that were fetched and are not assigned to a worker, oldest first.
type prefetch struct {
	runs       []app.ProcessRun
	heldBack   int   // of runs: quarantined runs that wait for their lane
	requeueSeq int64 // QueueStore.RequeueSeq before the fetch
	enqueueSeq int64 // QueueStore.EnqueueSeq before the fetch, if it returned all due runs; else -1
}

// inOrder reports whether no older run has been requeued since the fetch.
func (p *prefetch) inOrder(store app.QueueStore) bool { return p.requeueSeq == store.RequeueSeq() }

// complete reports whether no due run is missing.
func (p *prefetch) complete(store app.QueueStore) bool { return p.enqueueSeq == store.EnqueueSeq() }

// setIncomplete has the next fill fetch again when it needs more runs.
func (p *prefetch) setIncomplete() { p.enqueueSeq = -1 }

// invalidate has the next fill fetch again before it assigns a run.
func (p *prefetch) invalidate() { p.requeueSeq, p.enqueueSeq = -1, -1 }

// fetch reads the oldest due runs for a queue that are not in flight.
func (p *prefetch) fetch(ctx context.Context, q *Queue, busy *inFlight) error {
	// Read before the runs, so that a run that comes meanwhile is fetched the next time.
	requeueSeq, enqueueSeq := q.Store.RequeueSeq(), q.Store.EnqueueSeq()
	// More than the workers can take: runs in flight may still be due in the database, and quarantined runs
	// that wait for their lane must not hide the runs behind them.
	limit := prefetchFactor*q.Workers + p.heldBack
	kinds := busy.limits.due(q.Executor.Registry.Names(), p.heldBack)
	due, err := q.Store.FetchDue(ctx, kinds, limit)
	if err != nil {
		p.invalidate() // prefetched runs must not start before an older one
		return err
	}
	more := len(due) == limit
	p.runs = slices.DeleteFunc(due, func(run app.ProcessRun) bool {
		mine, assigned := busy.runs[run.ID]
		more = more || assigned && mine.Version != run.Version // requeued before its worker has reported that
		return assigned
	})
	p.requeueSeq, p.enqueueSeq = requeueSeq, enqueueSeq
	if more {
		p.setIncomplete()
	}
	return nil
}

// take removes and returns the runs for idle workers. A quarantined run takes the quarantine lane, or waits
// for it while younger runs pass. A run also waits while as many runs are in flight as the policy of its kind
// allows.
func (p *prefetch) take(idle, maxCrashes int, busy *inFlight) (taken []app.ProcessRun) {
	p.heldBack = 0
	kept := p.runs[:0]
	for _, run := range p.runs {
		quarantined := run.Quarantined(maxCrashes)
		switch {
		case len(taken) == idle:
			kept = append(kept, run)
		case quarantined && busy.quarantined != 0:
			p.heldBack++
			kept = append(kept, run)
		case busy.limits.free(run) <= 0:
			kept = append(kept, run)
		default:
			busy.add(run, quarantined)
			taken = append(taken, run)
		}
	}
	p.runs = kept
	return taken
}
