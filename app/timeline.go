package app

import (
	"slices"
	"time"
)

// TimelineQuery asks for what runs did in a window of time. It is comparable, so that equal queries can share
// a result.
type TimelineQuery struct {
	Span  Span
	Lanes LaneOrder
	// Until is the end of the window. Zero, or a time in the future, is now.
	Until TimeBound
	// Filter selects by kind and status only.
	Filter Filter
}

// Span is the length of the window of a timeline.
type Span struct{ time.Duration }

// The spans, as the names say. A queue that is never idle has hundreds of runs in a minute.
var (
	SpanMinute   = Span{time.Minute}
	SpanQuarter  = Span{15 * time.Minute}
	SpanTwoHours = Span{2 * time.Hour}
	SpanDay      = Span{24 * time.Hour}
)

// Spans returns all spans, shortest first.
func Spans() []Span { return []Span{SpanMinute, SpanQuarter, SpanTwoHours, SpanDay} }

var spanNames = map[Span]string{SpanMinute: "1m", SpanQuarter: "15m", SpanTwoHours: "2h", SpanDay: "24h"}

// String returns the name of s in addresses.
func (s Span) String() string { return spanNames[s] }

// ParseSpan parses the name of a span; "" is SpanQuarter. It fails with CodeMalformed.
func ParseSpan(text string) (Span, error) {
	if text == "" {
		return SpanQuarter, nil
	}
	for _, span := range Spans() {
		if span.String() == text {
			return span, nil
		}
	}
	return Span{}, Errorf(CodeMalformed, "span must be 1m, 15m, 2h or 24h.")
}

// bins returns the length of the bins of a window, and of the steps of the stored statistics that they
// consist of.
func (s Span) bins() (bin, step time.Duration) {
	switch s {
	case SpanMinute:
		return Last15Minutes.Step(), Last15Minutes.Step()
	case SpanQuarter:
		return 3 * Last15Minutes.Step(), Last15Minutes.Step()
	case SpanTwoHours:
		return Last24Hours.Step(), Last24Hours.Step()
	}
	return 6 * Last24Hours.Step(), Last24Hours.Step()
}

// resolution returns by how much the end of a window that ends now moves at a time: about the width of a
// pixel or two, and five times as much while nothing runs.
func (s Span) resolution(idle bool) time.Duration {
	step := max(time.Second, (s.Duration / 450).Truncate(time.Second))
	if idle {
		step *= 5
	}
	return step
}

// LaneOrder says what the lanes of a timeline are.
type LaneOrder string

// The orders of lanes.
const (
	LaneSlots LaneOrder = "slots" // one lane for each run that ran at the same time as others
	LaneKinds LaneOrder = "kinds" // one lane for each kind
)

// ParseLaneOrder parses the name of an order; "" is LaneSlots. It fails with CodeMalformed.
func ParseLaneOrder(text string) (LaneOrder, error) {
	switch order := LaneOrder(text); order {
	case "":
		return LaneSlots, nil
	case LaneSlots, LaneKinds:
		return order, nil
	}
	return "", Errorf(CodeMalformed, "lanes must be slots or kinds.")
}

// MaxBars is the maximum number of bars of a timeline.
const MaxBars = 300

// Timeline is what runs did in a window of time, read from one state of the database.
type Timeline struct {
	Query       TimelineQuery
	From, Until time.Time // the window; a run that has not finished goes on to its end
	Live        bool      // the window ends now
	// Bars are the attempts that overlap the window, by their start. If Bins has the finished runs, they are
	// only those of started runs.
	Bars []Bar
	// Bins are the numbers of runs that finished in each step of Bin, by time and kind.
	Bins []TimelineBin
	Bin  time.Duration // 0 without bins
	// Workers is the number of workers of all nodes now, without those for bulk runs; 0 if it is not known.
	Workers int64
	// Cut says that there are more attempts than MaxBars, of which only the last are here, and no numbers.
	Cut bool
	Overview
}

// Bar is an attempt of a run on a timeline.
type Bar struct {
	Run ProcessRun
	Attempt
	// Queued is when the run began to wait for the attempt, or zero if it is not known.
	Queued time.Time
	// Last says that no attempt followed.
	Last bool
}

