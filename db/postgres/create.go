package postgres

import (
	"context"
	"time"

	"runboard/app"
	"runboard/db/query"
)

const (
	// A concurrent request with the same key waits here until the first one commits or rolls back.
	addKey = `INSERT INTO idempotency_keys (key, kind, count, inputs, first_id, created_at)
		VALUES ($1, $2, $3, $4, 0, $5)
		ON CONFLICT DO NOTHING RETURNING true`
	findKey     = `SELECT kind, count, inputs, first_id, created_at FROM idempotency_keys WHERE key = $1`
	setFirstID  = `UPDATE idempotency_keys SET first_id = $1 WHERE key = $2`
	dropOldKeys = `DELETE FROM idempotency_keys WHERE key IN (
		SELECT key FROM idempotency_keys WHERE created_at < $1
		ORDER BY created_at LIMIT 2 FOR UPDATE SKIP LOCKED)`
)

var insertRuns = query.SQL(`INSERT INTO process_runs (id, kind, status, version, attempt, crashes,
		fencing_token, error, created_at, updated_at, job, scheduled_at, inputs, concurrency_key)
	SELECT $1 + nth - 1, $2, :created, 1, 0, 0, 0, '', $3, $3, job, scheduled, $6, $7
	FROM unnest($4::bigint[], $5::bigint[]) WITH ORDINALITY AS jobs (job, scheduled, nth)`)

// Create implements app.Store.
func (s *Store) Create(ctx context.Context, request app.CreateRequest) (batch app.Batch, err error) {
	runs, err := query.PrepareRuns(request, s.options.Definitions, s.options.Secrets())
	if err != nil {
		return batch, err
	}
	err = s.write(ctx, func(tx *transaction) (err error) {
		batch, err = tx.Idempotent(runs, func() (app.Batch, error) {
			if err := tx.checkCapacity(request.Count); err != nil {
				return app.Batch{}, err
			}
			return tx.InsertRuns(runs)
		})
		return err
	})
	if err != nil {
		return app.Batch{}, err
	}
	return batch, nil
}

// Idempotent implements query.BulkWriter. It also deletes two expired keys, so that the table shrinks faster
// than it grows and no request pays for many.
func (tx *transaction) Idempotent(
	request query.NewRuns, create func() (app.Batch, error),
) (app.Batch, error) {
	key := request.IdempotencyKey
	if key == "" {
		return create()
	}
	var isFirst bool
	_, err := tx.Find(&isFirst, addKey, key, request.Kind, request.Count, request.Fingerprint,
		tx.now.UnixMilli())
	if err != nil {
		return app.Batch{}, err
	}
	if !isFirst {
		tx.noNotify = true
		var first query.KeyedRequest
		if err := tx.GetContext(tx.ctx, &first, findKey, key); err != nil {
			return app.Batch{}, err
		}
		return first.Batch(request)
	}
	batch, err := create()
	if err != nil {
		return batch, err
	}
	if err := tx.Exec(setFirstID, batch.First, key); err != nil {
		return batch, err
	}
	return batch, tx.Exec(dropOldKeys, tx.now.Add(-query.KeepKeys).UnixMilli())
}

// checkCapacity fails with CodeUnavailable if count more created runs would exceed Options.MaxPending.
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

// InsertRuns implements query.BulkWriter. The ids are consecutive. It also adds the jobs of the runs.
func (tx *transaction) InsertRuns(request query.NewRuns) (app.Batch, error) {
	var first int64
	if err := tx.GetContext(tx.ctx, &first, "SELECT allocate_run_ids($1)", request.Count); err != nil {
		return app.Batch{}, err
	}
	batch := request.Batch(first, tx.time())
	runs := batch.Runs()
	scheduled := make([]int64, len(runs))
	for i := range runs {
		runs[i].ScheduledAt = tx.scheduledAt(request.Kind)
		scheduled[i] = query.Millis(runs[i].ScheduledAt)
	}
	jobs, err := tx.addJobs(tx.mayWait(runs[0]), runs...)
	if err != nil {
		return batch, err
	}
	created := app.Counters{Created: int64(request.Count)}
	tx.events = append(tx.events, query.StatsEvent{Kind: request.Kind, Counters: created})
	err = tx.Exec(insertRuns, batch.First, request.Kind, tx.now.UnixMilli(), jobs, scheduled,
		batch.InputCount, batch.ConcurrencyKey)
	if err != nil {
		return batch, err
	}
	return batch, tx.insertInputs(request, batch)
}

// scheduledAt returns the time at which a run that is created or retried now may start; the zero time is at
// once.
func (tx *transaction) scheduledAt(kind string) time.Time {
	delay := tx.store.options.StartDelay(kind)
	if delay == 0 {
		return time.Time{}
	}
	return query.FromMillis(tx.now.Add(delay).UnixMilli())
}
