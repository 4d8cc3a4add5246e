package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/jmoiron/sqlx"

	"runboard/app"
	"runboard/db/query"
)

const (
	// writeTimeout bounds every write.
	writeTimeout = 15 * time.Second
	// maxTries is how often a transaction that conflicts with others is tried.
	maxTries = 10
)

// transaction is a write transaction in progress.
type transaction struct {
	*sqlx.Tx
	ctx      context.Context
	store    *Store
	now      time.Time // the time of all its changes
	events   []query.StatsEvent
	groups   []limitGroup // to be balanced after the commit
	newJobs  map[newJob]bool
	noNotify bool // nothing visible has changed
}

// write runs apply in a transaction and returns after the commit. Once begun, it ignores the cancellation of
// ctx: writeTimeout bounds it instead. apply is called again if the transaction conflicts with others.
func (s *Store) write(ctx context.Context, apply func(*transaction) error) error {
	var tx *transaction
	err := s.retry(ctx, func(ctx context.Context, now time.Time) (bool, []query.StatsEvent, error) {
		tx = &transaction{ctx: ctx, store: s, now: now}
		err := tx.run(apply)
		return !tx.noNotify, tx.events, err
	})
	if err == nil {
		for job := range tx.newJobs {
			s.notifyJobs(job.wait, job.queue)
		}
		s.balancer.add(tx.groups...)
	}
	return err
}

// run begins the transaction, calls apply and commits. A panic of apply becomes an error.
func (tx *transaction) run(apply func(*transaction) error) (err error) {
	if tx.Tx, err = tx.store.db.BeginTxx(tx.ctx, nil); err != nil {
		return err
	}
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v\n%s", panicked, debug.Stack())
		}
		if err != nil {
			_ = tx.Rollback()
		}
	}()
	if err := apply(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// retry calls do until it no longer conflicts with other transactions, at most maxTries times. After success
// it records the statistics, and notifies if do reports a change.
func (s *Store) retry(
	ctx context.Context,
	do func(context.Context, time.Time) (changed bool, events []query.StatsEvent, err error),
) error {
	if !s.door.enter() {
		return query.ErrClosed
	}
	defer s.door.leave()
	if err := ctx.Err(); err != nil {
		return query.Unavailable(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	for try := 1; ; try++ {
		now := s.options.Now()
		changed, events, err := do(ctx, now)
		switch {
		case isSerializationFailure(err) && try < maxTries:
			query.Pause(ctx, rand.N(time.Duration(try)*5*time.Millisecond))
			continue
		case err == nil:
			s.collect(now, events)
			if changed {
				s.changed()
			}
			return nil
		case app.CodeOf(err) != app.CodeInternal:
			return err
		}
		err = causeOf(ctx, err)
		s.setHealth(err)
		return query.Unavailable(err)
	}
}

// Find implements query.Writer.
func (tx *transaction) Find(row any, statement string, args ...any) (bool, error) {
	err := tx.GetContext(tx.ctx, row, statement, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// Exec implements query.Writer.
func (tx *transaction) Exec(statement string, args ...any) error {
	_, err := tx.ExecContext(tx.ctx, statement, args...)
	return err
}

// time returns the time of the transaction with the precision of the database.
func (tx *transaction) time() time.Time { return query.FromMillis(tx.now.UnixMilli()) }
