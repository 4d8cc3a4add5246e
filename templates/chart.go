package templates

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"runboard/app"
)

// chart is the view model of a chart of stacked bars: how many runs finished, and a line that says how many
// were waiting.
type chart struct {
	Span        string // "the last 24 hours"
	Empty       bool   // nothing has happened; the fields below are unset
	Every       string // "30 min", the time of a bar
	Legend      []legendEntry
	Bars        []chartBar
	Top, Middle string      // labels of the vertical axis
	Waiting     waitingLine // without a Path if no run was waiting
	Times       []string
	Description string // for screen readers
}

// legendEntry is the view model of a status and the number of runs that reached it.
type legendEntry struct{ Name, Total string }

// chartBar is the view model of a bar. X and Width are percentages of the width of the chart.
type chartBar struct {
	X, Width string
	Title    string
	Segments []segment
}

// segment is the view model of a part of a bar. Y and Height are percentages of the height of the chart.
type segment struct{ Name, Y, Height string }

// waitingLine is the view model of the number of waiting runs. In its path, a bar is one unit wide, and the
// height of the chart is 100. It has an axis of its own, because thousands of runs may wait for ten workers.
type waitingLine struct {
	Path, Width string
	Top, Middle string // labels of its axis
	Most        string
}

// bar sums up some steps of a period.
type bar struct {
	app.Counters
	first, end int // the steps with indices first to end-1
	from, to   time.Time
	waiting    int64 // the largest number of waiting runs; -1 is not known
}

// barLengths are the times that bars stand for, so that about fifty fit the width of a phone. Bars begin at
// whole multiples of them.
var barLengths = map[app.Lookback]time.Duration{
	app.Last15Minutes: 30 * time.Second,
	app.Last24Hours:   30 * time.Minute,
	app.Last7Days:     3 * time.Hour,
	app.Last30Days:    12 * time.Hour,
}

// newBars returns the bars of a period that ends at a time. The first one may cover less time than the
// others, and the last one is incomplete.
func newBars(period app.Period, at time.Time) (bars []bar) {
	length, step := barLengths[period.Lookback], period.Lookback.Step()
	for i, counters := range period.Counters {
		from := period.From.Add(time.Duration(i) * step)
		if i == 0 || from.Truncate(length).Equal(from) {
			bars = append(bars, bar{first: i, from: from, waiting: -1})
		}
		last := &bars[len(bars)-1]
		last.Counters = last.Counters.Add(counters)
		last.end, last.to = i+1, from.Add(step)
		if i < len(period.Waiting) {
			last.waiting = max(last.waiting, period.Waiting[i])
		}
	}
	if len(bars) > 0 {
		bars[len(bars)-1].to = at
	}
	return bars
}

// stack has the parts of a bar from below. Failed runs stand on the ground, where bars can be compared.
var stack = []struct {
	name  string
	value func(app.Counters) int64
}{
	{"failed", func(c app.Counters) int64 { return c.Failed }},
	{"completed", func(c app.Counters) int64 { return c.Completed }},
	{"cancelled", func(c app.Counters) int64 { return c.Cancelled }},
}

// axisTimes are the labels of the horizontal axis, at equal distances.
var axisTimes = map[app.Lookback][]string{
	app.Last15Minutes: {"15 min ago", "10 min", "5 min", "now"},
	app.Last24Hours:   {"24 h ago", "18 h", "12 h", "6 h", "now"},
	app.Last7Days:     {"7 days ago", "6 d", "5 d", "4 d", "3 d", "2 d", "1 d", "now"},
	app.Last30Days:    {"30 days ago", "20 days", "10 days", "now"},
}

func newChart(period app.Period, bars []bar) chart {
	words := lookbackWords[period.Lookback]
	view := chart{Span: "the last " + words.span, Every: words.bar}
	peak, waiting := highest(bars)
	if period.Total == (app.Counters{}) && waiting.waiting <= 0 {
		view.Empty = true
		return view
	}
	top := roundUp(float64(peak.Finished()))
	view.Top, view.Middle = humanize.Commaf(top), humanize.Commaf(top/2)
	view.Times = axisTimes[period.Lookback]
	for _, part := range stack {
		view.Legend = append(view.Legend, legendEntry{part.name, grouped(part.value(period.Total))})
	}
	for i, one := range bars {
		view.Bars = append(view.Bars, chartBar{
			X: percentage(float64(i) / float64(len(bars))), Width: percentage(1 / float64(len(bars))),
			Title: one.title(barLengths[period.Lookback]), Segments: one.segments(top),
		})
	}
	if waiting.waiting > 0 {
		view.Waiting = newWaitingLine(bars, waiting.waiting)
	}
	view.Description = describe(period, peak, waiting)
	return view
}

