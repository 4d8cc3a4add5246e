package templates

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"runboard/app"
)

// statistics is the view model of the statistics page.
type statistics struct {
	app.Statistics
	Title   string
	Periods []period
}

// Statistics renders the statistics page.
func (t *Templates) Statistics(stats app.Statistics) ([]byte, error) {
	return t.draw("statistics", newStatistics(stats))
}

// StatisticsLive renders the region of the statistics page that its socket keeps up to date.
func (t *Templates) StatisticsLive(stats app.Statistics) ([]byte, error) {
	return t.draw("statistics_live", newStatistics(stats))
}

// StatisticsFrame renders the changing parts of the statistics page for a socket.
func (t *Templates) StatisticsFrame(stats app.Statistics) ([]byte, error) {
	return t.draw("statistics_frame", newStatistics(stats))
}

func newStatistics(stats app.Statistics) statistics {
	return statistics{stats, "Statistics", []period{
		{Name: "recent", Heading: "Last 15 minutes", Span: "the last 15 minutes", Unit: "minute", Period: stats.Recent, At: stats.At},
		{Name: "day", Heading: "Last 24 hours", Span: "the last 24 hours", Unit: "hour", Period: stats.Day, At: stats.At},
	}}
}

// foretell puts the forecast into words. The forecast does not cover the runs of unserved, whose kinds no
// worker handles.
func foretell(f app.Forecast, unserved app.UnhandledKinds) string {
	wait := humanize.Comma(f.Waiting) + " runs wait"
	if f.Waiting == 1 {
		wait = "1 run waits"
	}
	switch f.Trend {
	case app.Draining:
		return wait + ": clears in about " + rough(roundly(f.In)) + "."
	case app.Steady:
		return wait + ": neither growing nor draining. A new one waits for about " + rough(roundly(f.In)) + "."
	case app.Growing:
		return wait + ": growing, will not drain."
	case app.Busy:
		return fmt.Sprintf("%s until one of the %s that are being worked on is done.", wait, humanize.Comma(f.Working))
	case app.Stalled:
		return wait + ", and nothing is being started."
	case app.Unknown:
		return "How many other runs are waiting is unknown."
	case app.Unclear:
		return wait + ". It is too early to say for how long."
	}
	if len(unserved.Named()) > 0 {
		return "No other runs are waiting."
	}
	return "Queue empty."
}

// roundly rounds an estimate to whole seconds, but not below one: more digits would look like a measurement.
func roundly(d time.Duration) time.Duration { return max(d.Round(time.Second), time.Second) }

// unserved returns a warning about waiting runs whose kinds no worker handles, or "".
func unserved(kinds app.UnhandledKinds) string {
	var some []string
	for _, one := range kinds.Named() {
		some = append(some, waitingOf(one))
	}
	if some == nil {
		return ""
	}
	verb := "are"
	if kinds.Runs() == 1 {
		verb = "is"
	}
	which := "this kind"
	if len(some) > 1 {
		which = "these kinds"
	}
	return fmt.Sprintf("%s %s waiting, but no worker here handles %s.", enumerate(some), verb, which)
}

// waitingOf says how many runs of a kind are waiting.
func waitingOf(kind app.KindCount) string {
	switch {
	case kind.More:
		return fmt.Sprintf("more than %s runs of kind %s", humanize.Comma(kind.Runs), kind.Kind)
	case kind.Runs == 1:
		return "1 run of kind " + kind.Kind
	}
	return fmt.Sprintf("%s runs of kind %s", humanize.Comma(kind.Runs), kind.Kind)
}

// enumerate joins words to the beginning of a sentence, such as "A, b and c". words must not be empty.
func enumerate(words []string) string {
	last := len(words) - 1
	text := words[last]
	if last > 0 {
		text = strings.Join(words[:last], ", ") + " and " + text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// most returns the longest 95th percentile of all kinds: of their queue times if of is "waits", else of their
// run times.
func most(kinds []app.KindTimes, of string) (longest time.Duration) {
	for _, kind := range kinds {
		if of == "waits" {
			longest = max(longest, kind.QueueTime.P95)
		} else {
			longest = max(longest, kind.RunTime.P95)
		}
	}
	return longest
}

// bar is the view model of two quantiles, with the lengths of their bars in a picture 100 wide.
type bar struct {
	app.Quantiles
	Half, Most string
}

// newBar scales the bars of q to longest, which is 100 wide. Each bar is at least 1 wide.
func newBar(q app.Quantiles, longest time.Duration) bar {
	length := func(d time.Duration) string {
		return coordinate(1 + 99*float64(d)/float64(max(longest, time.Millisecond)))
	}
	return bar{q, length(q.P50), length(q.P95)}
}
