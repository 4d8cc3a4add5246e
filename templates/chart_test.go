package templates

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"runboard/app"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// last15Minutes returns the counters of the last 15 minutes. elapsed is how much of the last step has passed,
// and steps has the counters that are not zero.
func last15Minutes(elapsed time.Duration, steps map[int]app.Counters) counters {
	return newCounters(elapsed, steps, app.Period{
		From: noon.Add(-app.RecentSpan), Step: app.RecentStep, Counters: make([]app.Counters, 91),
	})
}

// last24Hours returns the counters of the last 24 hours, with the parameters of last15Minutes.
func last24Hours(elapsed time.Duration, steps map[int]app.Counters) counters {
	return newCounters(elapsed, steps, app.Period{
		From: noon.Add(-app.DaySpan), Step: app.DayStep, Counters: make([]app.Counters, 145),
	})
}

func newCounters(elapsed time.Duration, steps map[int]app.Counters, of app.Period) counters {
	for step, values := range steps {
		of.Counters[step] = values
	}
	return counters{Period: of, At: noon.Add(elapsed)}
}

func TestChart_PointsFollowTheCounters(t *testing.T) {
	t.Parallel()
	c := newChart(last15Minutes(4*time.Second,
		map[int]app.Counters{0: {Created: 100}, 2: {Created: 50, Failed: 25}}))
	if c.Top != "10" || c.Middle != "5" || c.Unit != "a second" || c.Width != "90" {
		t.Errorf("chart up to %s, middle %s %s, width %s; want 10, 5 a second, 90", c.Top, c.Middle, c.Unit,
			c.Width)
	}
	for i, want := range map[int]line{
		0: {Name: "created", Total: "150", Points: "0,0 1,100 2,50 3,100 "},
		3: {Name: "failed", Total: "25", Points: "0,100 1,100 2,75 3,100 "},
	} {
		got := c.Lines[i]
		if got.Name != want.Name || got.Total != want.Total || !strings.HasPrefix(got.Points, want.Points) {
			t.Errorf("line %d = %+v, want it to begin like %+v", i, got, want)
		}
		if !strings.HasSuffix(got.Points, " 89,100") {
			t.Errorf("line %d = %+v, want 90 points", i, got)
		}
	}
}

func TestChart_PlotsOnlyStepsWithEnoughTime(t *testing.T) {
	t.Parallel()
	second := time.Second
	for elapsed, want := range map[time.Duration]int{0: 89, 2 * second: 89, 3 * second: 90, 9 * second: 90} {
		if got := len(last15Minutes(elapsed, nil).plotted()); got != want {
			t.Errorf("%s into a step of 10 s: plotted %d steps, want %d", elapsed, got, want)
		}
	}
	minute := time.Minute
	for elapsed, want := range map[time.Duration]int{0: 144, minute - second: 144, minute: 145,
		9 * minute: 145} {
		if got := len(last24Hours(elapsed, nil).plotted()); got != want {
			t.Errorf("%s into a step of 10 min: plotted %d steps, want %d", elapsed, got, want)
		}
	}
	if got := last24Hours(2*minute, map[int]app.Counters{144: {Started: 240}}).peak(); got != 2 {
		t.Errorf("peak of 240 starts in two minutes = %v a second, want 2", got)
	}
}

func TestChart_UnitFitsThePeak(t *testing.T) {
	t.Parallel()
	for created, want := range map[int64]string{
		12: "2 a second", 10: "2 a second", 9: "100 a minute", 1: "10 a minute", 1234: "200 a second",
		5000: "500 a second",
	} {
		c := newChart(last15Minutes(0, map[int]app.Counters{7: {Created: created}}))
		if got := c.Top + " " + c.Unit; got != want {
			t.Errorf("%d in ten seconds: axis up to %s, want %s", created, got, want)
		}
	}
	c := newChart(last24Hours(0, map[int]app.Counters{7: {Completed: 3}}))
	if got := c.Top + " " + c.Unit; got != "20 an hour" {
		t.Errorf("3 in ten minutes: axis up to %s, want 20 an hour", got)
	}
}

func TestChart_LinesStayInside(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.Custom(func(t *rapid.T) app.Counters {
			n := rapid.Int64Range(0, 1e9)
			return app.Counters{
				Created: n.Draw(t, "created"), Started: n.Draw(t, "started"),
				Completed: n.Draw(t, "completed"), Failed: n.Draw(t, "failed"),
			}
		})
		elapsed := time.Duration(rapid.Int64Range(0, int64(app.RecentStep)-1).Draw(t, "elapsed"))
		c := last15Minutes(elapsed, rapid.MapOf(rapid.IntRange(0, 90), values).Draw(t, "steps"))
		for _, line := range newChart(c).Lines {
			points := strings.Fields(line.Points)
			if len(points) != len(c.plotted()) {
				t.Fatalf("%d points for %d steps", len(points), len(c.plotted()))
			}
			for i, point := range points {
				x, y, _ := strings.Cut(point, ",")
				height, err := strconv.ParseFloat(y, 64)
				if x != strconv.Itoa(i) || err != nil || height < 0 || height > chartHeight ||
					math.IsNaN(height) {
					t.Fatalf("point %d is %s", i, point)
				}
			}
		}
	})
}

