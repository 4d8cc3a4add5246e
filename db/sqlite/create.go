package sqlite

import (
	"context"
	"time"

	"runboard/app"
	"runboard/db/query"
)

const (
	insertRuns = `INSERT INTO process_runs (kind, status, version, attempt, crashes, fencing_token, error,
			created_at, updated_at, started_at, finished_at, scheduled_at, inputs, concurrency_key)
		SELECT ?1, ?4, 1, 0, 0, 0, '', ?2, ?2, 0, 0, value, ?5, ?6 FROM json_each(?3)`
	findKey = `SELECT kind, count, inputs, first_id, created_at FROM idempotency_keys WHERE key = ?`
	addKey  = `INSERT INTO idempotency_keys (key, kind, count, inputs, first_id, created_at)
		VALUES (?, ?, ?, ?, ?, ?)`
	dropOldKeys = `DELETE FROM idempotency_keys WHERE key IN (
		SELECT key FROM idempotency_keys WHERE created_at < ? ORDER BY created_at LIMIT 2)`
)

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
	var first query.KeyedRequest
	found, err := tx.Find(&first, findKey, key)
	if err != nil {
		return app.Batch{}, err
	}
	if found {
		return first.Batch(request)
	}
	batch, err := create()
	if err != nil {
		return batch, err
	}
	err = tx.Exec(addKey, key, request.Kind, request.Count, request.Fingerprint, batch.First,
		tx.now.UnixMilli())
	if err != nil {
		return batch, err
	}
	return batch, tx.Exec(dropOldKeys, tx.now.Add(-query.KeepKeys).UnixMilli())
}

// checkCapacity fails with CodeUnavailable if count more created runs would exceed Options.MaxPending.
func (tx *transaction) checkCapacity(count int) error {
	return query.CheckCapacity(tx.counts[app.Created], count, tx.options.MaxPending)
}

// InsertRuns implements query.BulkWriter. The ids are consecutive, because there is one writer and ids are
// never reused.
func (tx *transaction) InsertRuns(request query.NewRuns) (app.Batch, error) {
	tx.newest = max(tx.newest, tx.now.UnixMilli()) // created_at never falls as ids rise
	scheduled := make([]int64, request.Count)
	for i := range scheduled {
		scheduled[i] = query.Millis(tx.scheduledAt(request.Kind))
	}
	values, ctx := query.JSONArray(scheduled), context.Background()
	result, err := tx.conn.ExecContext(ctx, insertRuns, request.Kind, tx.newest, values, app.Created,
		len(request.Inputs), request.ConcurrencyKey)
	if err != nil {
		return app.Batch{}, err
	}
	last, err := result.LastInsertId()
	if err != nil {
		return app.Batch{}, err
	}
	count := int64(request.Count)
	tx.counts[app.Created] += count
	tx.enqueued += count
	tx.changed = true
	created := app.Counters{Created: count}
	tx.events = append(tx.events, query.StatsEvent{Kind: request.Kind, Counters: created})
	batch := request.Batch(last-count+1, query.FromMillis(tx.newest))
	return batch, tx.insertInputs(request, batch)
}

// scheduledAt returns the time at which a run that is created or retried now may start; the zero time is at
// once.
func (tx *transaction) scheduledAt(kind string) time.Time {
	delay := tx.options.StartDelay(kind)
	if delay == 0 {
		return time.Time{}
	}
	return query.FromMillis(tx.now.Add(delay).UnixMilli())
}
