package postgres

import (
	"context"
	"slices"
	"time"

	"runboard/app"
	"runboard/db/query"
)

const (
	// servedFor is for how long somebody counts as working on a kind who has said so.
	servedFor = 2 * time.Minute
)

const (
	stoppingRuns = `SELECT id, fencing_token FROM process_runs WHERE status = 1 AND cancel_requested_at > 0 ORDER BY id`

	noteServed  = `INSERT INTO worker_kinds (kind, seen_at) SELECT unnest($1::text[]), $2 ON CONFLICT (kind) DO UPDATE SET seen_at = greatest(worker_kinds.seen_at, excluded.seen_at)`
	readServed  = `SELECT kind FROM worker_kinds WHERE seen_at > $1`
	forgetKinds = `DELETE FROM worker_kinds WHERE seen_at < $1`
)

// CancelRequests implements app.WorkStore.
func (s *Store) CancelRequests(ctx context.Context) (requests []app.CancelRequest, err error) {
	err = s.read(ctx, func(ctx context.Context, from query.Reader) error {
		return query.Select(ctx, from, &requests, stoppingRuns)
	})
	return requests, err
}

// Assigned implements app.Shared.
func (s *Store) RunForJob(ctx context.Context, run, job int64) (app.ProcessRun, error) {
	var row struct {
		query.Run
		Job int64 `db:"job"`
	}
	err := s.readOne(ctx, func(ctx context.Context, from query.Reader) error {
		found, err := query.Find(ctx, from, &row, `SELECT `+query.Columns+`, job FROM process_runs WHERE id = ?`, run)
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

// Adopt implements app.Shared.
func (s *Store) Adopt(ctx context.Context, run app.ProcessRun, job int64) error {
	return s.write(ctx, func(tx *transaction) error {
		tx.silent = true
		var mine bool
		found, err := tx.find(&mine, adoptRun, s.node, run.ID, run.FencingToken, job)
		if err == nil && !found {
			err = query.Conflict(run)
		}
		return err
	})
}

// Serve implements app.Shared.
func (s *Store) AnnounceKinds(ctx context.Context, kinds []string) error {
	kinds = slices.Sorted(slices.Values(kinds)) // so that nodes do not wait for each other crosswise
	return s.write(ctx, func(tx *transaction) error { return tx.exec(noteServed, kinds, tx.now.UnixMilli()) })
}

// served are the kinds that are worked on here, or that somebody has told of lately.
func (s *Store) kindsWithWorkers(ctx context.Context, from query.Reader) (kinds []string, err error) {
	if s.options.Kinds == nil {
		return nil, nil
	}
	err = query.Select(ctx, from, &kinds, readServed, s.options.Now().Add(-servedFor).UnixMilli())
	return append(append([]string{}, s.options.Kinds...), kinds...), err
}

// PruneSome implements app.Shared.
func (s *Store) PruneSome(ctx context.Context) (int, error) {
	dropped, err := s.Prune(ctx, query.Keep{Finished: s.options.KeepFinished, Max: s.options.KeepMax}, s.drop)
	if err != nil || ctx.Err() != nil {
		return dropped, err
	}
	if err := s.pruneFailures(ctx); err != nil {
		return dropped, err
	}
	return dropped, s.write(ctx, func(tx *transaction) error {
		tx.silent = true
		if err := tx.exec(dropBatches, s.node); err != nil {
			return err
		}
		return tx.exec(forgetKinds, tx.now.Add(-servedFor).UnixMilli())
	})
}

// dropAtOnce is how many runs are dropped in one transaction: it holds up nobody but who wants the same runs.
const dropAtOnce = 100

// drop drops some of these runs, if they are still finished. It returns how many these were, and which are left. One that
// cannot be dropped does not keep the others from it.
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
		return n, left, nil // it is logged, and comes up again
	}
	return 0, left, err
}

// dropTogether drops all of these runs that are still finished, or none.
func (s *Store) dropTogether(ctx context.Context, runs []int64) (n int, err error) {
	err = s.write(ctx, func(tx *transaction) error {
		dropped, err := tx.drop(runs...)
		n, tx.silent = len(dropped), len(dropped) == 0
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