// highest returns the bar with the most finished runs, and the one with the most waiting ones. There must be
// a bar.
func highest(bars []bar) (finished, waiting bar) {
	finished, waiting = bars[0], bars[0]
	for _, one := range bars {
		if one.Finished() > finished.Finished() {
			finished = one
		}
		if one.waiting > waiting.waiting {
			waiting = one
		}
	}
	return finished, waiting
}

// minSegment is the smallest height of a segment, so that one failed run among thousands is seen.
const minSegment = 0.012

// segments returns the parts of the bar. top is the number at the upper edge.
func (b bar) segments(top float64) (parts []segment) {
	ground := 1.0
	for _, part := range stack {
		n := part.value(b.Counters)
		if n == 0 {
			continue
		}
		height := max(minSegment, float64(n)/top)
		ground = max(0, ground-height)
		parts = append(parts, segment{part.name, percentage(ground), percentage(height)})
	}
	return parts
}

// title says what happened in the time of the bar.
func (b bar) title(length time.Duration) string {
	var numbers []string
	for _, part := range stack {
		if n := part.value(b.Counters); n > 0 {
			numbers = append(numbers, grouped(n)+" "+part.name)
		}
	}
	if len(numbers) == 0 {
		numbers = append(numbers, "none finished")
	}
	if b.waiting >= 0 {
		numbers = append(numbers, "at most "+grouped(b.waiting)+" waiting")
	}
	return b.time(length) + ": " + strings.Join(numbers, ", ")
}

// time says which time the bar covers, such as "2 Nov, 12:00–12:30 UTC".
func (b bar) time(length time.Duration) string {
	layout := "15:04"
	if length < time.Minute {
		layout = "15:04:05"
	}
	from, to := b.from.UTC(), b.to.UTC()
	return from.Format("2 Jan, "+layout) + "–" + to.Format(layout) + " UTC"
}

// newWaitingLine returns the line of the waiting runs. It has a gap where their number is not known.
func newWaitingLine(bars []bar, most int64) waitingLine {
	top := roundUp(float64(most))
	line := waitingLine{
		Width: decimal(int64(len(bars))), Top: humanize.Commaf(top), Middle: humanize.Commaf(top / 2),
		Most: grouped(most),
	}
	var path strings.Builder
	known := false
	for i, one := range bars {
		y := coordinate(100 * (1 - float64(one.waiting)/top))
		switch {
		case one.waiting < 0:
		case known:
			fmt.Fprintf(&path, "V%sh1", y)
		default:
			fmt.Fprintf(&path, "M%d %sh1", i, y)
		}
		known = one.waiting >= 0
	}
	line.Path = path.String()
	return line
}

// roundUp returns the smallest even number of the form 1, 1.5, 2, 3, 4, 5, 6 or 8 times a power of ten that is
// at least value and at least 2. Half of it, in the middle of the axis, is a whole number, too.
func roundUp(value float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(max(value, 1))))
	for _, digit := range []float64{1, 1.5, 2, 3, 4, 5, 6, 8} {
		if top := digit * power; value <= top && math.Mod(top, 2) == 0 {
			return top
		}
	}
	return 10 * power
}

// coordinate formats x for SVG, rounded to a tenth.
func coordinate(x float64) string { return shortest(math.Round(10*x) / 10) }

// percentage formats a part of 1 for SVG, rounded to a hundredth of a percent.
func percentage(part float64) string { return shortest(math.Round(10000*part)/100) + "%" }

// describe describes the chart for screen readers.
func describe(period app.Period, peak, waiting bar) string {
	total, words := period.Total, lookbackWords[period.Lookback]
	text := fmt.Sprintf("%s completed, %s failed, %s cancelled.",
		grouped(total.Completed), grouped(total.Failed), grouped(total.Cancelled))
	length := barLengths[period.Lookback]
	if peak.Finished() > 0 {
		text += fmt.Sprintf(" The most in %s: %s finished, %s.",
			words.bar, grouped(peak.Finished()), peak.time(length))
	}
	if waiting.waiting > 0 {
		text += fmt.Sprintf(" At most %s waiting, %s.", grouped(waiting.waiting), waiting.time(length))
	}
	return text
}