// EndBy returns when the attempt ended or, if it goes on, until.
func (b Bar) EndBy(until time.Time) time.Time {
	if b.EndedAt.IsZero() {
		return until
	}
	return b.EndedAt
}

// Waited returns how long the run waited for the attempt, or 0 if that is not known.
func (b Bar) Waited() time.Duration {
	if b.Queued.IsZero() {
		return 0
	}
	return max(0, b.StartedAt.Sub(b.Queued))
}

// TimelineBin is the number of runs of a kind that finished in a step of time.
type TimelineBin struct {
	At   time.Time
	Kind string
	Counters
}

// Window returns the window of a query. idle says that no run is started.
func (q TimelineQuery) Window(now time.Time, idle bool) (from, until time.Time, live bool) {
	if !q.Until.IsZero() {
		until = q.Until.Time(now).UTC()
		if until.Before(now) {
			return until.Add(-q.Span.Duration), until, false
		}
	}
	step := q.Span.resolution(idle)
	until = now.UTC().Truncate(step).Add(step)
	return until.Add(-q.Span.Duration), until, true
}

// Binned reports whether bins stand for the finished runs.
func (t Timeline) Binned() bool { return len(t.Bins) > 0 }

// ChangesAt returns when a timeline that ends now has to move on, or the zero time.
func (t Timeline) ChangesAt() time.Time {
	if !t.Live {
		return time.Time{}
	}
	return t.Until
}

// BinStep returns the length of the bins of a query, and of the stored steps that they consist of.
func (q TimelineQuery) BinStep() (bin, step time.Duration) { return q.Span.bins() }

// NeedsHistory reports whether the bars of a run are only known from its history: there was more than one
// attempt, or the run was cancelled and perhaps waited again when it was.
func (r ProcessRun) NeedsHistory() bool {
	return r.FencingToken > 1 || r.Status == Cancelled && !r.StartedAt.IsZero()
}

// Bars returns the attempts of a run, oldest first, given its history or as much as is known of it. Without a
// history it is the last attempt. A run that never started has none.
func (r ProcessRun) Bars(events []Event) (bars []Bar) {
	if r.StartedAt.IsZero() {
		return nil
	}
	for _, attempt := range Attempts(events) {
		bars = append(bars, Bar{Run: r, Attempt: attempt, Queued: r.queuedBefore(attempt.StartedAt, events)})
	}
	if n := len(bars); n == 0 || !bars[n-1].StartedAt.Equal(r.StartedAt) {
		last := Bar{Run: r, Attempt: r.lastAttempt()}
		if r.FencingToken <= 1 {
			last.Queued = r.CreatedAt
		}
		bars = append(bars, last)
	}
	bars[len(bars)-1].Last = true
	return bars
}

// lastAttempt returns the last attempt of a run that has started, as the run tells it.
func (r ProcessRun) lastAttempt() Attempt {
	return Attempt{
		Number: max(1, r.Attempt), Status: r.Status, Note: r.Error, StartedAt: r.StartedAt,
		EndedAt: r.FinishedAt, LogOffset: UnknownOffset,
	}
}

// queuedBefore returns when a run came to wait for an attempt.
func (r ProcessRun) queuedBefore(start time.Time, events []Event) time.Time {
	queued := r.CreatedAt
	for _, event := range events {
		if !event.At.Before(start) && event.Status == Started {
			break
		}
		if event.Status == Created {
			queued = event.At
		}
	}
	return queued
}

// overlaps reports whether an attempt was running in a window.
func (b Bar) overlaps(from, until time.Time) bool {
	return b.StartedAt.Before(until) && (b.EndedAt.IsZero() || !b.EndedAt.Before(from))
}

// AddBars adds those of some bars that overlap the window, and sorts all by their start.
func (t *Timeline) AddBars(bars []Bar) {
	for _, bar := range bars {
		if bar.overlaps(t.From, t.Until) {
			t.Bars = append(t.Bars, bar)
		}
	}
	slices.SortStableFunc(t.Bars, func(a, b Bar) int { return a.StartedAt.Compare(b.StartedAt) })
}
