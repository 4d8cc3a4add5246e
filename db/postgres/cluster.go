package postgres

import (
	"context"
	"slices"
	"time"

	"runboard/app"
	"runboard/db/query"
)

// kindsTTL is how long after AnnounceKinds a node counts as handling its kinds.
const kindsTTL = 2 * time.Minute

const (
	announceKinds  = `INSERT INTO worker_kinds (kind, seen_at) SELECT unnest($1::text[]), $2 ON CONFLICT (kind) DO UPDATE SET seen_at = greatest(worker_kinds.seen_at, excluded.seen_at)`
	announcedKinds = `SELECT kind FROM worker_kinds WHERE seen_at > $1`
	forgetKinds    = `DELETE FROM worker_kinds WHERE seen_at < $1`
)

// RunForJob implements app.ClusterStore.
func (s *Store) RunForJob(ctx context.Context, run, job int64) (app.ProcessRun, error) {
	var row struct {
		query.Run
		Job int64 `db:"job"`
	}
	err := s.readOne(ctx, func(ctx context.Context, q query.Queryer) error {
		found, err := query.Find(ctx, q, &row, `SELECT `+query.Columns+`, job FROM process_runs WHERE id = ?`, run)
		if err == nil && !found {
			err = query.NotFound(run)
		}
		return err
	})
	switch {
	case err != nil:
		return app.ProcessRun{}, err
	case row.Job != job || app.Status(row.Status).Final():
		return app.ProcessRun{}, app.Errorf(app.CodeConflict, "Run %d does not wait for job %d.", run, job)
	}
	return row.App(), nil
}

const adoptRun = `UPDATE process_runs SET node = $1 WHERE id = $2 AND status = 1 AND fencing_token = $3 AND job = $4 RETURNING true`

// Adopt implements app.ClusterStore.
func (s *Store) Adopt(ctx context.Context, run app.ProcessRun, job int64) error {
	return s.write(ctx, func(tx *transaction) error {
		tx.noNotify = true
		var mine bool
		found, err := tx.find(&mine, adoptRun, s.node, run.ID, run.FencingToken, job)
		if err == nil && !found {
			err = query.Conflict(run)
		}
		return err
	})
}

// AnnounceKinds implements app.ClusterStore.
func (s *Store) AnnounceKinds(ctx context.Context, kinds []string) error {
	kinds = slices.Sorted(slices.Values(kinds)) // a common order prevents deadlocks between nodes
	return s.write(ctx, func(tx *transaction) error { return tx.exec(announceKinds, kinds, tx.now.UnixMilli()) })
}

// handledKinds returns the kinds that this node handles, and those announced within kindsTTL.
func (s *Store) handledKinds(ctx context.Context, q query.Queryer) (kinds []string, err error) {
	if s.options.Kinds == nil {
		return nil, nil
	}
	err = query.Select(ctx, q, &kinds, announcedKinds, s.options.Now().Add(-kindsTTL).UnixMilli())
	return append(append([]string{}, s.options.Kinds...), kinds...), err
}

// PruneSome implements app.ClusterStore.
func (s *Store) PruneSome(ctx context.Context) (int, error) {
	dropped, err := s.Prune(ctx, query.Keep{Finished: s.options.KeepFinished, Max: s.options.KeepMax}, s.drop)
	if err != nil || ctx.Err() != nil {
		return dropped, err
	}
	if err := s.pruneFailures(ctx); err != nil {
		return dropped, err
	}
	return dropped, s.write(ctx, func(tx *transaction) error {
		tx.noNotify = true
		if err := tx.exec(dropBatches, s.node); err != nil {
			return err
		}
		return tx.exec(forgetKinds, tx.now.Add(-kindsTTL).UnixMilli())
	})
}

// dropAtOnce is the most runs that one transaction deletes. It keeps them locked.
const dropAtOnce = 100

// drop deletes the first dropAtOnce of runs, as far as they are still final. It returns how many it deleted and the runs
// left to delete. If the server refuses to delete one run, the others are deleted all the same.
func (s *Store) drop(ctx context.Context, runs []int64) (n int, left []int64, err error) {
	runs, left = runs[:min(dropAtOnce, len(runs))], runs[min(dropAtOnce, len(runs)):]
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

// dropTogether deletes all of runs that are still final, or none.
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
