package postgres

import (
	"context"
	"slices"
	"time"

	"runboard/app"
	"runboard/db/rows"
)

const (
	// servedFor is for how long somebody counts as working on a kind who has said so.
	servedFor = 2 * time.Minute
	// mendLook is how many waiting runs Mend looks at, at once: the next time it goes on with those that follow.
	mendLook = 20_000
)

const (
	stoppingRuns  = `SELECT id, claim FROM process_runs WHERE status = 1 AND cancel_at > 0 ORDER BY id`
	cancelledRuns = `SELECT id, version FROM process_runs WHERE id = ANY ($1) AND status = 4`

	// Runs whose jobs are over, or are not there any more.
	startedWithout = `SELECT process_runs.id FROM process_runs LEFT JOIN river_job AS jobs ON jobs.id = process_runs.job
		WHERE process_runs.status = 1 AND (jobs.id IS NULL OR jobs.finalized_at IS NOT NULL)`
	waitingPart = `SELECT coalesce(max(id), 0) AS last, count(*) AS n FROM
		(SELECT id FROM process_runs WHERE status = 0 AND place > $1 ORDER BY place LIMIT $2) AS part`
	waitingWithout = `SELECT process_runs.id FROM process_runs LEFT JOIN river_job AS jobs ON jobs.id = process_runs.job
		WHERE status = 0 AND place > $1 AND place <= $2 AND (jobs.id IS NULL OR jobs.finalized_at IS NOT NULL)`
	isWaitedFor = `SELECT finalized_at IS NULL FROM river_job WHERE id = $1`

	noteServed  = `INSERT INTO served_kinds (kind, seen_at) SELECT unnest($1::text[]), $2 ON CONFLICT (kind) DO UPDATE SET seen_at = greatest(served_kinds.seen_at, excluded.seen_at)`
	readServed  = `SELECT kind FROM served_kinds WHERE seen_at > $1`
	forgetKinds = `DELETE FROM served_kinds WHERE seen_at < $1`
	forgetNodes = `DELETE FROM nodes WHERE seen_at < $1 AND id <> $2`
)

// Stopping implements app.Ledger.
func (s *Store) Stopping(ctx context.Context) (requests []app.StopRequest, err error) {
	err = s.read(ctx, func(ctx context.Context, from rows.Reader) error {
		return rows.Select(ctx, from, &requests, stoppingRuns)
	})
	return requests, err
}

// Cancelled implements app.Ledger.
func (s *Store) Cancelled(ctx context.Context, ids []int64) (cancelled []app.CancelledRun, err error) {
	err = s.read(ctx, func(ctx context.Context, from rows.Reader) error {
		return rows.Select(ctx, from, &cancelled, cancelledRuns, ids)
	})
	return cancelled, err
}

// Assigned implements app.Shared.
func (s *Store) Assigned(ctx context.Context, run, job int64) (app.ProcessRun, error) {
	var row struct {
		rows.Run
		Job int64 `db:"job"`
	}
	err := s.readOne(ctx, func(ctx context.Context, from rows.Reader) error {
		found, err := rows.Find(ctx, from, &row, `SELECT `+rows.Columns+`, job FROM process_runs WHERE id = ?`, run)
		if err == nil && !found {
			err = rows.NotFound(run)
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

// Serve implements app.Shared.
func (s *Store) Serve(ctx context.Context, kinds []string) error {
	kinds = slices.Sorted(slices.Values(kinds)) // so that nodes do not wait for each other crosswise
	return s.write(ctx, func(tx *transaction) error { return tx.exec(noteServed, kinds, tx.now.UnixMilli()) })
}

// served are the kinds that are worked on here, or that somebody has told of lately.
func (s *Store) served(ctx context.Context, from rows.Reader) (kinds []string, err error) {
	if s.options.Kinds == nil {
		return nil, nil
	}
	err = rows.Select(ctx, from, &kinds, readServed, s.options.Now().Add(-servedFor).UnixMilli())
	return append(append([]string{}, s.options.Kinds...), kinds...), err
}

// PruneSome implements app.Shared.
func (s *Store) PruneSome(ctx context.Context) (int, error) {
	dropped, err := s.Prune(ctx, rows.Keep{Finished: s.options.KeepFinished, Max: s.options.KeepMax}, s.drop)
	if err != nil || ctx.Err() != nil {
		return dropped, err
	}
	if err := s.pruneFailures(ctx); err != nil {
		return dropped, err
	}
	return dropped, s.write(ctx, func(tx *transaction) error {
		tx.silent = true
		if err := tx.exec(forgetKinds, tx.now.Add(-servedFor).UnixMilli()); err != nil {
			return err
		}
		return tx.exec(forgetNodes, tx.now.Add(-rows.KeepRequests).UnixMilli(), s.node)
	})
}

// dropAtOnce is how many runs are dropped in one transaction: it holds up nobody but who wants the same runs.
const dropAtOnce = 100

// drop drops some of these runs, if they are still finished. It returns how many these were, and which are left.
func (s *Store) drop(ctx context.Context, runs []int64) (n int, left []int64, err error) {
	runs, left = runs[:min(dropAtOnce, len(runs))], runs[min(dropAtOnce, len(runs)):]
	err = s.write(ctx, func(tx *transaction) error {
		dropped, err := tx.drop(runs...)
		n, tx.silent = len(dropped), len(dropped) == 0
		return err
	})
	return n, left, err
}

// Mend implements app.Shared. Of waiting runs it looks at some, and the next time at others: there may be millions.
func (s *Store) Mend(ctx context.Context) (mended int, err error) {
	s.mending.Lock()
	defer s.mending.Unlock()
	var lost, waiting []int64
	err = s.read(ctx, func(ctx context.Context, from rows.Reader) (err error) {
		if err = rows.Select(ctx, from, &lost, startedWithout); err != nil {
			return err
		}
		var part struct{ Last, N int64 }
		if err = rows.Get(ctx, from, &part, waitingPart, s.mended, mendLook); err != nil {
			return err
		}
		err = rows.Select(ctx, from, &waiting, waitingWithout, s.mended, part.Last)
		if s.mended = part.Last; part.N < mendLook {
			s.mended = 0
		}
		return err
	})
	for _, run := range append(lost, waiting...) {
		if err != nil || ctx.Err() != nil {
			return mended, err
		}
		var lost bool
		if err = s.write(ctx, func(tx *transaction) (err error) { lost, err = tx.mend(run); return err }); lost {
			mended++
		}
	}
	return mended, err
}

// mend deals with a run whose job is over, and reports whether it still was.
func (tx *transaction) mend(run int64) (lost bool, err error) {
	now, found, err := tx.lock(run)
	if err != nil || !found || now.run.Status.Final() {
		return false, err
	}
	var working bool // who works on a run has its newest job: otherwise it could not have been started
	if _, err := tx.find(&working, isWaitedFor, now.job); err != nil || working {
		return false, err
	}
	if now.run.Status == app.Started {
		return true, tx.recover(now)
	}
	tx.silent = true
	jobs, err := tx.addJobs(now.run)
	if err != nil {
		return false, err
	}
	return true, tx.exec(`UPDATE process_runs SET job = $1 WHERE id = $2`, jobs[0], run)
}
