package query

import (
	"iter"
	"time"

	"runboard/app"
)

// rollupStep is the step length of a lookback, and how long its rows are kept: for the lookback and as long a
// time before it, with which pages compare it.
type rollupStep struct{ step, keep time.Duration }

// rollupSteps has the steps of all spans, shortest first.
var rollupSteps = func() (steps []rollupStep) {
	for _, lookback := range app.Lookbacks() {
		steps = append(steps, rollupStep{lookback.Step(), 2*lookback.Length() + 2*lookback.Step()})
	}
	return steps
}()

// millis returns the length of the step in milliseconds.
func (s rollupStep) millis() int64 { return s.step.Milliseconds() }

// at returns the start of the step of time t, in milliseconds.
func (s rollupStep) at(t time.Time) int64 { return t.UTC().Truncate(s.step).UnixMilli() }

// keptFor returns how long the rows of a step are kept.
func keptFor(step time.Duration) time.Duration {
	for _, length := range rollupSteps {
		if length.step == step {
			return length.keep
		}
	}
	return 0
}

// StatsEvent is one change of runs of a kind, for the statistics.
type StatsEvent struct {
	Kind string
	app.Counters
	// Took is the time that a started run waited, or that a completed or failed run worked.
	Took time.Duration
}

// NewStatsEvent returns the event of a run that has just entered its status. For took see StatsEvent.
func NewStatsEvent(run app.ProcessRun, took time.Duration) StatsEvent {
	event := StatsEvent{Kind: run.Kind, Took: took}
	switch run.Status {
	case app.Created:
		event.Requeued = 1
	case app.Started:
		event.Started = 1
	case app.Completed:
		event.Completed = 1
	case app.Failed:
		event.Failed = 1
	case app.Cancelled:
		event.Cancelled = 1
	}
	return event
}

// Rollup sums up the events of one kind within one step.
type Rollup struct {
	app.Counters
	queueTime, runTime histogram
}

func (r *Rollup) add(event StatsEvent) {
	r.Counters = r.Counters.Add(event.Counters)
	switch {
	case event.Started > 0:
		r.queueTime.add(event.Took)
	case event.Completed+event.Failed > 0:
		r.runTime.add(event.Took)
	}
}

// Times holds the packed histograms of a row of rollups: how long runs waited and how long they worked.
type Times struct {
	Queue []byte `db:"queue_ms"`
	Run   []byte `db:"run_ms"`
}

func (r *Rollup) merge(stored Times) {
	r.queueTime.merge(stored.Queue)
	r.runTime.merge(stored.Run)
}

// Merged returns the histograms of the rollup with the stored ones added.
func (r Rollup) Merged(stored Times) Times {
	r.merge(stored)
	return Times{Queue: r.queueTime.pack(), Run: r.runTime.pack()}
}

// rollupKey identifies a rollup in memory.
type rollupKey struct {
	at   time.Time // start of a shortest step; longer steps consist of whole ones
	kind string
}

// maxRollups is the largest number of rollups in memory while they cannot be saved.
const maxRollups = 10_000

// Rollups collects the events of committed transactions until they are saved. It is not safe for concurrent
// use.
type Rollups struct {
	Every time.Duration // how long events are collected before they are due
	sums  map[rollupKey]*Rollup
	since time.Time // time of the first event since the last save
}

// Add adds the events of a committed transaction, which happened at a given time.
func (r *Rollups) Add(at time.Time, events ...StatsEvent) {
	if len(events) == 0 {
		return
	}
	if len(r.sums) == 0 {
		r.sums, r.since = map[rollupKey]*Rollup{}, time.Now()
	}
	at = at.UTC().Truncate(rollupSteps[0].step)
	for _, event := range events {
		key := rollupKey{at, event.Kind}
		sum := r.sums[key]
		if sum == nil {
			if len(r.sums) >= maxRollups {
				continue // nothing could be saved for hours
			}
			sum = &Rollup{}
			r.sums[key] = sum
		}
		sum.add(event)
	}
}

// Due reports whether there are events to save and Every has passed since the first of them.
func (r *Rollups) Due() bool { return len(r.sums) > 0 && time.Since(r.since) >= r.Every }

// Hurry makes all collected events due.
func (r *Rollups) Hurry() { r.since = time.Time{} }

// Forget removes the collected events after they are saved.
func (r *Rollups) Forget() { r.sums = nil }

// RollupRow is the primary key of a row of rollups.
type RollupRow struct {
	Step, At int64 // in milliseconds
	Kind     string
}

// Rows returns the rows of all steps that the collected events add to, and what they add.
func (r *Rollups) Rows() iter.Seq2[RollupRow, Rollup] {
	return func(yield func(RollupRow, Rollup) bool) {
		for _, step := range rollupSteps {
			for key, sum := range r.sums {
				row := RollupRow{Step: step.millis(), At: step.at(key.at), Kind: key.kind}
				if !yield(row, *sum) {
					return
				}
			}
		}
	}
}

// ExpiredStep is a step with the time before which its rows have expired, both in milliseconds.
type ExpiredStep struct{ Step, Before int64 }

// ExpiredRollups returns what has expired of each step.
func ExpiredRollups(now time.Time) (expired []ExpiredStep) {
	for _, step := range rollupSteps {
		expired = append(expired, ExpiredStep{step.millis(), now.Add(-step.keep).UnixMilli()})
	}
	return expired
}

const (
	// FindRollupSQL returns the Times of a row of rollups.
	FindRollupSQL = `SELECT queue_ms, run_ms FROM rollups
		WHERE step = $1 AND at = $2 AND kind = $3 AND node = $4`
	addRollupSQL = `INSERT INTO rollups
		(step, at, kind, node, created, requeued, started, completed, failed, cancelled, queue_ms, run_ms)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (step, at, kind, node) DO UPDATE SET
			created = rollups.created + excluded.created, requeued = rollups.requeued + excluded.requeued,
			started = rollups.started + excluded.started, completed = rollups.completed + excluded.completed,
			failed = rollups.failed + excluded.failed, cancelled = rollups.cancelled + excluded.cancelled,
			queue_ms = excluded.queue_ms, run_ms = excluded.run_ms`
)

// Save adds the collected events to the rows of a node, and samples the number of waiting runs.
func (r *Rollups) Save(w Writer, node int64, now time.Time) error {
	for row, sum := range r.Rows() {
		var times Times
		if _, err := w.Find(&times, FindRollupSQL, row.Step, row.At, row.Kind, node); err != nil {
			return err
		}
		times = sum.Merged(times)
		err := w.Exec(addRollupSQL, row.Step, row.At, row.Kind, node, sum.Created, sum.Requeued, sum.Started,
			sum.Completed, sum.Failed, sum.Cancelled, times.Queue, times.Run)
		if err != nil {
			return err
		}
	}
	return sampleWaiting(w, now)
}
