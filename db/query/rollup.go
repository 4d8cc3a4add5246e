package query

import (
	"time"

	"runboard/app"
)

// rollupSteps are the step lengths and how long the rows of each are kept, which is longer than pages show
// them.
var rollupSteps = []struct{ step, keep time.Duration }{
	{app.RecentStep, time.Hour},
	{app.DayStep, 48 * time.Hour},
}

// StatsEvent is one change of runs of a kind, for the statistics.
type StatsEvent struct {
	Kind string
	Flow app.Counters
	// Took is the time that a started run waited, or that a completed or failed run worked.
	Took time.Duration
}

// NewStatsEvent returns the event of a run that has just entered its status. For took see StatsEvent.
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

// Rollup sums up the events of one kind within one step.
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

// Times holds the packed histograms of a row of rollups: how long runs waited and how long they worked.
type Times struct {
	Waits []byte `db:"queue_ms"`
	Works []byte `db:"run_ms"`
}

// Merged returns the histograms of the rollup with the stored ones added.
func (r Rollup) Merged(kept Times) Times {
	r.waits.merge(kept.Waits)
	r.works.merge(kept.Works)
	return Times{Waits: r.waits.pack(), Works: r.works.pack()}
}

// key identifies a rollup in memory.
type key struct {
	at   time.Time // start of a step of RecentStep; longer steps consist of whole ones
	kind string
}

// maxGathered is the largest number of rollups in memory while they cannot be saved.
const maxGathered = 10_000

// Rollups collects the events of committed transactions until they are saved. It is not safe for concurrent
// use.
type Rollups struct {
	Every    time.Duration // how long events are collected before they are due
	gathered map[key]*Rollup
	since    time.Time // time of the first event since the last save
}

// Add adds the events of a committed transaction, which happened at a given time.
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
			continue // nothing could be saved for hours
		}
		if r.gathered[k] == nil {
			r.gathered[k] = &Rollup{}
		}
		r.gathered[k].add(h)
	}
}

// Due reports whether there are events to save and Every has passed since the first of them.
func (r *Rollups) Due() bool { return len(r.gathered) > 0 && time.Since(r.since) >= r.Every }

// Hurry makes all collected events due.
func (r *Rollups) Hurry() { r.since = time.Time{} }

// Forget removes the collected events after they are saved.
func (r *Rollups) Forget() { r.gathered = nil }

// RollupRow is the primary key of a row of rollups.
type RollupRow struct {
	Step, At int64 // in milliseconds
	Kind     string
}

// Each calls save for every row that the collected events add to, and drop once for each step with the time
// before which its rows have expired. The arguments of drop are in milliseconds. Each stops at the first
// error.
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
