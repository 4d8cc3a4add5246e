package app

import (
	"slices"
	"time"
)

// Statistics is how the board is doing.
type Statistics struct {
	At       time.Time // when this was so, to the second
	Forecast Forecast
	Recent   Period // the last quarter of an hour, in steps of RecentStep
	Day      Period // the last 24 hours, in steps of DayStep
	Overview
}

// How far the periods of statistics reach back, and into what steps they are divided.
const (
	RecentSpan = 15 * time.Minute
	RecentStep = 10 * time.Second
	DaySpan    = 24 * time.Hour
	DayStep    = 10 * time.Minute
)

// Period is what happened in a stretch of time that reaches up to now.
type Period struct {
	From     time.Time // when the first step began
	Step     time.Duration
	Counters []Counters // one for each step, oldest first; the last step is not over yet
	Kinds    []KindTimes
}

// Flow is how many runs were taken where within some time.
type Counters struct {
	Created   int64 `json:"created"`  // new ones
	Requeued  int64 `json:"requeued"` // that wait again: given back, or to be tried again
	Started   int64 `json:"started"`
	Completed int64 `json:"completed"`
	Failed    int64 `json:"failed"`
	Cancelled int64 `json:"cancelled"`
}

// Plus is both flows together.
func (f Counters) Add(g Counters) Counters {
	return Counters{
		f.Created + g.Created, f.Requeued + g.Requeued, f.Started + g.Started,
		f.Completed + g.Completed, f.Failed + g.Failed, f.Cancelled + g.Cancelled,
	}
}

// Sum is all of some flows together.
func Sum(flows []Counters) (sum Counters) {
	for _, flow := range flows {
		sum = sum.Add(flow)
	}
	return sum
}

// KindTimes is how long runs of a kind waited and worked.
type KindTimes struct {
	Kind string
	// Waits is from when a run was last ready to be started until it was. Works is from then until it completed or failed.
	QueueTime, RunTime Quantiles
}

// Quantiles say of some durations how long half of them were at most, and how long 95 % were: to within a tenth.
type Quantiles struct {
	Count    int64 // of durations; 0: the others mean nothing
	P50, P95 time.Duration
}

// KindCount is how many runs of a kind wait.
type KindCount struct {
	Kind string
	Runs int64
	More bool // there are more, which were not counted
}

// UnservedKinds are kinds of which runs wait although nobody here does such work: the first ones by name, and then
// empty ones. It is an array so that it can be compared.
type UnhandledKinds [MaxUnhandled]KindCount

// Limits of what is told of such runs with every frame: enough to see what is wrong.
const (
	MaxUnhandled     = 3    // kinds that are named
	CountedUnhandled = 1000 // up to how many runs of each are counted
)

// Has reports whether a kind is among those that are named.
func (u UnhandledKinds) Has(kind string) bool {
	return slices.ContainsFunc(u.Named(), func(one KindCount) bool { return one.Kind == kind })
}

// Named are those that are not empty.
func (u UnhandledKinds) Named() []KindCount {
	for i, one := range u {
		if one.Kind == "" {
			return u[:i]
		}
	}
	return u[:]
}

// Runs is how many runs wait of these kinds, as far as they are counted.
func (u UnhandledKinds) Runs() (n int64) {
	for _, one := range u {
		n += one.Runs
	}
	return n
}

// More reports whether there may be more of these kinds, or are more runs of them, than are told of.
func (u UnhandledKinds) More() bool {
	full := u[MaxUnhandled-1].Kind != ""
	return full || slices.ContainsFunc(u[:], func(one KindCount) bool { return one.More })
}

// Load is what a forecast goes by.
type Load struct {
	Waiting   int64         // runs that wait for somebody who is here
	Working   int64         // runs that are started
	Uncounted bool          // among those that wait there are some for which nobody is here
	Oldest    time.Duration // for how long the oldest run that waits could have been started
	Recent    Period
}

