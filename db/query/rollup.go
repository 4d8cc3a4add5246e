package query

import (
	"time"

	"runboard/app"
)

// rollupSteps are for how long each step is kept: longer than it is shown.
var rollupSteps = []struct{ step, keep time.Duration }{
	{app.RecentStep, time.Hour},
	{app.DayStep, 48 * time.Hour},
}

// Happening is something that a transaction did to runs.
type StatsEvent struct {
	Kind string
	Flow app.Counters
	// For runs that were started: how long they waited; for those that completed or failed: how long they worked.
	Took time.Duration
}

// Happened is a change of a run, which is as it is now. For took see Happening.
func NewStatsEvent(run app.ProcessRun, took time.Duration) StatsEvent {
	var flow app.Counters
	switch run.Status {
	case app.Created:
		flow.Requeued = 1
	case app.Started:
		flow.Started = 1
	case app.Completed:
		flow.Completed = 1
	case app.Failed:
		flow.Failed = 1
	case app.Cancelled:
		flow.Cancelled = 1
	}
	return StatsEvent{run.Kind, flow, took}
}

// Rollup is what happened to the runs of a kind within a step.
type Rollup struct {
	app.Counters
	waits, works histogram
}

func (r *Rollup) add(h StatsEvent) {
	r.Counters = r.Counters.Add(h.Flow)
	switch {
	case h.Flow.Started > 0:
		r.waits.add(h.Took)
	case h.Flow.Completed+h.Flow.Failed > 0:
		r.works.add(h.Took)
	}
}

// Times is how a row of rollups keeps how long runs waited and worked.
type Times struct {
	Waits []byte `db:"queue_ms"`
	Works []byte `db:"run_ms"`
}

// Merged are the times of the rollup with those that are kept already.
func (r Rollup) Merged(kept Times) Times {
	r.waits.merge(kept.Waits)
	r.works.merge(kept.Works)
	return Times{Waits: r.waits.pack(), Works: r.works.pack()}
}

// key says to what runs, and when.
type key struct {
	at   time.Time // when a step of RecentStep began; longer steps are made of whole ones
	kind string
}

// maxGathered is how many rows are gathered at most while they cannot be written down.
const maxGathered = 10_000

// Rollups gathers what committed transactions did until it is written down. One goroutine at a time may use it.
type Rollups struct {
	Every    time.Duration // for how long it is gathered
	gathered map[key]*Rollup
	since    time.Time // when the first of it came
}

// Add adds what happened at a time.
func (r *Rollups) Add(at time.Time, happenings ...StatsEvent) {
	if len(happenings) == 0 {
		return
	}
	if len(r.gathered) == 0 {
		r.gathered, r.since = map[key]*Rollup{}, time.Now()
	}
	at = at.UTC().Truncate(app.RecentStep)
	for _, h := range happenings {
		k := key{at, h.Kind}
		if r.gathered[k] == nil && len(r.gathered) >= maxGathered {
			continue // it could not be written down for hours
		}
		if r.gathered[k] == nil {
			r.gathered[k] = &Rollup{}
		}
		r.gathered[k].add(h)
	}
}

// Due reports whether it is time to write it down.
func (r *Rollups) Due() bool { return len(r.gathered) > 0 && time.Since(r.since) >= r.Every }

// Hurry makes it due.
func (r *Rollups) Hurry() { r.since = time.Time{} }

// Forget forgets what has been written down.
func (r *Rollups) Forget() { r.gathered = nil }

// RollupRow says in what row something is kept.
type RollupRow struct {
	Step, At int64 // in milliseconds
	Kind     string
}

// Each calls save for each row and what comes to it, and drop for each step with the time before which it is not kept.
func (r *Rollups) Each(now time.Time, save func(RollupRow, Rollup) error, drop func(step, before int64) error) error {
	for _, kept := range rollupSteps {
		for k, more := range r.gathered {
			row := RollupRow{Step: kept.step.Milliseconds(), At: k.at.Truncate(kept.step).UnixMilli(), Kind: k.kind}
			if err := save(row, *more); err != nil {
				return err
			}
		}
		if err := drop(kept.step.Milliseconds(), now.Add(-kept.keep).UnixMilli()); err != nil {
			return err
		}
	}
	return nil
}