func TestChart_TableHasEveryChange(t *testing.T) {
	t.Parallel()
	rows := last15Minutes(4*time.Second, map[int]app.Counters{
		0: {Created: 1}, 5: {Created: 2}, 6: {Started: 3}, 89: {Failed: 4}, 90: {Completed: 5},
	}).rows()
	if len(rows) != 16 {
		t.Fatalf("%d rows, want 16: %+v", len(rows), rows)
	}
	for i, want := range map[int]throughput{
		0:  {"now", "0", "0", "5", "0"},
		1:  {"1 min ago", "0", "0", "0", "4"},
		14: {"14 min ago", "0", "3", "0", "0"},
		15: {"15 min ago", "3", "0", "0", "0"},
	} {
		if rows[i] != want {
			t.Errorf("row %d = %+v, want %+v", i, rows[i], want)
		}
	}
	if rows := last24Hours(0, nil).rows(); len(rows) != 25 || rows[24].When != "24 h ago" {
		t.Errorf("rows of a day = %+v", rows)
	}
}

func TestChart_DescriptionHasTotalsAndPeak(t *testing.T) {
	t.Parallel()
	c := newChart(last15Minutes(0,
		map[int]app.Counters{1: {Created: 1200, Started: 30}, 2: {Completed: 2, Failed: 1}}))
	const want = "1,200 created, 30 started, 2 completed, 1 failed. At the most there were about 120 a second."
	if c.Description != want {
		t.Errorf("description = %q, want %q", c.Description, want)
	}
}

func TestForecast_Text(t *testing.T) {
	t.Parallel()
	for want, forecast := range map[string]app.Forecast{
		"Queue empty.": {Trend: app.Empty},
		"12,300 runs wait: clears in about 3 min.": {Trend: app.Draining, Waiting: 12300,
			In: 190 * time.Second},
		"1 run waits: clears in about 1 s.":        {Trend: app.Draining, Waiting: 1, In: time.Millisecond},
		"40 runs wait: growing.":                   {Trend: app.Growing, Waiting: 40},
		"40 runs wait.":                            {Trend: app.Unclear, Waiting: 40},
		"990 runs wait: too early for a forecast.": {Trend: app.Early, Waiting: 990},
	} {
		if got := forecastText(forecast, false); got != want {
			t.Errorf("forecastText(%+v) = %q, want %q", forecast, got, want)
		}
	}
	if got := forecastText(app.Forecast{Trend: app.Empty}, true); got != "No other runs are waiting." {
		t.Errorf("with a warning above, forecastText = %q", got)
	}
}

func TestUnhandledWarning_NamesTheKinds(t *testing.T) {
	t.Parallel()
	const unhandled = " waiting, but no worker here handles "
	for want, kinds := range map[string]app.UnhandledKinds{
		"": {},
		"1 run of kind report is" + unhandled + "this kind.":   {{Kind: "report", Runs: 1}},
		"3 runs of kind report are" + unhandled + "this kind.": {{Kind: "report", Runs: 3}},
		"1,200 runs of kind a and 1 run of kind b are" + unhandled + "these kinds.": {
			{Kind: "a", Runs: 1200}, {Kind: "b", Runs: 1},
		},
		"More than 1,000 runs of kind a, 2 runs of kind b and 1 run of kind c are" + unhandled +
			"these kinds.": {
			{Kind: "a", Runs: 1000, More: true}, {Kind: "b", Runs: 2}, {Kind: "c", Runs: 1},
		},
	} {
		if got := unhandledWarning(kinds); got != want {
			t.Errorf("unhandledWarning = %q, want %q", got, want)
		}
	}
}

func TestPeriod_ScalesBarsToTheLongest(t *testing.T) {
	t.Parallel()
	second := time.Second
	view := newPeriod("day", "24 hours", counters{Period: app.Period{Kinds: []app.KindTimes{
		{Kind: "a", QueueTime: app.Quantiles{Count: 1, P50: second, P95: 4 * second}},
		{Kind: "b", RunTime: app.Quantiles{Count: 1, P50: second, P95: 2 * second}},
	}}})
	want := []kindDurations{
		{Kind: "a", QueueTime: quantiles{"median 1 s · p95 4 s", "25.8", "100"}},
		{Kind: "b", RunTime: quantiles{"median 1 s · p95 2 s", "50.5", "100"}},
	}
	for i := range want {
		if view.Kinds[i] != want[i] {
			t.Errorf("durations %+v, want %+v", view.Kinds[i], want[i])
		}
	}
	if bar := newQuantiles(app.Quantiles{Count: 1}, 0); bar.P50 != "1" || bar.P95 != "1" {
		t.Errorf("bars of no time = %+v, want length 1", bar)
	}
}
