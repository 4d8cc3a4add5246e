package postgres

import (
	"context"
	"sync"
	"time"
)

// stepBack is how far the server's clock may go back before it counts as having been set back.
const stepBack = time.Second

// serverClock is the clock of the database server, which all nodes share. It is measured at each tick;
// in between, time goes on by the node's monotonic clock, whatever its wall clock is set to.
type serverClock struct {
	mu   sync.Mutex
	at   time.Time // the server's time at the last measurement
	seen time.Time // local time of that measurement, with a monotonic reading
	last time.Time // the last result of now
}

// now returns the server's time. It goes back only if the server's clock was set back by stepBack or more.
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
	if s.clock == nil { // a test has set Options.Now
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	sent := time.Now()
	var millis int64
	if err := s.db.GetContext(ctx, &millis, "SELECT server_millis()"); err != nil {
		return err
	}
	s.clock.set(time.UnixMilli(millis).UTC(), sent, time.Now())
	return nil
}

// set adjusts the clock to a measurement that was taken between sent and received. A measurement that agrees
// with the clock within its error is ignored: a slow response, such as while no connection is free, would
// make the clock worse.
func (c *serverClock) set(at, sent, received time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	took := received.Sub(sent)
	since := c.at.Add(received.Sub(c.seen)).Sub(at)
	if inexact := took / 4; !c.seen.IsZero() && since >= -inexact && since <= took+inexact {
		return
	}
	c.at, c.seen = at, sent.Add(took/2)
}
