package query

import (
	"context"
	"sync"
	"time"
)

const (
	// measuredAtOnce is how many runs are read by one statement: it takes a tenth of a second or two.
	measuredAtOnce = 200_000
	// measureTime is about how long one answer waits for the measurement.
	measureTime = time.Second
	// leastSlack covers transactions under way, whose runs have lower ids than others but are seen later.
	leastSlack = time.Minute
)

// Clock measures by how much the times at which runs were created fall behind those of runs with lower ids. It reads
// each run once.
type Clock struct {
	mu     sync.Mutex
	last   int64 // up to this id
	latest int64 // created_at of any run up to there
	back   int64 // by how many milliseconds a run falls behind an earlier one at most
}

const measureClock = `SELECT COUNT(*) AS n, coalesce(max(id), 0) AS last, coalesce(max(created_at), 0) AS latest,
	coalesce(min(created_at), 0) AS earliest, coalesce(max(so_far - created_at), 0) AS back
	FROM (SELECT id, created_at, max(created_at) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) AS so_far
		FROM (SELECT id, created_at FROM process_runs WHERE id > ? ORDER BY id LIMIT ?) AS unread) AS part`

// slack returns by how many milliseconds a run can have been created before one with a lower id. known is false while
// there are runs that have not been measured.
func (c *Clock) slack(ctx context.Context, from Reader) (millis int64, known bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for began := time.Now(); !known && err == nil && time.Since(began) < measureTime; {
		known, err = c.measure(ctx, from)
	}
	return c.back + leastSlack.Milliseconds(), known, err
}

// measure reads some of the runs that have not been read. It reports whether these were all.
func (c *Clock) measure(ctx context.Context, from Reader) (all bool, err error) {
	var part struct {
		N        int64 `db:"n"`
		Last     int64 `db:"last"`
		Latest   int64 `db:"latest"`
		Earliest int64 `db:"earliest"`
		Back     int64 `db:"back"`
	}
	if err := Get(ctx, from, &part, measureClock, c.last, measuredAtOnce); err != nil {
		return false, err
	}
	if part.N > 0 {
		c.back = max(c.back, part.Back, c.latest-part.Earliest)
		c.last, c.latest = part.Last, max(c.latest, part.Latest)
	}
	return part.N < measuredAtOnce, nil
}

// Watch notices when a clock is set back. It is to be asked every second or so.
type Watch struct{ seen int64 }

// WentBack reports whether the clock is behind what it was when it was last asked.
func (w *Watch) WentBack(now time.Time) bool {
	millis := now.UnixMilli()
	back := millis < w.seen
	w.seen = millis
	return back
}
