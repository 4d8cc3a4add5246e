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

// insertRuns inserts runs with consecutive ids and their jobs, and returns the first id. A job is available
// if it is due before ScheduleJobs is sure to see it.
var insertRuns = query.SQL(`WITH ids AS MATERIALIZED (
		SELECT allocate_run_ids(cardinality($1::bigint[])) AS first),
	numbered AS MATERIALIZED (SELECT first + nth - 1 AS run, nextval('river_job_id_seq') AS job, scheduled,
			CASE scheduled WHEN 0 THEN now() ELSE to_timestamp(scheduled / 1000.0) END AS due
		FROM ids, unnest($1::bigint[]) WITH ORDINALITY AS each (scheduled, nth)),
	jobs AS (INSERT INTO river_job (id, args, kind, max_attempts, priority, queue, scheduled_at, state)
		SELECT job, jsonb_build_object('run', run), $2, $3, $4, $5, due,
			CASE WHEN $6 AND scheduled <= $7 THEN 'pending'::river_job_state
				WHEN due` + dueSoon + ` THEN 'available' ELSE 'scheduled' END
		FROM numbered),
	runs AS (INSERT INTO process_runs (id, kind, status, version, attempt, crashes, fencing_token, error,
			created_at, updated_at, job, scheduled_at, inputs, concurrency_key)
		SELECT run, $8, :created, 1, 0, 0, 0, '', $7, $7, job, scheduled, $9, $10 FROM numbered)
	SELECT first FROM ids`)

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
	run := app.ProcessRun{Kind: request.Kind, ConcurrencyKey: request.ConcurrencyKey}
	queue := app.QueueOf(run, tx.store.options.MaxCrashes)
	scheduled := make([]int64, request.Count)
	for i := range scheduled {
		due := tx.scheduledAt(run.Kind)
		scheduled[i] = query.Millis(due)
		tx.addJob(queue, due)
	}
	var first int64
	err := tx.GetContext(tx.ctx, &first, insertRuns, scheduled, app.Job{RunKind: run.Kind}.Kind(), maxAttempts,
		priorityNew, queue, tx.mayWait(run), tx.now.UnixMilli(),
		run.Kind, len(request.Inputs), run.ConcurrencyKey)
	if err != nil {
		return app.Batch{}, err
	}
	batch := request.Batch(first, tx.time())
	created := app.Counters{Created: int64(request.Count)}
	tx.events = append(tx.events, query.StatsEvent{Kind: request.Kind, Counters: created})
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
