package jobs

import "time"

// A run that another crash would fail goes alone, see dispatcher. Both sides of that have a bound: those that wait
// until all others have ended, and those that wait until the run has.
const (
	firstHold = 10 * time.Second
	// soloTime is how long a run has to itself once it works. What kills the process mostly does so soon.
	soloTime = time.Minute
)

// solitude decides for how long starts are held back until a run can go alone. At first that is short; each time that
// it was in vain the others have their turn for four times as long, and then it is twice as long: so in the
// end it is long enough for whatever goes on, and the others lose a fifth of the time at most.
type solitude struct {
	longest time.Duration // that it ever needs to be

	patience time.Duration // the present one
	since    time.Time     // when the holding began; zero when nothing is held
	until    time.Time     // when the others' turn ends
}

func newSolitude(longest time.Duration) *solitude {
	return &solitude{longest: max(longest, firstHold), patience: firstHold}
}

// hold reports whether nothing else may be started now, because a run waits to go alone.
func (s *solitude) hold(now time.Time) bool {
	switch {
	case now.Before(s.until):
		return false
	case s.since.IsZero():
		s.since = now
	case now.Sub(s.since) >= s.patience:
		s.until = now.Add(4 * s.patience)
		s.patience = min(2*s.patience, s.longest)
		s.since = time.Time{}
		return false
	}
	return true
}

// letGo ends the holding: the run has been started, or is not waiting any more.
func (s *solitude) letGo() { s.since = time.Time{} }

// done is letGo after the run has been started.
func (s *solitude) done() {
	s.letGo()
	s.patience, s.until = firstHold, time.Time{}
}
