package jobs

import (
	"testing"
	"time"
)

// While a run waits to go alone and others go on for ever, these are held back for a fifth of the time at most; and if
// they go on for as long as a run may, the run has its chance in the end.
func TestNobodyWaitsForSolitudeForEver(t *testing.T) {
	t.Parallel()
	const longest, step = 10 * time.Minute, time.Second
	s := newSolitude(longest)
	begin := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var held, inARow, most time.Duration
	const all = 24 * time.Hour
	for now := begin; now.Before(begin.Add(all)); now = now.Add(step) {
		if s.hold(now) {
			held, inARow = held+step, inARow+step
		} else {
			inARow = 0
		}
		most = max(most, inARow)
		if now.Equal(begin.Add(30*time.Second)) && most > firstHold {
			t.Errorf("at first everybody waits for %s", most)
		}
	}
	if held > all/4 {
		t.Errorf("of %s, %s are held back", all, held)
	}
	if most < longest || most > longest+step {
		t.Errorf("the longest hold is %s", most)
	}
}

func TestAHoldThatIsOverBeginsAnew(t *testing.T) {
	t.Parallel()
	s, now := newSolitude(time.Hour), time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	s.hold(now)
	s.letGo() // the run was cancelled
	if later := now.Add(time.Hour); !s.hold(later) || !s.hold(later.Add(firstHold-1)) || s.hold(later.Add(firstHold)) {
		t.Error("the next one does not have its time")
	}
	s.done()
	if !s.hold(now.Add(time.Hour + firstHold)) {
		t.Error("after a run has gone alone, the next one has to wait for its turn")
	}
}
