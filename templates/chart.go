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

// period is a stretch of time with all that is drawn of it.
type period struct {
	Name, Heading string
	Span          string // "the last 24 hours"
	Unit          string // into which its table divides it
	At            time.Time
	app.Period
}

// line is how one number went up and down.
type line struct {
	Word   string // what it counts, which is also its class
	Total  int64
	Points string
	value  func(app.Counters) int64
}

// lines are in the order in which one speaks of them.
func lineKinds() []line {
	return []line{
		{Word: "created", value: func(f app.Counters) int64 { return f.Created }},
		{Word: "started", value: func(f app.Counters) int64 { return f.Started }},
		{Word: "completed", value: func(f app.Counters) int64 { return f.Completed }},
		{Word: "failed", value: func(f app.Counters) int64 { return f.Failed }},
	}
}

// rates are how often what a chart may show of it is to be told: per second if that is at least one, and so on.
var rates = []struct {
	per  string
	time time.Duration
}{{"a second", time.Second}, {"a minute", time.Minute}, {"an hour", time.Hour}}

// Height of a chart in its own units; its width is one for each step.
const chartHeight = 100

const (
	// unwritten is for how long what happened may not be in the database yet.
	unwritten = 3 * time.Second
	// telling is how much of a step must be over for what happened in it to tell how the whole of it will be.
	telling = time.Minute
)

// Width of the chart.
func (p period) Width() int { return max(1, len(p.Counters)-1) }

// shown are the steps that can be drawn: all but those of which too little is known.
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

// elapsed is how much of a step is over.
func (p period) elapsed(step int) time.Duration {
	return min(p.Step, p.At.Sub(p.From.Add(time.Duration(step)*p.Step)))
}

// Calm reports whether there is nothing to be drawn.
func (p period) Calm() bool { return app.Sum(p.Counters) == app.Counters{} }

// perSecond are the values of a line.
func (p period) perSecond(l line) []float64 {
	values := make([]float64, len(p.shown()))
	for i, flow := range p.shown() {
		values[i] = float64(l.value(flow)) / p.elapsed(i).Seconds()
	}
	return values
}

// peak is the greatest value of all lines, a second.
func (p period) peak() (peak float64) {
	for _, l := range lineKinds() {
		for _, value := range p.perSecond(l) {
			peak = max(peak, value)
		}
	}
	return peak
}

// scale is the round number that the upper edge of the chart stands for, and the time in which so many happen.
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

// roundUp is the next number of 1, 2 or 5 with zeros behind it, at least 2.
func roundUp(value float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(max(value, 1))))
	for _, digit := range []float64{1, 2, 5} {
		if value <= digit*power && digit*power >= 2 {
			return digit * power
		}
	}
	return 10 * power
}

// Top is what the upper edge stands for, Half the line in the middle, and Per the time in which so many happen.
func (p period) Top() string { top, _, _ := p.scale(); return humanize.Commaf(top) }

// Half see Top.
func (p period) Half() string { top, _, _ := p.scale(); return humanize.Commaf(top / 2) }

// Per see Top.
func (p period) Per() string { _, per, _ := p.scale(); return per }

// Lines are those of the chart.
func (p period) Lines() []line {
	lines, sum := lineKinds(), app.Sum(p.Counters)
	top, _, unit := p.scale()
	for i := range lines {
		lines[i].Total = lines[i].value(sum)
		lines[i].Points = points(p.perSecond(lines[i]), top/unit.Seconds())
	}
	return lines
}

// Drawn are the lines in the order in which they are drawn: the broad ones beneath.
func (p period) Drawn() []line {
	lines := p.Lines()
	return []line{lines[2], lines[1], lines[0], lines[3]}
}

// points are the corners of a line through values, of which top is at the upper edge.
func points(values []float64, top float64) string {
	var text strings.Builder
	for i, value := range values {
		fmt.Fprintf(&text, "%d,%s ", i, coordinate(chartHeight*(1-value/top)))
	}
	return strings.TrimSuffix(text.String(), " ")
}

// coordinate is a number as SVG reads it, to a tenth.
func coordinate(x float64) string { return strconv.FormatFloat(math.Round(10*x)/10, 'f', -1, 64) }

// Times are what stands below the chart, at equal distances.
func (p period) Times() []string {
	if p.Step == app.DayStep {
		return []string{"24 h ago", "18 h", "12 h", "6 h", "now"}
	}
	return []string{"15 min ago", "10 min", "5 min", "now"}
}

// Words say what there is to be seen.
func (p period) Words() string {
	sum := app.Sum(p.Counters)
	peak, per, unit := p.peak(), p.Per(), time.Second
	_, _, unit = p.scale()
	return fmt.Sprintf("%s created, %s started, %s completed, %s failed. At the most there were about %s %s.",
		humanize.Comma(sum.Created), humanize.Comma(sum.Started), humanize.Comma(sum.Completed), humanize.Comma(sum.Failed),
		humanize.Commaf(math.Round(10*peak*unit.Seconds())/10), per)
}

// flows is a row of the table.
type flows struct {
	When string
	app.Counters
}

// together is how many steps are in a row of the table: a minute of the shorter ones, and an hour of the longer.
const together = 6

// Rows are what happened, the newest first. The first row is the rest that does not fill one.
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
