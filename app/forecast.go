package app

import (
	"math"
	"slices"
	"time"
)

// Load is the input of a forecast.
type Load struct {
	Waiting   int64         // waiting runs whose kinds have workers
	Uncounted bool          // Waiting includes an unknown number of runs without workers
	Running   int64         // started runs
	Workers   int64         // runs that may be started at once; 0: not known
	Recent    Period        // of Last15Minutes
	RunTime   time.Duration // mean run time of the runs that ended in it; 0: not known
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
	window    = 18               // the last steps, which are three minutes
	minStarts = 10               // minimum number of starts for a rate
	soon      = 10 * time.Second // a queue that empties this soon is Draining, whatever arrives
)

// Forecast computes the forecast for a load.
func (l Load) Forecast() Forecast {
	f := Forecast{Waiting: l.Waiting}
	starts, known := l.serviceRate()
	arrivals := l.arrivalRate()
	switch {
	case l.Waiting == 0:
		f.Trend = Empty
	case l.Uncounted || Sum(l.Recent.Counters).Started == 0:
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

// seconds returns a duration, at most the longest. A queue of a million that is almost balanced takes longer.
func seconds(n float64) time.Duration {
	if n >= time.Duration(math.MaxInt64).Seconds() {
		return math.MaxInt64
	}
	return time.Duration(n * float64(time.Second))
}

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
		steps = steps[first:]
		if Sum(steps).Started >= minStarts || length == len(all) {
			return min(l.startRate(steps), l.workRate()), l.showsRate(length) && l.isOver(steps)
		}
	}
	return 0, false
}

// startRate returns the starts per second in steps, of which the first one has the first start. Perhaps that
// was at its end, so the step does not lower the rate.
func (l Load) startRate(steps []Counters) float64 {
	rate := func(steps []Counters) float64 {
		took := max(1, float64(len(steps))) * l.Recent.Lookback.Step().Seconds()
		return float64(Sum(steps).Started) / took
	}
	return max(rate(steps), rate(steps[1:]))
}

// workRate returns how many runs the workers can do per second: when long runs begin together, they also end
// together, and many starts follow within seconds.
func (l Load) workRate() float64 {
	if l.Workers == 0 || l.RunTime == 0 {
		return math.Inf(1)
	}
	return float64(l.Workers) / l.RunTime.Seconds()
}

// showsRate reports whether the last complete steps show how fast waiting runs start: a full round of workers
// has ended in them, or the workers were already busy before. Free workers start many runs at once, which
// says nothing about the next ones; and before that, their rate was that of the arrivals.
func (l Load) showsRate(steps int) bool {
	sum := Sum(l.Recent.Counters[len(l.Recent.Counters)-1-steps:]) // with the incomplete step
	ended := sum.Requeued + sum.Finished()
	return ended >= l.Running || ended >= sum.Started
}

// isOver reports whether the first of the steps, in which runs began to start, is not the only one.
func (l Load) isOver(steps []Counters) bool { return len(steps) > 1 || l.Running == 0 }

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
	return float64(n) / (max(1, float64(len(counts))) * l.Recent.Lookback.Step().Seconds())
}
