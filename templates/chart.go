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

// chart is the view model of a line chart of rates.
type chart struct {
	ChartID        string
	Empty          bool   // nothing has happened; the other fields are unset
	Lines, Painted []line // in the order of the legend, and of painting
	Width          string // in SVG units, one for each step
	Top, Middle    string // labels of the vertical axis
	Unit           string // of Top and Middle, such as "a minute"
	Times          []string
	Description    string // for screen readers
}

// line is the view model of a counter over the period.
type line struct {
	Name   string // of the counter, and CSS class of the line
	Total  string
	Points string // of an SVG polyline
}

// counters are the counters of a period at a time.
type counters struct {
	app.Period
	At time.Time
}

// lines are the names and values of the lines, in the order of the legend and of the table.
var lines = []struct {
	name  string
	value func(app.Counters) int64
}{
	{"created", func(c app.Counters) int64 { return c.Created }},
	{"started", func(c app.Counters) int64 { return c.Started }},
	{"completed", func(c app.Counters) int64 { return c.Completed }},
	{"failed", func(c app.Counters) int64 { return c.Failed }},
}

// scale is a vertical axis: top is a round number of runs per unit.
type scale struct {
	top  float64
	per  string
	unit time.Duration
}

// scales are the units of the vertical axis, finest first. newScale takes the first one in which the peak is
// at least 1.
var scales = []scale{
	{per: "a second", unit: time.Second},
	{per: "a minute", unit: time.Minute},
	{per: "an hour", unit: time.Hour},
}

// chartHeight is the height of a chart in SVG units.
const chartHeight = 100

const (
	// writeLag is how long the counters may lag behind the changes that they count.
	writeLag = 3 * time.Second
	// minElapsed is how much of a step must have passed before it is plotted: a rate computed from less is
	// noise.
	minElapsed = time.Minute
)

func newChart(c counters) chart {
	sum := app.Sum(c.Counters)
	if sum == (app.Counters{}) {
		return chart{Empty: true}
	}
	s := newScale(c.peak())
	view := chart{
		Width: strconv.Itoa(max(1, len(c.Counters)-1)), Unit: s.per,
		Top: humanize.Commaf(s.top), Middle: humanize.Commaf(s.top / 2),
		Times: []string{"15 min ago", "10 min", "5 min", "now"}, Description: c.describe(s),
	}
	if c.Step == app.DayStep {
		view.Times = []string{"24 h ago", "18 h", "12 h", "6 h", "now"}
	}
	for _, one := range lines {
		corners := points(c.rates(one.value), s.top/s.unit.Seconds())
		view.Lines = append(view.Lines, line{one.name, grouped(one.value(sum)), corners})
	}
	// The broad line first, so that it does not hide the others.
	view.Painted = []line{view.Lines[2], view.Lines[1], view.Lines[0], view.Lines[3]}
	return view
}

// plotted returns the steps to plot: all but the last ones, whose counters are not complete enough for a
// rate.
func (c counters) plotted() []app.Counters {
	n := len(c.Counters)
	for n > 0 {
		began := c.From.Add(time.Duration(n-1) * c.Step)
		if c.At.Sub(began) >= min(minElapsed, c.Step+writeLag) {
			break
		}
		n--
	}
	return c.Counters[:n]
}

// elapsed returns how much of a step has passed.
func (c counters) elapsed(step int) time.Duration {
	return min(c.Step, c.At.Sub(c.From.Add(time.Duration(step)*c.Step)))
}

// rates returns the rate of value in each plotted step, per second.
func (c counters) rates(value func(app.Counters) int64) []float64 {
	steps := c.plotted()
	rates := make([]float64, len(steps))
	for i, step := range steps {
		rates[i] = float64(value(step)) / c.elapsed(i).Seconds()
	}
	return rates
}

// peak returns the highest rate of all lines, per second.
func (c counters) peak() (peak float64) {
	for _, one := range lines {
		for _, rate := range c.rates(one.value) {
			peak = max(peak, rate)
		}
	}
	return peak
}

// newScale returns the scale for rates up to peak per second.
func newScale(peak float64) (s scale) {
	for _, s = range scales {
		if peak*s.unit.Seconds() >= 1 {
			break
		}
	}
	s.top = roundUp(peak * s.unit.Seconds())
	return s
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

// points returns the points of an SVG polyline through values, one unit apart. top is at the upper edge.
func points(values []float64, top float64) string {
	var text strings.Builder
	for i, value := range values {
		fmt.Fprintf(&text, "%d,%s ", i, coordinate(chartHeight*(1-value/top)))
	}
	return strings.TrimSuffix(text.String(), " ")
}

// coordinate formats x for SVG, rounded to a tenth.
func coordinate(x float64) string { return shortest(math.Round(10*x) / 10) }

// describe describes the chart for screen readers.
func (c counters) describe(s scale) string {
	sum, peak := app.Sum(c.Counters), math.Round(10*c.peak()*s.unit.Seconds())/10
	return fmt.Sprintf("%s created, %s started, %s completed, %s failed. At the most there were about %s %s.",
		grouped(sum.Created), grouped(sum.Started), grouped(sum.Completed), grouped(sum.Failed),
		humanize.Commaf(peak), s.per)
}

// stepsPerRow is the number of steps in a row of the table. A row covers a minute of 10 s steps, or an hour
// of 10 min steps.
const stepsPerRow = 6

// rows returns the rows of the table, newest first. The first row may cover fewer steps than the others.
func (c counters) rows() (rows []throughput) {
	unit := " min ago"
	if c.Step == app.DayStep {
		unit = " h ago"
	}
	last := (len(c.Counters) - 1) / stepsPerRow
	for i := last; i >= 0; i-- {
		sum := app.Sum(c.Counters[i*stepsPerRow : min((i+1)*stepsPerRow, len(c.Counters))])
		when := strconv.Itoa(last-i) + unit
		if i == last {
			when = "now"
		}
		rows = append(rows, throughput{
			when, grouped(sum.Created), grouped(sum.Started), grouped(sum.Completed), grouped(sum.Failed),
		})
	}
	return rows
}
