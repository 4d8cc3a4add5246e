package app

import (
	"slices"
	"time"
)

// Statistics is the content of the statistics page: throughput, durations and a forecast.
type Statistics struct {
	At       time.Time // time of the read, truncated to seconds
	Forecast Forecast
	Recent   Period // the last 15 minutes, in steps of RecentStep
	Day      Period // the last 24 hours, in steps of DayStep
	Overview
}

// Lengths of the periods and of their steps.
const (
	RecentSpan = 15 * time.Minute
	RecentStep = 10 * time.Second
	DaySpan    = 24 * time.Hour
	DayStep    = 10 * time.Minute
)

// Period has the counters and durations of a span of time that ends now.
type Period struct {
	From     time.Time // start of the first step
	Step     time.Duration
	Counters []Counters // one for each step, oldest first; the last step is incomplete
	Kinds    []KindTimes
}

// Counters are the numbers of status changes in a span of time.
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

// Sum returns the field-wise sum of all counters.
func Sum(all []Counters) (sum Counters) {
	for _, counters := range all {
		sum = sum.Add(counters)
	}
	return sum
}

// KindTimes has the queue times and run times of the runs of one kind.
type KindTimes struct {
	Kind string
	// QueueTime is the time from when a run was last due until it started; RunTime from then until it
	// completed or failed.
	QueueTime, RunTime Quantiles
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

// Load is the input of a forecast.
type Load struct {
	Waiting   int64 // waiting runs whose kinds have workers
	Uncounted bool  // Waiting includes an unknown number of runs without workers
	Running   int64 // started runs
	Recent    Period
}

// Forecast predicts when the queue will be empty if the rates of the last minutes continue.
type Forecast struct {
	Trend   Trend
	Waiting int64
	In      time.Duration // Draining: until the queue is empty
}

// Trend summarizes a forecast in one word.
type Trend string

// The trends.
const (
	Empty    Trend = "empty"    // no run is waiting
	Draining Trend = "draining" // more runs start than arrive
	Growing  Trend = "growing"  // at least as many runs arrive as start
	Early    Trend = "early"    // the workers have not yet shown how long runs take
	Unclear  Trend = "unclear"  // no run has started recently, or it is not known how many are waiting
)

const (
	window    = 3 * int(time.Minute/RecentStep) // the last minutes, in steps
	minStarts = 10                              // minimum number of starts for a rate
	soon      = 10 * time.Second                // a queue that empties this soon is Draining, whatever arrives
)

// Forecast computes the forecast for a load.
func (l Load) Forecast() Forecast {
	f := Forecast{Waiting: l.Waiting}
	starts, known := l.serviceRate()
	arrivals := l.arrivalRate()
	switch {
	case l.Waiting == 0:
		f.Trend = Empty
	case l.Uncounted || starts == 0:
		f.Trend = Unclear
	case !known:
		f.Trend = Early
	case float64(l.Waiting) < starts*soon.Seconds():
		f.Trend, f.In = Draining, seconds(float64(l.Waiting)/starts)
	case starts > arrivals:
		f.Trend, f.In = Draining, seconds(float64(l.Waiting)/(starts-arrivals))
	default:
		f.Trend = Growing
	}
	return f
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// complete returns the counters without the last step, which is incomplete.
func (l Load) complete() []Counters { return l.Recent.Counters[:max(0, len(l.Recent.Counters)-1)] }

// serviceRate returns the starts per second in the window, counted from its first start. If the window has
// too few starts, it uses the whole period. It returns 0 if no run started. known is false if the rate says
// nothing about the runs that wait.
func (l Load) serviceRate() (rate float64, known bool) {
	all := l.complete()
	for _, length := range []int{min(window, len(all)), len(all)} {
		steps := all[len(all)-length:]
		first := slices.IndexFunc(steps, func(c Counters) bool { return c.Started > 0 })
		if first < 0 {
			continue
		}
		if n := Sum(steps[first:]).Started; n >= minStarts || length == len(all) {
			return float64(n) / (float64(length-first) * l.Recent.Step.Seconds()), l.showsRate(length)
		}
	}
	return 0, false
}

// showsRate reports whether the last complete steps show how fast waiting runs start: a full round of workers
// has ended in them, or the workers were already busy before. Free workers start many runs at once, which says
// nothing about the next ones; and before that, their rate was that of the arrivals.
func (l Load) showsRate(steps int) bool {
	sum := Sum(l.Recent.Counters[len(l.Recent.Counters)-1-steps:]) // with the incomplete step
	ended := sum.Requeued + sum.Completed + sum.Failed + sum.Cancelled
	return ended >= l.Running || ended >= sum.Started
}

// arrivalRate returns the arrivals per second in the window. It leaves out the sixth of the steps with the
// most arrivals: a thousand runs that one click creates do not arrive again and again.
func (l Load) arrivalRate() float64 {
	all := l.complete()
	var counts []int64
	for _, counters := range all[max(0, len(all)-window):] {
		counts = append(counts, counters.Created+counters.Requeued)
	}
	slices.Sort(counts)
	counts = counts[:len(counts)-len(counts)/6]
	var n int64
	for _, count := range counts {
		n += count
	}
	return float64(n) / (max(1, float64(len(counts))) * l.Recent.Step.Seconds())
}
