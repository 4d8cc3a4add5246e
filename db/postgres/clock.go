package postgres

import (
	"context"
	"sync"
	"time"

	"runboard/app"
)

// stepBack is by how much two measurements of the server's clock may differ before it counts as set back.
const stepBack = time.Second

// serverClock is the clock of the database server, which all nodes share. It is measured every second; in between, time
// goes on by the node's monotonic clock, whatever its wall clock is set to.
type serverClock struct {
	mu   sync.Mutex
	at   time.Time // what the server's clock showed
	seen time.Time // when that was, by the monotonic clock
	last time.Time // what now returned last
}

// now returns the time. It goes back only if the server's clock does.
func (c *serverClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if !c.seen.IsZero() {
		now = c.at.Add(now.Sub(c.seen))
	}
	if behind := c.last.Sub(now); behind > 0 && behind < stepBack {
		return c.last
	}
	c.last = now
	return now
}

// measureClock reads the server's clock.
func (s *Store) measureClock(ctx context.Context) error {
	if s.clock == nil { // a test has set another one
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	asked := time.Now()
	var millis int64
	if err := s.db.GetContext(ctx, &millis, "SELECT server_millis()"); err != nil {
		return err
	}
	s.clock.set(time.UnixMilli(millis).UTC(), asked, time.Now())
	return nil
}

// set takes in what the server's clock showed at some time between two. If that may be what this clock shows as
// well, it is left alone: an answer that took long, as while no connection is free, would only make it wrong.
func (c *serverClock) set(at, asked, answered time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	took := answered.Sub(asked)
	since := c.at.Add(answered.Sub(c.seen)).Sub(at)
	if inexact := took / 4; !c.seen.IsZero() && since >= -inexact && since <= took+inexact {
		return
	}
	c.at, c.seen = at, asked.Add(took/2)
}

// mendDue lets the runs that wait for another attempt wait from now on, with their jobs, if they were put to wait at a
// time that is yet to come: the clock was set back, and they would wait longer by as much.
const mendDue = `WITH late AS (UPDATE process_runs SET scheduled_at = $1 + scheduled_at - updated_at, updated_at = $1, version = version + 1
		WHERE status = 0 AND scheduled_at > $1 AND updated_at > $1 RETURNING id, job, scheduled_at),
	jobs AS (UPDATE river_job SET scheduled_at = to_timestamp(late.scheduled_at / 1000.0) FROM late
		WHERE river_job.id = late.job AND state = 'scheduled')
	SELECT id FROM late`

func (s *Store) repairScheduled(ctx context.Context) {
	err := s.write(ctx, func(tx *transaction) error {
		var mended []int64
		err := tx.SelectContext(tx.ctx, &mended, mendDue, tx.now.UnixMilli())
		tx.silent = len(mended) == 0
		return err
	})
	if err != nil && app.CodeOf(err) != app.CodeUnavailable {
		s.options.Log.Error("the runs that wait for another attempt cannot be mended after the clock was set back", "error", err)
	}
}
