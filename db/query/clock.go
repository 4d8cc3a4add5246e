package query

import (
	"sync"
	"time"
)

const (
	// measureBatch is the number of runs that one statement measures, in a tenth of a second or two.
	measureBatch = 200_000
	// measureTime is about how long one read waits for the measurement.
	measureTime = time.Second
	// minSlack covers open transactions: their runs have lower ids than others, but become visible later.
	minSlack = time.Minute
)

// clockSkew measures how far the creation times of runs fall behind those of runs with lower ids. They do if
// the clock is set back, or if the clocks of nodes differ. It reads each run once.
type clockSkew struct {
	mu     sync.Mutex
	last   int64 // the highest id that was measured
	latest int64 // the latest created_at up to last, in milliseconds
	back   int64 // by how many milliseconds a run falls behind an earlier one at most
}

const measureSQL = `SELECT COUNT(*) AS n, coalesce(max(id), 0) AS last,
		coalesce(max(created_at), 0) AS latest, coalesce(min(created_at), 0) AS earliest,
		coalesce(max(so_far - created_at), 0) AS back
	FROM (SELECT id, created_at, max(created_at) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) AS so_far
		FROM (SELECT id, created_at FROM process_runs WHERE id > ? ORDER BY id LIMIT ?) AS unread) AS part`

// slack returns by how many milliseconds a run may have been created before a run with a lower id. known is
// false while some runs are not measured; slack must not be relied on then.
func (c *clockSkew) slack(s *snapshot) (millis int64, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for began := time.Now(); !known && s.err == nil && time.Since(began) < measureTime; {
		known = c.measure(s)
	}
	return c.back + minSlack.Milliseconds(), known
}

// measure reads the next runs that are not measured. It reports whether none are left.
func (c *clockSkew) measure(s *snapshot) (complete bool) {
	var part struct{ N, Last, Latest, Earliest, Back int64 }
	if !s.get(&part, measureSQL, c.last, measureBatch) {
		return false
	}
	if part.N > 0 {
		c.back = max(c.back, part.Back, c.latest-part.Earliest)
		c.last, c.latest = part.Last, max(c.latest, part.Latest)
	}
	return part.N < measureBatch
}

// ClockWatch detects that the clock was set back. The caller asks it about every second, from one goroutine.
type ClockWatch struct{ last int64 }

// WentBack reports whether the clock is behind its value at the last call.
func (w *ClockWatch) WentBack(now time.Time) bool {
	millis := now.UnixMilli()
	back := millis < w.last
	w.last = millis
	return back
}
