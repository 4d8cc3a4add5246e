package postgres

import (
	"context"
	"sync"
	"time"

	"runboard/db/query"
)

const (
	saveBatch = `INSERT INTO saved_rollups (node, batch) VALUES ($1, $2)
		ON CONFLICT (node) DO UPDATE SET batch = excluded.batch WHERE saved_rollups.batch < excluded.batch
		RETURNING true`
	dropBatches = `DELETE FROM saved_rollups WHERE node <> $1 AND NOT node_is_alive(node)`
	dropRollups = `DELETE FROM rollups WHERE (step, at, kind, node) IN (
		SELECT step, at, kind, node FROM rollups WHERE step = $1 AND at < $2
		ORDER BY at LIMIT 1000 FOR UPDATE SKIP LOCKED)`
	// dropSamples keeps the newest expired sample, which says how many runs waited until the next one.
	dropSamples = `DELETE FROM waiting_samples WHERE (step, at) IN (
		SELECT step, at FROM waiting_samples WHERE step = $1 AND at <
			(SELECT max(at) FROM waiting_samples WHERE step = $1 AND at < $2)
		ORDER BY at LIMIT 1000 FOR UPDATE SKIP LOCKED)`
)

// nodeRollups are the statistics of a node that are not saved yet.
type nodeRollups struct {
	mu      sync.Mutex
	pending query.Rollups // guarded by mu
	unsaved rollupBatch   // owned by tickLoop, and then by Close
}

// collect adds the events of a committed transaction to the pending rollups.
func (s *Store) collect(at time.Time, events []query.StatsEvent) {
	if len(events) > 0 {
		s.pace.stir() // pages of other nodes wait for the rollups
	}
	s.rollups.mu.Lock()
	defer s.rollups.mu.Unlock()
	s.rollups.pending.Add(at, events...)
}

// rollupBatch is the batch of rollups being saved. It is retried unchanged until it succeeds. Its number
// prevents it from being added twice if the response to a commit is lost.
type rollupBatch struct {
	number  int64 // 0 before the first batch
	rollups *query.Rollups
	retryAt time.Time
}

// rollupRetry is the delay before a failed batch is saved again.
const rollupRetry = 5 * time.Second

// saveLastRollups saves all pending rollups, due or not.
func (s *Store) saveLastRollups() {
	s.rollups.unsaved.retryAt = time.Time{}
	s.saveRollups(context.Background())
	s.rollups.mu.Lock()
	s.rollups.pending.Hurry()
	s.rollups.mu.Unlock()
	s.saveRollups(context.Background())
}

// saveRollups saves the rollups that are due. Each node has its own rows, and reads add them up. A batch that
// fails is kept.
func (s *Store) saveRollups(ctx context.Context) {
	batch := &s.rollups.unsaved
	if batch.rollups == nil {
		batch.rollups = s.dueRollups()
		batch.number++
	}
	if batch.rollups == nil || time.Now().Before(batch.retryAt) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	tx := &transaction{ctx: ctx, store: s, now: s.options.Now()}
	err := tx.run(func(tx *transaction) error { return tx.saveBatch(batch) })
	if err != nil {
		batch.retryAt = time.Now().Add(rollupRetry)
		s.setHealth(causeOf(ctx, err))
		return
	}
	batch.rollups = nil
}

// dueRollups removes and returns the pending rollups if they are due, else nil.
func (s *Store) dueRollups() *query.Rollups {
	s.rollups.mu.Lock()
	defer s.rollups.mu.Unlock()
	if !s.rollups.pending.Due() {
		return nil
	}
	due := s.rollups.pending
	s.rollups.pending.Forget()
	return &due
}

// saveBatch saves a batch, unless it has been saved before, and deletes expired rows.
func (tx *transaction) saveBatch(batch *rollupBatch) error {
	var isNew bool
	if found, err := tx.Find(&isNew, saveBatch, tx.store.node, batch.number); err != nil || !found {
		return err
	}
	if err := batch.rollups.Save(tx, tx.store.node, tx.now); err != nil {
		return err
	}
	for _, expired := range query.ExpiredRollups(tx.now) {
		for _, drop := range []string{dropRollups, dropSamples} {
			if err := tx.Exec(drop, expired.Step, expired.Before); err != nil {
				return err
			}
		}
	}
	return nil
}
