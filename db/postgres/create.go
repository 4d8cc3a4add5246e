package postgres

import (
	"context"
	"time"

	"runboard/app"
	"runboard/db/query"
)

const (
	// A concurrent request with the same key waits here until the first one commits or rolls back.
	addRequest = `INSERT INTO idempotency_keys (key, kind, count, first_id, created_at) VALUES ($1, $2, $3, 0, $4) ON CONFLICT DO NOTHING RETURNING true`

	findRequest     = `SELECT kind, count, first_id, created_at FROM idempotency_keys WHERE key = $1`
	answerRequest   = `UPDATE idempotency_keys SET first_id = $1 WHERE key = $2`
	dropOldRequests = `DELETE FROM idempotency_keys WHERE key IN
		(SELECT key FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT 2 FOR UPDATE SKIP LOCKED)`

	insertRuns = `INSERT INTO process_runs (id, kind, status, version, attempt, crashes, fencing_token, error, created_at, updated_at, job, scheduled_at)
		SELECT $1 + nth - 1, $2, 0, 1, 0, 0, 0, '', $3, $3, job, scheduled
		FROM unnest($4::bigint[], $5::bigint[]) WITH ORDINALITY AS jobs (job, scheduled, nth)`
	addAction = `INSERT INTO bulk_actions (run_id, action, preview_runs, preview_skipped, preview_more, next, done, skipped) VALUES ($1, $2, $3, $4, $5, $1, 0, 0)`
)

// Create implements app.Store.
func (s *Store) Create(ctx context.Context, request app.CreateRequest) (batch app.Batch, err error) {
	if err := query.CheckNew(request); err != nil {
		return batch, err
	}
	err = s.write(ctx, func(tx *transaction) (err error) {
		batch, err = tx.idempotent(request, func() (app.Batch, error) {
			if err := tx.checkCapacity(request.Count); err != nil {
				return app.Batch{}, err
			}
			return tx.insertRuns(request)
		})
		return err
	})
	if err != nil {
		return app.Batch{}, err
	}
	return batch, nil
}

// Act implements app.Store.
func (s *Store) CreateBulkAction(ctx context.Context, action app.BulkAction, key string) (run app.ProcessRun, err error) {
	made, err := s.NewBulkAction(ctx, action)
	if err != nil {
		return run, err
	}
	var batch app.Batch
	err = s.write(ctx, func(tx *transaction) (err error) {
		batch, err = tx.idempotent(made.Request(key), func() (app.Batch, error) { return tx.createBulkRun(made) })
		return err
	})
	if err != nil {
		return run, err
	}
	batch.Kind = made.Kind
	return batch.Runs()[0], nil
}

// createBulkRun creates the run that performs a bulk action.
func (tx *transaction) createBulkRun(action query.NewBulkAction) (app.Batch, error) {
	if action.Refused != nil {
		return app.Batch{}, action.Refused
	}
	batch, err := tx.insertRuns(app.CreateRequest{Kind: action.Kind, Count: 1})
	if err != nil {
		return batch, err
	}
	return batch, tx.exec(addAction, batch.First, action.JSON, action.Preview.Runs, action.Preview.Skipped, action.Preview.More)
}

// idempotent calls create, unless the idempotency key of the request was used before: then it returns the first batch. It
// also deletes two expired keys, so that the table shrinks faster than it grows and no request pays for many.
func (tx *transaction) idempotent(request app.CreateRequest, create func() (app.Batch, error)) (app.Batch, error) {
	if request.IdempotencyKey == "" {
		return create()
	}
	var first bool
	if _, err := tx.find(&first, addRequest, request.IdempotencyKey, request.Kind, request.Count, tx.now.UnixMilli()); err != nil {
		return app.Batch{}, err
	}
	if !first {
		tx.noNotify = true
		var known query.Request
		if err := tx.GetContext(tx.ctx, &known, findRequest, request.IdempotencyKey); err != nil {
			return app.Batch{}, err
		}
		return known.Batch(request)
	}
	batch, err := create()
	if err == nil {
		err = tx.exec(answerRequest, batch.First, request.IdempotencyKey)
	}
	if err == nil {
		err = tx.exec(dropOldRequests, tx.now.Add(-query.KeepRequests).UnixMilli())
	}
	return batch, err
}

// checkCapacity fails if count more created runs would exceed Options.MaxPending.
func (tx *transaction) checkCapacity(count int) error {
	if tx.store.options.MaxPending == 0 {
		return nil
	}
	counts, err := query.ReadCounts(tx.ctx, tx)
	if err != nil {
		return err
	}
	return query.CheckCapacity(counts[app.Created], count, tx.store.options.MaxPending)
}

// insertRuns creates runs with consecutive IDs, and their jobs.
func (tx *transaction) insertRuns(request app.CreateRequest) (app.Batch, error) {
	batch := app.Batch{Count: request.Count, Kind: request.Kind, CreatedAt: query.FromMillis(tx.now.UnixMilli())}
	if err := tx.GetContext(tx.ctx, &batch.First, "SELECT allocate_run_ids($1)", request.Count); err != nil {
		return batch, err
	}
	runs := batch.Runs()
	scheduled := make([]int64, len(runs))
	for i := range runs {
		runs[i].ScheduledAt = tx.scheduledAt(request.Kind)
		scheduled[i] = query.Millis(runs[i].ScheduledAt)
	}
	jobs, err := tx.addJobs(runs...)
	if err != nil {
		return batch, err
	}
	tx.events = append(tx.events, query.StatsEvent{Kind: request.Kind, Flow: app.Counters{Created: int64(request.Count)}})
	return batch, tx.exec(insertRuns, batch.First, request.Kind, tx.now.UnixMilli(), jobs, scheduled)
}

// scheduledAt returns the time at which a run that is created or retried now may start; the zero time is at once.
func (tx *transaction) scheduledAt(kind string) time.Time {
	delay := tx.store.options.StartDelay(kind)
	if delay == 0 {
		return time.Time{}
	}
	return tx.time().Add(delay).Truncate(time.Millisecond)
}
