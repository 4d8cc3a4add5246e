package sqlite

import (
	"context"
	"errors"

	"runboard/app"
	"runboard/db/query"
)

// Recovery is what Open did with the runs that a crash had interrupted.
type Recovery struct {
	Requeued  int64 // returned to created
	Failed    int64 // after too many crashes
	Cancelled int64 // cancellation was requested before the crash
	// Repaired reports that the saved counts were wrong (Was) and have been corrected (Is).
	Repaired bool
	Was, Is  app.Counts
}

var startedRuns = query.SQL("SELECT " + query.Columns + " FROM process_runs WHERE status = :started")

const (
	// NOT INDEXED reads the rows themselves, because an index may be wrong as well.
	countRuns = "SELECT status, COUNT(*) AS n FROM process_runs NOT INDEXED GROUP BY status"

	addCount = "INSERT OR IGNORE INTO status_counts (status, n) VALUES (?, 0)"
)

// rescueOrphans requeues, fails or cancels the runs that a crash left started, and repairs the counts and the
// scheduled times. Open calls it before the goroutine of the writer and any worker.
func (w *writer) rescueOrphans() (r Recovery, err error) {
	results, err := w.transact([]write{{apply: func(tx *transaction) (err error) {
		r, err = tx.rescueOrphans()
		return err
	}}})
	return r, errors.Join(append(results, err)...)
}

func (tx *transaction) rescueOrphans() (r Recovery, err error) {
	orphans, err := query.ReadRuns(context.Background(), tx.conn, startedRuns)
	if err != nil {
		return r, err
	}
	saved := tx.counts
	if r.Repaired, err = tx.repairCounts(len(orphans)); err != nil {
		return r, err
	}
	if r.Repaired {
		r.Was, r.Is = saved, tx.counts
	}
	for _, run := range orphans {
		after, err := tx.apply(run, (*transaction).crash)
		if err != nil {
			return r, err
		}
		r.add(after.Status)
	}
	tx.cancelRequests = 0 // no run is started
	return r, tx.repairScheduled()
}

func (r *Recovery) add(status app.Status) {
	switch status {
	case app.Created:
		r.Requeued++
	case app.Failed:
		r.Failed++
	case app.Cancelled:
		r.Cancelled++
	}
}

// crash ends the attempt of a lost worker.
func (tx *transaction) crash(run app.ProcessRun) (app.ProcessRun, app.Event, error) {
	return app.Crash(run, tx.options.MaxCrashes, tx.time())
}

// repairCounts compares the counts with the runs, corrects them, and reports whether they were wrong. started
// is the number of started runs. The runs of a large file are counted only if the counts are implausible: one
// is missing, or the one of the started runs is wrong.
func (tx *transaction) repairCounts(started int) (repaired bool, err error) {
	var saved int
	if _, err := tx.Find(&saved, "SELECT COUNT(*) FROM status_counts"); err != nil {
		return false, err
	}
	small, err := isSmall(tx.options.Path)
	plausible := saved == app.StatusCount && tx.counts[app.Started] == int64(started)
	if err != nil || plausible && !small {
		return false, err
	}
	counted, err := query.CountBy(context.Background(), tx.conn, countRuns)
	if err != nil || plausible && tx.counts == counted {
		return false, err
	}
	for status := range counted {
		if err := tx.Exec(addCount, status); err != nil {
			return false, err
		}
	}
	tx.counts = counted
	return true, nil
}
