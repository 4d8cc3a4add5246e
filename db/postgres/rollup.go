package postgres

import (
	"context"
	"time"

	"runboard/db/rows"
)

const (
	findRollup = `SELECT waits, works FROM rollups WHERE step = $1 AND at = $2 AND kind = $3 AND node = $4`
	addRollup  = `INSERT INTO rollups AS kept (step, at, kind, node, created, returned, started, completed, failed, cancelled, waits, works)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (step, at, kind, node) DO UPDATE SET created = kept.created + $5, returned = kept.returned + $6, started = kept.started + $7,
			completed = kept.completed + $8, failed = kept.failed + $9, cancelled = kept.cancelled + $10, waits = $11, works = $12`
	dropRollups = `DELETE FROM rollups WHERE (step, at, kind, node) IN
		(SELECT step, at, kind, node FROM rollups WHERE step = $1 AND at < $2 ORDER BY at LIMIT 1000 FOR UPDATE SKIP LOCKED)`
)

// gather takes note of what a transaction has done.
func (s *Store) gather(at time.Time, what []rows.Happening) {
	s.rollupsMu.Lock()
	defer s.rollupsMu.Unlock()
	s.rollups.Add(at, what...)
}

// hurryRollups has what is gathered written down the next time.
func (s *Store) hurryRollups() {
	s.rollupsMu.Lock()
	defer s.rollupsMu.Unlock()
	s.rollups.Hurry()
}

// saveRollups writes down what this node has gathered, when it is time: to rows of its own, which are added up by those who
// read. What cannot be written down is kept.
func (s *Store) saveRollups(ctx context.Context) {
	s.rollupsMu.Lock()
	if !s.rollups.Due() {
		s.rollupsMu.Unlock()
		return
	}
	gathered := s.rollups
	s.rollups.Forget()
	s.rollupsMu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rows.ReadTimeout)
	defer cancel()
	tx := &transaction{ctx: ctx, store: s, now: s.options.Now()}
	err := tx.run(func(tx *transaction) error {
		return gathered.Each(tx.now, tx.saveRollup, func(step, before int64) error { return tx.exec(dropRollups, step, before) })
	})
	if err == nil {
		return
	}
	s.note(err)
	if isFault(err) {
		s.rollupsMu.Lock()
		defer s.rollupsMu.Unlock()
		s.rollups.Join(gathered)
	}
}

// saveRollup adds what happened to the step that it happened in.
func (tx *transaction) saveRollup(row rows.RollupRow, more rows.Rollup) error {
	var kept rows.Times
	node := tx.store.node
	if _, err := tx.find(&kept, findRollup, row.Step, row.At, row.Kind, node); err != nil {
		return err
	}
	kept = more.Merged(kept)
	return tx.exec(addRollup, row.Step, row.At, row.Kind, node, more.Created, more.Returned, more.Started,
		more.Completed, more.Failed, more.Cancelled, kept.Waits, kept.Works)
}
