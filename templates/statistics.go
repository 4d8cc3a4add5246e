package templates

import (
	"strings"
	"time"

	"runboard/app"
)

// statisticsPage is the view model of the statistics page.
type statisticsPage struct {
	Layout    layout
	Unhandled string // warning about waiting runs without a worker, or ""
	Forecast  string
	Periods   []period
}

// period is the view model of a chart, the table below it, and the durations of a span of time.
type period struct {
	Heading string
	Span    string // "the last 24 hours"
	chart
	TableID     string
	Rows        []throughput
	DurationsID string
	Kinds       []kindDurations
}

// throughput is the view model of a row of the table.
type throughput struct{ When, Created, Started, Completed, Failed string }

// kindDurations is the view model of the durations of a kind.
type kindDurations struct {
	Kind               string
	QueueTime, RunTime quantiles
}

// quantiles is the view model of a median and a 95th percentile, with the lengths of their bars in a picture
// 100 wide. Without durations it has no Text.
type quantiles struct{ Text, P50, P95 string }

// Statistics renders the statistics page.
func (t *Templates) Statistics(stats app.Statistics) ([]byte, error) {
	return t.render("statistics", t.statisticsPage(stats))
}

// StatisticsLive renders the region of the statistics page that its socket keeps up to date.
func (t *Templates) StatisticsLive(stats app.Statistics) ([]byte, error) {
	return t.render("statistics_live", t.statisticsPage(stats))
}

// StatisticsFrame renders the changing parts of the statistics page for a socket.
func (t *Templates) StatisticsFrame(stats app.Statistics) ([]byte, error) {
	return t.render("statistics_frame", t.statisticsPage(stats))
}

func (t *Templates) statisticsPage(stats app.Statistics) statisticsPage {
	view := statisticsPage{
		Layout: t.layout("Statistics"), Unhandled: unhandledWarning(stats.Unhandled),
		Forecast: forecastText(stats.Forecast, len(stats.Unhandled.Named()) > 0),
		Periods: []period{
			newPeriod("recent", "15 minutes", counters{stats.Recent, stats.At}),
			newPeriod("day", "24 hours", counters{stats.Day, stats.At}),
		},
	}
	view.Layout.Failed = failedText(stats.Failed())
	view.Layout.OnStatistics = true
	return view
}

func newPeriod(name, span string, c counters) period {
	view := period{
		Heading: "Last " + span, Span: "the last " + span, chart: newChart(c),
		TableID: tableID(name), Rows: c.rows(), DurationsID: durationsID(name),
	}
	view.ChartID = ChartID(name)
	var longestQueue, longestRun time.Duration
	for _, kind := range c.Kinds {
		longestQueue, longestRun = max(longestQueue, kind.QueueTime.P95), max(longestRun, kind.RunTime.P95)
	}
	for _, kind := range c.Kinds {
		queue, run := newQuantiles(kind.QueueTime, longestQueue), newQuantiles(kind.RunTime, longestRun)
		view.Kinds = append(view.Kinds, kindDurations{kind.Kind, queue, run})
	}
	return view
}

// newQuantiles scales the bars of q to longest, which is 100 wide. Each bar is at least 1 wide.
func newQuantiles(q app.Quantiles, longest time.Duration) quantiles {
	if q.Count == 0 {
		return quantiles{}
	}
	length := func(d time.Duration) string {
		return coordinate(1 + 99*float64(d)/float64(max(longest, time.Millisecond)))
	}
	return quantiles{"median " + lasting(q.P50) + " · p95 " + lasting(q.P95), length(q.P50), length(q.P95)}
}

// forecastText puts a forecast into words. The forecast does not cover the kinds that no worker handles;
// unhandled says that runs of such kinds are waiting.
func forecastText(f app.Forecast, unhandled bool) string {
	waiting := plural(f.Waiting, "run waits", "runs wait")
	switch {
	case f.Trend == app.Draining: // rounded, because more digits would look like a measurement
		return waiting + ": clears in about " + rough(max(f.In.Round(time.Second), time.Second)) + "."
	case f.Trend == app.Growing:
		return waiting + ": growing."
	case f.Trend == app.Early:
		return waiting + ": too early for a forecast."
	case f.Waiting > 0:
		return waiting + "."
	case unhandled:
		return "No other runs are waiting."
	}
	return "Queue empty."
}

// unhandledWarning returns a warning about waiting runs whose kinds no worker handles, or "".
func unhandledWarning(kinds app.UnhandledKinds) string {
	var waiting []string
	for _, one := range kinds.Named() {
		waiting = append(waiting, waitingOf(one))
	}
	if len(waiting) == 0 {
		return ""
	}
	verb, which := " are", "this kind"
	if kinds.Runs() == 1 {
		verb = " is"
	}
	if len(waiting) > 1 {
		which = "these kinds"
	}
	return enumerate(waiting) + verb + " waiting, but no worker here handles " + which + "."
}

// waitingOf says how many runs of a kind are waiting.
func waitingOf(kind app.KindCount) string {
	if kind.More {
		return "more than " + grouped(kind.Runs) + " runs of kind " + kind.Kind
	}
	return plural(kind.Runs, "run of kind ", "runs of kind ") + kind.Kind
}

// enumerate joins phrases to the beginning of a sentence, such as "A, b and c". There must be at least one.
func enumerate(phrases []string) string {
	last := len(phrases) - 1
	text := phrases[last]
	if last > 0 {
		text = strings.Join(phrases[:last], ", ") + " and " + text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
