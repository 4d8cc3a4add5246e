package postgres

import (
	"context"

	"runboard/db/query"
)

// dropBatch is the most runs that one transaction deletes. It keeps them locked.
const dropBatch = 100

// dropRuns deletes those of the given runs that have finished, with everything that belongs to them, and
// returns their ids.
var dropRuns = query.SQL(`WITH dropped AS (
		DELETE FROM process_runs WHERE id = ANY ($1) AND status IN (:final) RETURNING id),
	events AS (DELETE FROM run_events USING dropped WHERE run_id = dropped.id),
	logs AS (DELETE FROM run_logs USING dropped WHERE run_id = dropped.id),
	texts AS (DELETE FROM run_search USING dropped WHERE run_id = dropped.id),
	actions AS (DELETE FROM bulk_actions USING dropped WHERE run_id = dropped.id)
	SELECT id FROM dropped`)

// Prune implements app.ClusterStore.
func (s *Store) Prune(ctx context.Context) (int, error) {
	keep := query.Keep{Finished: s.options.KeepFinished, Max: s.options.KeepMax}
	dropped, err := s.Reader.Prune(ctx, keep, s.drop)
	if err != nil || ctx.Err() != nil {
		return dropped, err
	}
	if err := s.pruneFailures(ctx); err != nil {
		return dropped, err
	}
	return dropped, s.write(ctx, func(tx *transaction) error {
		tx.noNotify = true
		if err := tx.Exec(dropBatches, s.node); err != nil {
			return err
		}
		return tx.Exec(dropKinds, tx.now.Add(-kindsTTL).UnixMilli())
	})
}

// drop deletes the first dropBatch of runs that are still finished. It is a query.DropFunc. If the server
// refuses to delete one run, the others are deleted all the same.
func (s *Store) drop(ctx context.Context, runs []int64) (n int, left []int64, err error) {
	runs, left = runs[:min(dropBatch, len(runs))], runs[min(dropBatch, len(runs)):]
	n, err = s.dropTogether(ctx, runs)
	if err == nil || !isRefusal(err) || len(runs) == 1 {
		return n, left, err
	}
	for _, run := range runs {
		dropped, refused := s.dropTogether(ctx, []int64{run})
		n += dropped
		if refused != nil {
			err = refused
		}
	}
	if n > 0 {
		return n, left, nil // the failure is logged, and the run is tried again next time
	}
	return 0, left, err
}

// dropTogether deletes all of runs that are still finished, or none.
func (s *Store) dropTogether(ctx context.Context, runs []int64) (n int, err error) {
	err = s.write(ctx, func(tx *transaction) error {
		dropped, err := tx.drop(runs...)
		n, tx.noNotify = len(dropped), len(dropped) == 0
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// drop deletes those of runs that have finished, and returns their ids.
func (tx *transaction) drop(runs ...int64) (dropped []int64, err error) {
	err = tx.SelectContext(tx.ctx, &dropped, dropRuns, runs)
	return dropped, err
}
