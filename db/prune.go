package db

import (
	"context"
	"math"
	"time"

	"runboard/app"
	"runboard/db/rows"
)

// pruneEvery is how often old runs are looked for.
const pruneEvery = time.Minute

const (
	dropRun    = `DELETE FROM process_runs WHERE id = ? AND status IN (2, 3, 4) RETURNING status`
	dropEvents = `DELETE FROM run_events WHERE run_id = ?`
)

// Prune drops finished runs that are too old or too many, with all that belongs to them, until ctx ends. It drops them
// in small groups and rests in between for as long as each took.
func (s *Store) Prune(ctx context.Context) {
	ticker := time.NewTicker(pruneEvery)
	defer ticker.Stop()
	for {
		n, err := s.pruneAll(ctx)
		if err == nil {
			err = s.pruneFailures(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.options.Log.Error("old runs cannot be dropped", "error", err) // the next minute tries again
		} else if n > 0 {
			s.options.Log.Info("old runs were dropped", "runs", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// pruneAll drops all that is to be dropped at this moment.
func (s *Store) pruneAll(ctx context.Context) (dropped int, err error) {
	return s.Board.Prune(ctx, rows.Keep{Finished: s.options.KeepFinished, Max: s.options.KeepMax}, s.drop)
}

// drop has the writer drop those of these runs that are still finished, and returns how many they were.
func (s *Store) drop(ctx context.Context, runs []int64) (dropped int, err error) {
	// dropped is the writer's until do succeeds: it may be counted again.
	err = s.writer.do(ctx, func(tx *transaction) error {
		dropped = 0
		for _, run := range runs {
			found, err := tx.drop(run)
			if err != nil {
				return err
			}
			if found {
				dropped++
			}
		}
		return nil
	})
	return dropped, err
}

// drop drops a run, if it is finished, with its events, its log, and what searches find it by.
func (tx *transaction) drop(run int64) (found bool, err error) {
	var status app.Status
	if found, err = tx.find(tx.dropRun, &status, run); err != nil || !found {
		return false, err
	}
	tx.counts[status]--
	tx.changed = true
	if err := tx.exec(tx.dropEvents, run); err != nil {
		return true, err
	}
	if err := tx.exec(tx.dropAction, run); err != nil {
		return true, err
	}
	if err := tx.unindex(errorRow(run)); err != nil {
		return true, err
	}
	return true, tx.dropLog(run, math.MaxInt64)
}
