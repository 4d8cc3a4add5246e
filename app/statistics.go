package app

import (
	"slices"
	"time"
)

// Statistics is the content of the statistics page: throughput, durations and a forecast.
type Statistics struct {
	At       time.Time // time of the read, truncated to seconds
	Forecast Forecast
	Workers  Workers
	Recent   Period  // of Last15Minutes
	Period   Period  // of the lookback that the page shows
	Before   Summary // of the time before Period, which is as long
	Overview
}

// Workers are the workers of all nodes, without those for bulk runs.
type Workers struct {
	Count int64 // 0: not known
	Busy  int64 // started runs, without bulk runs
}

// Lookback is a length of time that ends now. It is divided into steps.
type Lookback int8

// The lookbacks.
const (
	Last15Minutes Lookback = iota
	Last24Hours
	Last7Days
	Last30Days
)

var lookbacks = [...]struct {
	name         string
	length, step time.Duration
}{
	Last15Minutes: {"15m", 15 * time.Minute, 10 * time.Second},
	Last24Hours:   {"24h", 24 * time.Hour, 10 * time.Minute},
	Last7Days:     {"7d", 7 * 24 * time.Hour, time.Hour},
	Last30Days:    {"30d", 30 * 24 * time.Hour, 6 * time.Hour},
}

// Lookbacks returns every lookback, shortest first.
func Lookbacks() []Lookback { return []Lookback{Last15Minutes, Last24Hours, Last7Days, Last30Days} }

// String returns the name of the lookback, which ParseTimeBound also parses.
func (l Lookback) String() string { return lookbacks[l].name }

// Length returns how long the lookback is.
func (l Lookback) Length() time.Duration { return lookbacks[l].length }

// Step returns the length of its steps.
func (l Lookback) Step() time.Duration { return lookbacks[l].step }

// ParseLookback returns the lookback with exactly this name. It fails with CodeMalformed.
func ParseLookback(name string) (Lookback, error) {
	for _, lookback := range Lookbacks() {
		if lookback.String() == name {
			return lookback, nil
		}
	}
	return 0, Errorf(CodeMalformed, "The period must be 15m, 24h, 7d or 30d.")
}

// Period has the counters and durations of a lookback.
type Period struct {
	Lookback Lookback
	From     time.Time // start of the first step
	// Since is the start of the oldest step about which something is known; the zero time if nothing is.
	Since    time.Time
	Counters []Counters // one for each step, oldest first; the last step is incomplete
	// Waiting is the largest number of waiting runs in each step, sampled about once a second. -1 is not
	// known.
	Waiting []int64
	Summary
	Kinds      []KindStatistics // those with the most finished runs, at most MaxKinds
	OtherKinds int              // the number of further kinds
	Others     KindStatistics   // the sum of these
}

// MaxKinds is the largest number of kinds in a Period.
const MaxKinds = 50

// Summary sums up a length of time.
type Summary struct {
	Total Counters
	// QueueTime is the time from when a run was last due until it started; RunTime from then until it
	// completed or failed.
	QueueTime, RunTime Quantiles
}

// KindStatistics sums up the runs of a kind.
type KindStatistics struct {
	Kind string
	Summary
	Counters []Counters // as in the Period
}

// Counters are the numbers of status changes in a length of time.
type Counters struct {
	Created   int64 `json:"created"`  // new runs
	Requeued  int64 `json:"requeued"` // queued again: after an interruption, or to retry
	Started   int64 `json:"started"`
	Completed int64 `json:"completed"`
	Failed    int64 `json:"failed"`
	Cancelled int64 `json:"cancelled"`
}

// Add returns the field-wise sum of c and other.
func (c Counters) Add(other Counters) Counters {
	return Counters{
		c.Created + other.Created, c.Requeued + other.Requeued, c.Started + other.Started,
		c.Completed + other.Completed, c.Failed + other.Failed, c.Cancelled + other.Cancelled,
	}
}

// Finished returns the number of runs that completed, failed or were cancelled.
func (c Counters) Finished() int64 { return c.Completed + c.Failed + c.Cancelled }

// FailureRate returns which part of the runs that completed or failed did the latter. It returns false if
// there are none.
func (c Counters) FailureRate() (rate float64, known bool) {
	all := c.Completed + c.Failed
	if all == 0 {
		return 0, false
	}
	return float64(c.Failed) / float64(all), true
}

// Sum returns the field-wise sum of all counters.
func Sum(all []Counters) (sum Counters) {
	for _, counters := range all {
		sum = sum.Add(counters)
	}
	return sum
}

// Quantiles are the median and the 95th percentile of durations, with an error of at most 10 %.
type Quantiles struct {
	Count    int64 // number of durations; if 0, the percentiles mean nothing
	P50, P95 time.Duration
}

// KindCount is the number of waiting runs of a kind.
type KindCount struct {
	Kind string
	Runs int64
	More bool // there are more runs, which were not counted
}

// UnhandledKinds are the kinds of waiting runs that no worker handles: the first MaxUnhandled by name, then
// empty elements. It is an array so that it is comparable.
type UnhandledKinds [MaxUnhandled]KindCount

// Limits of UnhandledKinds, which are part of every frame.
const (
	MaxUnhandled     = 3    // maximum number of kinds
	CountedUnhandled = 1000 // maximum number of runs counted for each kind
)

// Has reports whether u contains kind.
func (u UnhandledKinds) Has(kind string) bool {
	return slices.ContainsFunc(u.Named(), func(one KindCount) bool { return one.Kind == kind })
}

// Named returns the elements that are not empty.
func (u UnhandledKinds) Named() []KindCount {
	for i, one := range u {
		if one.Kind == "" {
			return u[:i]
		}
	}
	return u[:]
}

// Runs returns the number of counted runs of all kinds in u.
func (u UnhandledKinds) Runs() (n int64) {
	for _, one := range u {
		n += one.Runs
	}
	return n
}

// More reports whether there may be more kinds or more runs than counted.
func (u UnhandledKinds) More() bool {
	full := u[MaxUnhandled-1].Kind != ""
	return full || slices.ContainsFunc(u[:], func(one KindCount) bool { return one.More })
}
