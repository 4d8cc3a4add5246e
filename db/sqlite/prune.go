package sqlite

import (
	"context"
	"math"
	"time"

	"runboard/app"
	"runboard/db/query"
)

const (
	// pruneEvery is the interval between two searches for old runs.
	pruneEvery = time.Minute
	// trimEvery is the interval between two checks of the total log size, if a log has grown.
	trimEvery = 5 * time.Second
	// pruneTime is about how long one transaction may delete runs, because all other writes wait for it. The
	// commit takes as long again or longer: SQLite writes the search index then.
	pruneTime = 5 * time.Millisecond
)

const (
	dropRun    = `DELETE FROM process_runs WHERE id = ?`
	dropEvents = `DELETE FROM run_events WHERE run_id = ?`
	dropAction = `DELETE FROM bulk_actions WHERE run_id = ?`
)

// Maintain prunes runs and trims logs periodically, and returns when ctx ends. Call it in one goroutine.
func (s *Store) Maintain(ctx context.Context) {
	ticker := time.NewTicker(trimEvery)
	defer ticker.Stop()
	var pruned time.Time
	for {
		if s.logged.Swap(false) {
			n, err := s.TrimLogs(ctx)
			s.logMaintenance(ctx, "trim", "dropped the oldest logs: all logs exceed --max-log-bytes", n, err)
		}
		if time.Since(pruned) >= pruneEvery {
			n, err := s.Prune(ctx)
			s.logMaintenance(ctx, "prune", "deleted old runs", n, err)
			pruned = time.Now()
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// logMaintenance logs the number of runs that a task has changed, with the message done, and the error of the
// task, which is soon repeated.
func (s *Store) logMaintenance(ctx context.Context, task, done string, runs int, err error) {
	if runs > 0 {
		s.options.Log.Info(done, "runs", runs)
	}
	if err != nil && ctx.Err() == nil {
		s.options.Log.Log(ctx, app.RepeatedLevel(err), "maintenance failed", "task", task, "error", err)
	}
}

// Prune deletes finished runs that are too old or too many, with everything that belongs to them, and old
// failure groups. It works in small batches, pauses after each for as long as that took, and returns the
// number of deleted runs.
func (s *Store) Prune(ctx context.Context) (int, error) {
	keep := query.Keep{Finished: s.options.KeepFinished, Max: s.options.KeepMax}
	dropped, err := s.Reader.Prune(ctx, keep, s.drop)
	if err != nil {
		return dropped, err
	}
	return dropped, s.pruneFailures(ctx)
}

// drop deletes the given runs that are still finished. It is a query.DropFunc.
func (s *Store) drop(ctx context.Context, runs []int64) (dropped int, left []int64, err error) {
	return s.dropSome(ctx, runs, (*transaction).drop)
}

// dropFunc drops a run or a part of it, as transaction.drop does.
type dropFunc func(tx *transaction, run int64, until time.Time) (dropped, partial bool, err error)

// dropSome drops as many of the runs as fit in one transaction of pruneTime. It returns how many it dropped
// and which runs it did not get to.
func (s *Store) dropSome(ctx context.Context, runs []int64, drop dropFunc) (n int, left []int64, err error) {
	err = s.write(ctx, func(tx *transaction) error {
		n, left = 0, runs
		for until := time.Now().Add(pruneTime); len(left) > 0 && time.Now().Before(until); left = left[1:] {
			dropped, partial, err := drop(tx, left[0], until)
			if err != nil || partial {
				return err
			}
			if dropped {
				n++
			}
		}
		return nil
	})
	return n, left, err
}

// drop deletes a run, if it has finished, with everything that belongs to it, and reports whether it did. It
// deletes a long log first, part by part until the time until: if that was not enough, the run is still
// there, partial is true, and the caller must call drop again in another transaction.
func (tx *transaction) drop(id int64, until time.Time) (dropped, partial bool, err error) {
	run, found, err := tx.read(id)
	if err != nil || !found || !run.Status.Final() {
		return false, false, err
	}
	short, err := tx.shortenLog(id, until)
	if err != nil || !short {
		return false, err == nil, err
	}
	for _, statement := range []string{dropRun, dropEvents, dropAction} {
		if err := tx.Exec(statement, id); err != nil {
			return false, false, err
		}
	}
	tx.counts[run.Status]--
	tx.changed = true
	if err := tx.unindex(id, query.ErrorPart); err != nil {
		return false, false, err
	}
	if run.InputCount > 0 {
		if err := tx.unindex(id, query.InputPart); err != nil {
			return false, false, err
		}
	}
	return true, false, tx.DropLog(id, math.MaxInt64)
}
