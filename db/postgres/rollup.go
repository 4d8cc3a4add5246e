package postgres

import (
	"context"
	"time"

	"runboard/db/query"
)

const (
	noteBatch = `INSERT INTO saved_rollups (node, batch) VALUES ($1, $2)
		ON CONFLICT (node) DO UPDATE SET batch = excluded.batch WHERE saved_rollups.batch < excluded.batch RETURNING true`
	dropBatches = `DELETE FROM saved_rollups WHERE node <> $1 AND NOT node_is_alive(node)`
	findRollup  = `SELECT queue_ms, run_ms FROM rollups WHERE step = $1 AND at = $2 AND kind = $3 AND node = $4`
	addRollup   = `INSERT INTO rollups AS kept (step, at, kind, node, created, requeued, started, completed, failed, cancelled, queue_ms, run_ms)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (step, at, kind, node) DO UPDATE SET created = kept.created + $5, requeued = kept.requeued + $6, started = kept.started + $7,
			completed = kept.completed + $8, failed = kept.failed + $9, cancelled = kept.cancelled + $10, queue_ms = $11, run_ms = $12`
	dropRollups = `DELETE FROM rollups WHERE (step, at, kind, node) IN
		(SELECT step, at, kind, node FROM rollups WHERE step = $1 AND at < $2 ORDER BY at LIMIT 1000 FOR UPDATE SKIP LOCKED)`
)

// gather adds the events of a committed transaction to the pending rollups.
func (s *Store) gather(at time.Time, what []query.StatsEvent) {
	s.rollupsMu.Lock()
	defer s.rollupsMu.Unlock()
	s.rollups.Add(at, what...)
}

// batchOfRollups is the batch of rollups being saved. It is retried unchanged until it succeeds. Its number prevents it from
// being added twice if the response to a commit is lost.
type batchOfRollups struct {
	number  int64 // 0 before the first batch
	rollups *query.Rollups
	retryAt time.Time
}

// rollupRetry is the delay before a failed batch is saved again.
const rollupRetry = 5 * time.Second

// saveLastRollups saves all pending rollups, due or not.
func (s *Store) saveLastRollups() {
	s.unsaved.retryAt = time.Time{}
	s.saveRollups(context.Background())
	s.rollupsMu.Lock()
	s.rollups.Hurry()
	s.rollupsMu.Unlock()
	s.saveRollups(context.Background())
}

// saveRollups saves the rollups that are due. Each node has its own rows, and reads add them up. A batch that fails is kept.
func (s *Store) saveRollups(ctx context.Context) {
	batch := &s.unsaved
	if batch.rollups == nil {
		batch.rollups = s.dueRollups()
		batch.number++
	}
	if batch.rollups == nil || time.Now().Before(batch.retryAt) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTime)
	defer cancel()
	tx := &transaction{ctx: ctx, store: s, now: s.options.Now()}
	err := tx.run(func(tx *transaction) error { return tx.saveBatch(batch) })
	if err != nil {
		batch.retryAt = time.Now().Add(rollupRetry)
		s.setHealth(err)
		return
	}
	batch.rollups = nil
}

// dueRollups removes and returns the pending rollups if they are due, else nil.
func (s *Store) dueRollups() *query.Rollups {
	s.rollupsMu.Lock()
	defer s.rollupsMu.Unlock()
	if !s.rollups.Due() {
		return nil
	}
	gathered := s.rollups
	s.rollups.Forget()
	return &gathered
}

// saveBatch saves a batch, unless it has been saved before.
func (tx *transaction) saveBatch(batch *batchOfRollups) error {
	var isNew bool
	if found, err := tx.find(&isNew, noteBatch, tx.store.node, batch.number); err != nil || !found {
		return err
	}
	for row, sum := range batch.rollups.Rows() {
		if err := tx.saveRollup(row, sum); err != nil {
			return err
		}
	}
	for step, before := range query.ExpiredRollups(tx.now) {
		if err := tx.exec(dropRollups, step, before); err != nil {
			return err
		}
	}
	return nil
}

// saveRollup adds a rollup to the row of its time step.
func (tx *transaction) saveRollup(row query.RollupRow, more query.Rollup) error {
	var kept query.Times
	node := tx.store.node
	if _, err := tx.find(&kept, findRollup, row.Step, row.At, row.Kind, node); err != nil {
		return err
	}
	kept = more.Merged(kept)
	return tx.exec(addRollup, row.Step, row.At, row.Kind, node, more.Created, more.Requeued, more.Started,
		more.Completed, more.Failed, more.Cancelled, kept.Queue, kept.Run)
}
