package jobs

import "time"

// minBarrier is how long starts are blocked at first for a run that must run alone; most work ends in that time. Between two
// barriers, starts go on for openFactor times as long, so that they cost at most a quarter of the time, however long the
// work is that they wait for.
const (
	minBarrier = 10 * time.Second
	openFactor = 3
)

// barrier blocks all starts for a while, so that a run can run alone. If that was not long enough, it lets starts go on for
// a longer while and then blocks them for twice as long. Since all work ends some time, a barrier will be long enough in
// the end, and none is longer than twice what was needed.
type barrier struct {
	length    time.Duration
	until     time.Time // blocks until then,
	openUntil time.Time // and not from then until this
}

// blocks reports whether starts are blocked now, for a run that cannot start yet.
func (b *barrier) blocks(now time.Time) bool {
	if !now.Before(b.openUntil) {
		b.length = max(minBarrier, 2*b.length)
		b.until = now.Add(b.length)
		b.openUntil = b.until.Add(openFactor * b.length)
	}
	return now.Before(b.until)
}
