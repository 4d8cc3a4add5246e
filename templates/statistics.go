package templates

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"

	"runboard/app"
)

// statisticsPage is the view model of the statistics page.
type statisticsPage struct {
	Layout     layout
	SocketPath string
	Periods    []periodLink
	Unhandled  string // warning about waiting runs without a worker, or ""
	Tiles      []tile
	Chart      chart
	Table      []tableRow // the bars of the chart, newest first
	Kinds      kindTable
	Since      *pointInTime // since when something is recorded; nil if that is the whole period
}

// periodLink is the view model of a link to the page of a lookback.
type periodLink struct {
	Text, Path string
	Current    bool
}

// tile is the view model of a figure.
type tile struct {
	ID            string // "" for most
	Figure, Label string // are read as a sentence, such as "12% failed"
	Note          string
	Trend         string // compared with the time before: "up from 9%", or "" if that is not known
	Worse         bool   // the trend is bad
}

// DefaultLookback is the lookback that the page shows if its address names none.
const DefaultLookback = app.Last24Hours

// lookbackWords has the names of lookbacks, and of the bars in their charts.
var lookbackWords = map[app.Lookback]struct{ tab, span, bar string }{
	app.Last15Minutes: {"15 min", "15 minutes", "30 s"},
	app.Last24Hours:   {"24 h", "24 hours", "30 min"},
	app.Last7Days:     {"7 days", "7 days", "3 h"},
	app.Last30Days:    {"30 days", "30 days", "12 h"},
}

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
	bars := newBars(stats.Period, stats.At)
	view := statisticsPage{
		Layout: t.layout("Statistics"), SocketPath: statisticsLivePath(stats.Period.Lookback),
		Periods: periodLinks(stats.Period.Lookback), Unhandled: unhandledWarning(stats.Unhandled),
		Tiles: tiles(stats), Chart: newChart(stats.Period, bars),
		Table: tableRows(stats.Period.Lookback, bars), Kinds: t.kindTable(stats.Period, bars),
		Since: since(stats.Period),
	}
	view.Layout.Failed = failedText(stats.Failed())
	view.Layout.OnStatistics = true
	return view
}

func periodLinks(current app.Lookback) (links []periodLink) {
	for _, lookback := range app.Lookbacks() {
		text := lookbackWords[lookback].tab
		links = append(links, periodLink{text, statisticsPath(lookback), lookback == current})
	}
	return links
}

// since says since when something is recorded of a long period. A short one without runs says so itself.
func since(period app.Period) *pointInTime {
	long := period.Lookback == app.Last7Days || period.Lookback == app.Last30Days
	if !long || !period.Since.After(period.From.Add(period.Lookback.Step())) {
		return nil
	}
	return &pointInTime{second(period.Since), exact(period.Since)}
}

func tiles(stats app.Statistics) []tile {
	return []tile{
		waitingTile(stats.Forecast, len(stats.Unhandled.Named()) > 0),
		workersTile(stats.Workers),
		failureTile(stats),
		queueTimeTile(stats),
	}
}

// waitingTile puts a forecast into words. The forecast does not cover the kinds that no worker handles;
// unhandled says that runs of such kinds are waiting.
func waitingTile(f app.Forecast, unhandled bool) tile {
	view := tile{ID: fixedIDs["forecast"], Figure: grouped(f.Waiting), Label: "waiting"}
	switch {
	case f.Trend == app.Draining: // rounded, because more digits would look like a measurement
		clear := "clears"
		if f.Waiting > 1 {
			clear = "clear"
		}
		view.Label += ", " + clear + " in about " + rough(max(f.In.Round(time.Second), time.Second))
	case f.Trend == app.Growing:
		view.Label += " and growing: more come than are started"
	case f.Trend == app.Early:
		view.Label += ", too early to tell how long"
	case f.Waiting > 0:
	case unhandled:
		view.Note = "No other runs are waiting."
	default:
		view.Note = "Queue empty."
	}
	return view
}

func workersTile(workers app.Workers) tile {
	busy := grouped(workers.Busy)
	switch {
	case workers.Count == 0:
		return tile{Figure: busy, Label: "running"}
	case workers.Busy > workers.Count: // the runs of a lost node, until they are rescued
		return tile{Figure: busy, Label: "running on " + plural(workers.Count, "worker", "workers")}
	}
	return tile{Figure: busy + " of " + grouped(workers.Count), Label: "workers busy"}
}

func failureTile(stats app.Statistics) tile {
	total := stats.Period.Total
	rate, known := total.FailureRate()
	if !known {
		return tile{Figure: "–", Label: "failure rate", Note: "No run has completed or failed."}
	}
	view := tile{
		Figure: percent(rate), Label: "failed",
		Note: grouped(total.Failed) + " of " + plural(total.Completed+total.Failed, "run", "runs") +
			after(", and ", cancelledText(total)),
	}
	if before, known := stats.Before.Total.FailureRate(); known {
		view.Trend, view.Worse = trend(percent(rate), percent(before), cmp.Compare(rate, before))
	}
	return view
}

func queueTimeTile(stats app.Statistics) tile {
	wait, before := stats.Period.QueueTime, stats.Before.QueueTime
	if wait.Count == 0 {
		return tile{Figure: "–", Label: "p95 wait", Note: "No run has started."}
	}
	view := tile{
		Figure: between(wait.P95), Label: "p95 wait", Note: "median " + between(wait.P50),
	}
	if before.Count > 0 {
		view.Trend, view.Worse = trend(view.Figure, between(before.P95), cmp.Compare(wait.P95, before.P95))
	}
	return view
}

// trend says how a figure compares with the one before. For both figures that have a trend, more is worse.
func trend(now, before string, order int) (text string, worse bool) {
	switch {
	case now == before:
		return "as before", false
	case order > 0:
		return "up from " + before, true
	}
	return "down from " + before, false
}

// percent formats a rate. It does not round anything to none or to all.
func percent(rate float64) string {
	percents := 100 * rate
	switch {
	case rate > 0 && percents < 0.1:
		return "<0.1%"
	case percents < 9.95:
		return shortest(math.Round(10*percents)/10) + "%"
	case rate < 1:
		return fmt.Sprintf("%d%%", min(99, int(percents+0.5)))
	}
	return "100%"
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
	return capitalized(enumeration(waiting)) + verb + " waiting, but no worker here handles " + which + "."
}

// waitingOf says how many runs of a kind are waiting.
func waitingOf(kind app.KindCount) string {
	name := visible(kind.Kind)
	if kind.More {
		return "more than " + grouped(kind.Runs) + " runs of kind " + name
	}
	return plural(kind.Runs, "run of kind ", "runs of kind ") + name
}

// capitalized returns a text that begins with an ASCII letter or a digit as the beginning of a sentence.
func capitalized(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
