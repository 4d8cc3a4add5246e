package db

import (
	"time"

	"runboard/app"
)

// Each step is kept for longer than it is shown.
var rollupSteps = []struct{ step, keep time.Duration }{
	{app.RecentStep, time.Hour},
	{app.DayStep, 48 * time.Hour},
}

const (
	findRollup = `SELECT waits, works FROM rollups WHERE step = ? AND at = ? AND kind = ?`
	addRollup  = `INSERT INTO rollups (step, at, kind, created, returned, started, completed, failed, cancelled, waits, works)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
		ON CONFLICT DO UPDATE SET created = created + ?4, returned = returned + ?5, started = started + ?6,
			completed = completed + ?7, failed = failed + ?8, cancelled = cancelled + ?9, waits = ?10, works = ?11`
	dropRollups = `DELETE FROM rollups WHERE step = ? AND at < ?`
)

// happening is something that a transaction did to runs.
type happening struct {
	kind string
	flow app.Flow
	// For runs that were started: how long they waited; for those that completed or failed: how long they worked.
	took time.Duration
}

// rollup is what happened to the runs of a kind within a step.
type rollup struct {
	app.Flow
	waits, works histogram
}

func (r *rollup) add(h happening) {
	r.Flow = r.Flow.Plus(h.flow)
	switch {
	case h.flow.Started > 0:
		r.waits.add(h.took)
	case h.flow.Completed+h.flow.Failed > 0:
		r.works.add(h.took)
	}
}

// rollupKey says to what runs, and when.
type rollupKey struct {
	at   time.Time // when a step of RecentStep began; longer steps are made of whole ones
	kind string
}

// rollups gathers what committed transactions did until it is written down. It belongs to the writer's goroutine.
type rollups struct {
	every    time.Duration // for how long it is gathered
	gathered map[rollupKey]*rollup
	since    time.Time // when the first of it came
}

func (r *rollups) add(at time.Time, happenings []happening) {
	if len(happenings) == 0 {
		return
	}
	if len(r.gathered) == 0 {
		r.gathered, r.since = map[rollupKey]*rollup{}, time.Now()
	}
	at = at.UTC().Truncate(app.RecentStep)
	for _, h := range happenings {
		key := rollupKey{at, h.kind}
		if r.gathered[key] == nil {
			r.gathered[key] = &rollup{}
		}
		r.gathered[key].add(h)
	}
}

// due reports whether it is time to write it down.
func (r *rollups) due() bool { return len(r.gathered) > 0 && time.Since(r.since) >= r.every }

// hurry makes it due.
func (r *rollups) hurry() { r.since = time.Time{} }

// saveRollups adds to the table what has been gathered, and drops what is too old there.
func (tx *transaction) saveRollups(gathered map[rollupKey]*rollup) error {
	for _, kept := range rollupSteps {
		for key, more := range gathered {
			if err := tx.saveRollup(kept.step, key, *more); err != nil {
				return err
			}
		}
		if err := tx.exec(tx.dropRollups, kept.step.Milliseconds(), tx.now.Add(-kept.keep).UnixMilli()); err != nil {
			return err
		}
	}
	return nil
}

// saveRollup adds what happened to the step that it happened in.
func (tx *transaction) saveRollup(step time.Duration, key rollupKey, more rollup) error {
	at := key.at.Truncate(step).UnixMilli()
	var before struct{ Waits, Works []byte }
	if _, err := tx.find(tx.findRollup, &before, step.Milliseconds(), at, key.kind); err != nil {
		return err
	}
	more.waits.merge(before.Waits)
	more.works.merge(before.Works)
	return tx.exec(tx.addRollup, step.Milliseconds(), at, key.kind, more.Created, more.Returned, more.Started,
		more.Completed, more.Failed, more.Cancelled, more.waits.pack(), more.works.pack())
}

// happened takes note of a change of a run, which is as it is now. For took see happening.
func (tx *transaction) happened(run app.ProcessRun, took time.Duration) {
	var flow app.Flow
	switch run.Status {
	case app.Created:
		flow.Returned = 1
	case app.Started:
		flow.Started = 1
	case app.Completed:
		flow.Completed = 1
	case app.Failed:
		flow.Failed = 1
	case app.Cancelled:
		flow.Cancelled = 1
	}
	tx.happenings = append(tx.happenings, happening{run.Kind, flow, took})
}