// Forecast is what becomes of the runs that wait, if things go on as in the last minutes.
type Forecast struct {
	Trend   Trend
	Waiting int64
	Working int64
	In      time.Duration // Draining: until none waits any more; Steady: for how long a new one waits
}

// Trend is what it comes to, in a word.
type Trend string

// The trends.
const (
	Empty    Trend = "empty"    // nothing waits
	Draining Trend = "draining" // more is started than comes
	Steady   Trend = "steady"   // as much is started as comes
	Growing  Trend = "growing"  // more comes than is started
	Busy     Trend = "busy"     // nothing has been started for long, but work goes on
	Stalled  Trend = "stalled"  // nothing is being started
	Unclear  Trend = "unclear"  // it is too early to say
	Unknown  Trend = "unknown"  // nobody has counted how many wait for somebody who is here
)

const (
	steps           = int(time.Minute / RecentStep)
	lately          = 3 * steps        // as many steps are the last minutes
	fewStarts       = 10               // are too few to go by
	soon            = 10 * time.Second // nobody cares for the trend of what is over so soon
	evenly          = 0.1              // up to which part of the starts it neither grows nor drains
	patientlyWaited = 30 * time.Second // after which runs should have been started, if anything is
)

// Forecast says how it goes on.
func (l Load) Forecast() Forecast {
	f := Forecast{Waiting: l.Waiting, Working: l.Working}
	starts, comes := l.startsPerSecond(), l.comesPerSecond()
	switch {
	case l.Waiting == 0:
		f.Trend = Empty
	case l.Uncounted:
		f.Trend = Unknown
	case l.Working == 0 && l.startedLately() == 0 && l.Oldest > patientlyWaited:
		f.Trend = Stalled
	case starts == 0 && l.Oldest > patientlyWaited:
		f.Trend = Busy
	case starts == 0:
		f.Trend = Unclear
	case float64(l.Waiting) < starts*soon.Seconds():
		f.Trend, f.In = Draining, seconds(float64(l.Waiting)/starts)
	case starts-comes > evenly*starts:
		f.Trend, f.In = Draining, seconds(float64(l.Waiting)/(starts-comes))
	case comes-starts > evenly*starts:
		f.Trend = Growing
	default:
		f.Trend, f.In = Steady, seconds(float64(l.Waiting)/starts)
	}
	return f
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// over are the steps that are over.
func (l Load) over() []Counters { return l.Recent.Counters[:max(0, len(l.Recent.Counters)-1)] }

func (l Load) startedLately() int64 {
	flows := l.Recent.Counters
	return Sum(flows[max(0, len(flows)-1-steps):]).Started
}

// startsPerSecond goes by the last minutes or, when there are few starts in them, by all there is; what was before the
// first of them does not count.
func (l Load) startsPerSecond() float64 {
	all := l.over()
	for _, flows := range [][]Counters{all[max(0, len(all)-lately):], all} {
		first := slices.IndexFunc(flows, func(f Counters) bool { return f.Started > 0 })
		if first < 0 {
			continue
		}
		if n := Sum(flows[first:]).Started; n >= fewStarts || len(flows) == len(all) {
			return float64(n) / (float64(len(flows)-first) * l.Recent.Step.Seconds())
		}
	}
	return 0
}

// comesPerSecond goes by the last minutes without those steps in which most came: a thousand runs that somebody
// starts with one click do not come again and again.
func (l Load) comesPerSecond() float64 {
	all := l.over()
	var counts []int64
	for _, flow := range all[max(0, len(all)-lately):] {
		counts = append(counts, flow.Created+flow.Requeued)
	}
	slices.Sort(counts)
	counts = counts[:len(counts)-len(counts)/6]
	var n int64
	for _, count := range counts {
		n += count
	}
	return float64(n) / (max(1, float64(len(counts))) * l.Recent.Step.Seconds())
}
