package sqlite

import (
	"context"

	"runboard/app"
	"runboard/db/query"
)

const (
	insertRuns = `INSERT INTO process_runs
		(kind, status, version, attempt, crashes, fencing_token, error, created_at, updated_at, started_at, finished_at, scheduled_at)
		SELECT ?1, ?4, 1, 0, 0, 0, '', ?2, ?2, 0, 0, value FROM json_each(?3)`
	findRequest     = `SELECT kind, count, first_id, created_at FROM idempotency_keys WHERE key = ?`
	addRequest      = `INSERT INTO idempotency_keys (key, kind, count, first_id, created_at) VALUES (?, ?, ?, ?, ?)`
	dropOldRequests = `DELETE FROM idempotency_keys WHERE key IN
		(SELECT key FROM idempotency_keys WHERE created_at < ? ORDER BY created_at LIMIT 2)`
)

// Create implements app.Store.
func (s *Store) Create(ctx context.Context, request app.CreateRequest) (app.Batch, error) {
	if err := query.CheckNew(request); err != nil {
		return app.Batch{}, err
	}
	var batch app.Batch // owned by the writer until do succeeds: it may be set again
	err := s.writer.do(ctx, func(tx *transaction) (err error) {
		batch, err = tx.create(request, s.options.MaxPending)
		return err
	})
	if err != nil {
		return app.Batch{}, err
	}
	return batch, nil
}

// create inserts the runs of request, or returns the first batch if its idempotency key was used before.
func (tx *transaction) create(request app.CreateRequest, maxPending int64) (app.Batch, error) {
	if first, found, err := tx.findByKey(request); err != nil || found {
		return first, err
	}
	if err := tx.checkCapacity(request.Count, maxPending); err != nil {
		return app.Batch{}, err
	}
	batch, err := tx.insertRuns(request)
	if err != nil || request.IdempotencyKey == "" {
		return batch, err
	}
	return batch, tx.saveKey(request, batch)
}

// checkCapacity fails with CodeUnavailable if count more created runs would exceed maxPending. A maxPending
// of 0 is no limit.
func (tx *transaction) checkCapacity(count int, maxPending int64) error {
	return query.CheckCapacity(tx.counts[app.Created], count, maxPending)
}

// findByKey returns the first batch of a request whose idempotency key was used before. It fails with
// CodeInvalid if the key was used for another request.
func (tx *transaction) findByKey(request app.CreateRequest) (batch app.Batch, found bool, err error) {
	if request.IdempotencyKey == "" {
		return batch, false, nil
	}
	var first query.Request
	if found, err = tx.find(tx.findRequest, &first, request.IdempotencyKey); err != nil || !found {
		return batch, found, err
	}
	batch, err = first.Batch(request)
	return batch, true, err
}

// insertRuns inserts the created runs of a batch. Their ids are consecutive, because there is one writer and
// ids are never reused.
func (tx *transaction) insertRuns(request app.CreateRequest) (app.Batch, error) {
	tx.newest = max(tx.newest, tx.now.UnixMilli()) // created_at never falls as ids rise
	scheduled := make([]int64, request.Count)
	for i := range scheduled {
		scheduled[i] = tx.scheduledAt(request.Kind)
	}
	result, err := tx.insert.Exec(request.Kind, tx.newest, query.JSONArray(scheduled), int64(app.Created))
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
	tx.statsEvents = append(tx.statsEvents, query.StatsEvent{Kind: request.Kind, Flow: app.Counters{Created: count}})
	return app.Batch{
		First: last - count + 1, Count: request.Count, Kind: request.Kind, CreatedAt: query.FromMillis(tx.newest),
	}, nil
}

// scheduledAt returns when a run of kind that is created or retried now may start, in milliseconds since
// 1970; 0 is at once.
func (tx *transaction) scheduledAt(kind string) int64 {
	delay := tx.startDelay(kind)
	if delay == 0 {
		return 0
	}
	return tx.now.Add(delay).UnixMilli()
}

// saveKey saves the idempotency key with its batch and deletes at most two expired keys. So the table shrinks
// as fast as it grows, and no request pays for many.
func (tx *transaction) saveKey(request app.CreateRequest, batch app.Batch) error {
	err := tx.exec(tx.addRequest, request.IdempotencyKey, request.Kind, request.Count, batch.First, tx.now.UnixMilli())
	if err != nil {
		return err
	}
	return tx.exec(tx.oldRequest, tx.now.Add(-query.KeepRequests).UnixMilli())
}
