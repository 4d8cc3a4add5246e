package app

import "time"

// Position is the place of a created run in the queue. The zero Position is none: the run is not created or
// not due, its kind is paused, no worker handles it, or a crash interrupted it.
type Position struct {
	// Place counts from 1, which is the run that starts next. If More is true, it is CountedAhead+1.
	Place int
	// More says that more than CountedAhead runs are before this one.
	More bool
	// Wait is about how long until the run starts, or 0 if that cannot be estimated.
	Wait time.Duration
}

// CountedAhead is the largest number of runs before another one that is counted.
const CountedAhead = 1000

// Wait estimates how long the run at a place of the queue waits until it starts, at the rate of the last
// minutes. It returns 0 if the rate is not known.
func (l Load) Wait(place int) time.Duration {
	rate, known := l.serviceRate()
	if !known {
		return 0
	}
	return max(seconds(float64(place)/rate), time.Second)
}

// RateSteps is how many complete steps of Load.Recent are enough for an estimate of Wait.
const RateSteps = window
