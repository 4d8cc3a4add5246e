package jobs

import "time"

// firstHold is how long starts are held back the first time for a run that must be alone: most work has ended
// by then. Between holds, starts are let go for openShare times as long, so that at most a quarter of the time
// is lost to it, however long the run in flight is that keeps it waiting.
const (
	firstHold = 10 * time.Second
	openShare = 3
)

// hold is how the dispatcher gets a run to be alone without stopping everybody else for the sake of one long
// run. It holds all starts back for a while; if that was not enough, it lets them go on for a longer while, and
// then holds them back for twice as long as the last time. As all that is in flight ends some time, a hold will
// in the end be long enough, and none is longer than twice what was needed.
type hold struct {
	length       time.Duration
	until, again time.Time // held until the one, and open until the other
}

// holding reports whether starts are to be held back now, for a run that cannot go yet.
func (h *hold) holding(now time.Time) bool {
	if !now.Before(h.again) {
		h.length = max(firstHold, 2*h.length)
		h.until = now.Add(h.length)
		h.again = h.until.Add(openShare * h.length)
	}
	return now.Before(h.until)
}
