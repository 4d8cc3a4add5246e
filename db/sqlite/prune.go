package sqlite

import (
	"context"
	"math"
	"time"

	"runboard/app"
	"runboard/db/query"
)

const (
	// pruneEvery is how often old runs are looked for.
	pruneEvery = time.Minute
	// trimEvery is how often the logs are trimmed, when anything has been written to one.
	trimEvery = 5 * time.Second
	// pruneTime is about how long one transaction may go on dropping runs: everybody else's writes wait for it. Its commit
	// takes as long again or longer, because that is when the index of texts is written.
	pruneTime = 5 * time.Millisecond
)

const (
	dropRun    = `DELETE FROM process_runs WHERE id = ? AND status IN (2, 3, 4) RETURNING status`
	dropEvents = `DELETE FROM run_events WHERE run_id = ?`
)

// Prune drops finished runs that are too old or too many, with all that belongs to them, and logs when all together are too
// large, until ctx ends. It drops them in small groups and rests in between for as long as each took.
func (s *Store) Prune(ctx context.Context) {
	ticker := time.NewTicker(trimEvery)
	defer ticker.Stop()
	var pruned time.Time
	for {
		s.trimLogs(ctx)
		if time.Since(pruned) >= pruneEvery {
			s.pruneOnce(ctx)
			pruned = time.Now()
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// pruneOnce drops the runs that are to be dropped now.
func (s *Store) pruneOnce(ctx context.Context) {
	n, err := s.pruneAll(ctx)
	if err == nil {
		err = s.pruneFailures(ctx)
	}
	if err != nil && ctx.Err() == nil {
		s.options.Log.Error("old runs cannot be dropped", "error", err) // the next minute tries again
	} else if n > 0 {
		s.options.Log.Info("old runs were dropped", "runs", n)
	}
}

// pruneAll drops all that is to be dropped at this moment.
func (s *Store) pruneAll(ctx context.Context) (dropped int, err error) {
	return s.Board.Prune(ctx, query.Keep{Finished: s.options.KeepFinished, Max: s.options.KeepMax}, s.drop)
}

// drop has the writer drop those of these runs that are still finished, as many as there is time for in one transaction.
// It returns how many these were, and which runs are left to be dropped by another one.
func (s *Store) drop(ctx context.Context, runs []int64) (dropped int, left []int64, err error) {
	// The results are the writer's until do succeeds: it may begin anew.
	err = s.writer.do(ctx, func(tx *transaction) error {
		dropped, left = 0, runs
		for until := time.Now().Add(pruneTime); len(left) > 0 && time.Now().Before(until); left = left[1:] {
			found, unfinished, err := tx.drop(left[0], until)
			if err != nil || unfinished {
				return err
			}
			if found {
				dropped++
			}
		}
		return nil
	})
	return dropped, left, err
}

// drop drops a run, if it is finished, with its events, its log, and what searches find it by. Of a long log the first
// part goes before it, as much as there is time for: when that is not enough, the run is still there, unfinished is
// true, and it is to be dropped again.
func (tx *transaction) drop(run int64, until time.Time) (found, unfinished bool, err error) {
	var row query.Run
	if found, err := tx.find(tx.findRun, &row, run); err != nil || !found || !app.Status(row.Status).Final() {
		return false, false, err
	}
	if short, err := tx.trimRunLog(run, until); err != nil || !short {
		return false, err == nil, err
	}
	var status app.Status
	if found, err = tx.find(tx.dropRun, &status, run); err != nil || !found {
		return false, false, err
	}
	tx.counts[status]--
	tx.changed = true
	if err := tx.exec(tx.dropEvents, run); err != nil {
		return true, false, err
	}
	if err := tx.exec(tx.dropAction, run); err != nil {
		return true, false, err
	}
	if err := tx.unindex(run, query.ErrorPart); err != nil {
		return true, false, err
	}
	return true, false, tx.dropLog(run, math.MaxInt64)
}
