package templates

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"runboard/app"
)

// period is the view model of a chart and its table.
type period struct {
	Name, Heading string
	Span          string // "the last 24 hours"
	Unit          string // of a row of its table: "minute" or "hour"
	At            time.Time
	app.Period
}

// line is one counter over the period.
type line struct {
	Word   string // name of the counter, and CSS class of the line
	Total  int64
	Points string
	value  func(app.Counters) int64
}

// lineKinds returns the lines in the order of the legend and of the table.
func lineKinds() []line {
	return []line{
		{Word: "created", value: func(f app.Counters) int64 { return f.Created }},
		{Word: "started", value: func(f app.Counters) int64 { return f.Started }},
		{Word: "completed", value: func(f app.Counters) int64 { return f.Completed }},
		{Word: "failed", value: func(f app.Counters) int64 { return f.Failed }},
	}
}

// rates are the units of the vertical axis, finest first. scale takes the first one in which the peak is at
// least 1.
var rates = []struct {
	per  string
	time time.Duration
}{{"a second", time.Second}, {"a minute", time.Minute}, {"an hour", time.Hour}}

// chartHeight is the height of a chart in SVG units. Its width is one unit per step.
const chartHeight = 100

const (
	// unwritten is how long the counters may lag behind the changes that they count.
	unwritten = 3 * time.Second
	// telling is how much of a step must have passed before it is plotted: a rate computed from less is
	// noise.
	telling = time.Minute
)

// Width returns the width of the chart in SVG units.
func (p period) Width() int { return max(1, len(p.Counters)-1) }

// shown returns the steps to plot: all but the last ones, whose counters are not complete enough for a rate.
func (p period) shown() []app.Counters {
	n := len(p.Counters)
	for n > 0 {
		began := p.From.Add(time.Duration(n-1) * p.Step)
		if p.At.Sub(began) >= min(telling, p.Step+unwritten) {
			break
		}
		n--
	}
	return p.Counters[:n]
}

// elapsed returns how much of a step has passed.
func (p period) elapsed(step int) time.Duration {
	return min(p.Step, p.At.Sub(p.From.Add(time.Duration(step)*p.Step)))
}

// Calm reports whether there is nothing to plot.
func (p period) Calm() bool { return app.Sum(p.Counters) == app.Counters{} }

// perSecond returns the rate of l in each shown step.
func (p period) perSecond(l line) []float64 {
	values := make([]float64, len(p.shown()))
	for i, flow := range p.shown() {
		values[i] = float64(l.value(flow)) / p.elapsed(i).Seconds()
	}
	return values
}

// peak returns the highest rate of all lines, per second.
func (p period) peak() (peak float64) {
	for _, l := range lineKinds() {
		for _, value := range p.perSecond(l) {
			peak = max(peak, value)
		}
	}
	return peak
}

// scale returns the round number at the upper edge of the chart, and its unit as text and as a duration.
func (p period) scale() (top float64, per string, unit time.Duration) {
	peak := p.peak()
	for _, rate := range rates {
		per, unit = rate.per, rate.time
		if peak*unit.Seconds() >= 1 {
			break
		}
	}
	return roundUp(peak * unit.Seconds()), per, unit
}

// roundUp returns the smallest number of the form 1, 2 or 5 times a power of ten that is at least value and
// at least 2.
func roundUp(value float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(max(value, 1))))
	for _, digit := range []float64{1, 2, 5} {
		if value <= digit*power && digit*power >= 2 {
			return digit * power
		}
	}
	return 10 * power
}

// Top returns the label of the upper edge of the chart.
func (p period) Top() string { top, _, _ := p.scale(); return humanize.Commaf(top) }

// Half returns the label of the line in the middle of the chart.
func (p period) Half() string { top, _, _ := p.scale(); return humanize.Commaf(top / 2) }

// Per returns the unit of Top and Half, such as "a minute".
func (p period) Per() string { _, per, _ := p.scale(); return per }

// Lines returns the lines in the order of the legend, with their totals and points.
func (p period) Lines() []line {
	lines, sum := lineKinds(), app.Sum(p.Counters)
	top, _, unit := p.scale()
	for i := range lines {
		lines[i].Total = lines[i].value(sum)
		lines[i].Points = points(p.perSecond(lines[i]), top/unit.Seconds())
	}
	return lines
}

// Drawn returns the lines in painting order: the broad one first, so that it does not hide the others.
func (p period) Drawn() []line {
	lines := p.Lines()
	return []line{lines[2], lines[1], lines[0], lines[3]}
}

// points returns the points of an SVG polyline through values, one unit apart. top is at the upper edge.
func points(values []float64, top float64) string {
	var text strings.Builder
	for i, value := range values {
		fmt.Fprintf(&text, "%d,%s ", i, coordinate(chartHeight*(1-value/top)))
	}
	return strings.TrimSuffix(text.String(), " ")
}

// coordinate formats x for SVG, rounded to a tenth.
func coordinate(x float64) string { return strconv.FormatFloat(math.Round(10*x)/10, 'f', -1, 64) }

// Times returns the labels of the time axis, which are evenly spaced.
func (p period) Times() []string {
	if p.Step == app.DayStep {
		return []string{"24 h ago", "18 h", "12 h", "6 h", "now"}
	}
	return []string{"15 min ago", "10 min", "5 min", "now"}
}

// Words describes the chart for screen readers.
func (p period) Words() string {
	sum := app.Sum(p.Counters)
	peak, per, unit := p.peak(), p.Per(), time.Second
	_, _, unit = p.scale()
	return fmt.Sprintf("%s created, %s started, %s completed, %s failed. At the most there were about %s %s.",
		humanize.Comma(sum.Created), humanize.Comma(sum.Started), humanize.Comma(sum.Completed), humanize.Comma(sum.Failed),
		humanize.Commaf(math.Round(10*peak*unit.Seconds())/10), per)
}

// flows is a row of the table below a chart.
type flows struct {
	When string
	app.Counters
}

// together is the number of steps in a row of the table. A row covers a minute of 10 s steps, or an hour of
// 10 min steps.
const together = 6

// Rows returns the rows of the table, newest first. The first row may cover fewer steps than the others.
func (p period) Rows() (rows []flows) {
	unit := map[string]string{"minute": "min", "hour": "h"}[p.Unit]
	last := (len(p.Counters) - 1) / together
	for i := last; i >= 0; i-- {
		some := p.Counters[i*together : min((i+1)*together, len(p.Counters))]
		when := fmt.Sprintf("%d %s ago", last-i, unit)
		if i == last {
			when = "now"
		}
		rows = append(rows, flows{when, app.Sum(some)})
	}
	return rows
}
