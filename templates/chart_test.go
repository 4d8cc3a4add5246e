package templates

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"runboard/app"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// periodOf returns a period of a lookback that ends at noon. steps has the counters that are not zero, and
// waiting the numbers of waiting runs, which else are not known.
func periodOf(lookback app.Lookback, steps map[int]app.Counters, waiting map[int]int64) app.Period {
	n := int(lookback.Length()/lookback.Step()) + 1
	period := app.Period{
		Lookback: lookback,
		From:     noon.Add(-lookback.Length()),
		Counters: make([]app.Counters, n),
	}
	for i := range n {
		known, is := waiting[i]
		if !is {
			known = -1
		}
		period.Waiting = append(period.Waiting, known)
	}
	for step, counters := range steps {
		period.Counters[step] = counters
	}
	period.Total = app.Sum(period.Counters)
	return period
}

// chartOf returns the chart of a period that ends a second after noon.
func chartOf(period app.Period) chart {
	return newChart(period, newBars(period, noon.Add(time.Second)))
}

func TestBars_CoverEveryStepOnce(t *testing.T) {
	t.Parallel()
	for _, lookback := range app.Lookbacks() {
		for offset := range 12 {
			period := periodOf(lookback, nil, nil)
			period.From = period.From.Add(time.Duration(offset) * lookback.Step())
			bars := newBars(period, noon.Add(time.Hour))
			end, length := 0, barLengths[lookback]
			for i, bar := range bars {
				if bar.first != end || bar.end <= bar.first {
					t.Fatalf("bar %d of %s has the steps from %d to %d", i, lookback, bar.first, bar.end)
				}
				end = bar.end
				inside := i > 0 && i < len(bars)-1
				if inside && (bar.to.Sub(bar.from) != length || !bar.from.Truncate(length).Equal(bar.from)) {
					t.Errorf("bar %d of %s is from %s to %s", i, lookback, bar.from, bar.to)
				}
			}
			if end != len(period.Counters) || len(bars) < 30 || len(bars) > 62 {
				t.Errorf("%s has %d bars with %d steps", lookback, len(bars), end)
			}
			if last := bars[len(bars)-1]; !last.to.Equal(noon.Add(time.Hour)) {
				t.Errorf("the last bar of %s ends at %s", lookback, last.to)
			}
		}
	}
}

func TestBars_HaveSumsAndPeaks(t *testing.T) {
	t.Parallel()
	steps := map[int]app.Counters{3: {Completed: 1}, 4: {Completed: 2, Failed: 1}, 6: {Cancelled: 5}}
	period := periodOf(app.Last15Minutes, steps, map[int]int64{3: 7, 4: 9, 5: 2})
	bars := newBars(period, noon)
	if got := bars[1]; got.Counters != (app.Counters{Completed: 3, Failed: 1}) || got.waiting != 9 {
		t.Errorf("the second bar is %+v", got)
	}
	if got := bars[2]; got.Cancelled != 5 || got.waiting != -1 {
		t.Errorf("the third bar is %+v", got)
	}
}

func TestChart_StacksStatuses(t *testing.T) {
	t.Parallel()
	steps := map[int]app.Counters{0: {Completed: 60, Failed: 20, Cancelled: 10}, 1: {Created: 5}}
	c := chartOf(periodOf(app.Last24Hours, steps, nil))
	if c.Top != "100" || c.Middle != "50" || c.Every != "30 min" || len(c.Bars) != 49 {
		t.Errorf("the axis is up to %s, %s in %s, with %d bars", c.Top, c.Middle, c.Every, len(c.Bars))
	}
	want := []segment{{"failed", "80%", "20%"}, {"completed", "20%", "60%"}, {"cancelled", "10%", "10%"}}
	if got := c.Bars[0]; fmt.Sprint(got.Segments) != fmt.Sprint(want) || got.X != "0%" ||
		got.Width != "2.04%" {
		t.Errorf("the first bar is %+v", got)
	}
	if len(c.Bars[1].Segments) > 0 {
		t.Errorf("a bar without finished runs has %v", c.Bars[1].Segments)
	}
	wantLegend := []legendEntry{{"failed", "20"}, {"completed", "60"}, {"cancelled", "10"}}
	if fmt.Sprint(c.Legend) != fmt.Sprint(wantLegend) {
		t.Errorf("the legend is %v", c.Legend)
	}
}

func TestChart_ShowsOneFailureAmongThousands(t *testing.T) {
	t.Parallel()
	c := chartOf(periodOf(app.Last7Days, map[int]app.Counters{0: {Completed: 100_000, Failed: 1}}, nil))
	if got := c.Bars[0].Segments[0]; got.Name != "failed" || got.Height != "1.2%" {
		t.Errorf("one failure is %+v", got)
	}
}

func TestChart_BarsStayInside(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, 1e9)
		values := rapid.Custom(func(t *rapid.T) app.Counters {
			return app.Counters{
				Completed: n.Draw(t, "completed"),
				Failed:    n.Draw(t, "failed"),
				Cancelled: n.Draw(t, "cancelled"),
			}
		})
		lookback := rapid.SampledFrom(app.Lookbacks()).Draw(t, "lookback")
		steps := rapid.MapOf(rapid.IntRange(0, 90), values).Draw(t, "steps")
		waiting := rapid.MapOf(rapid.IntRange(0, 90), rapid.Int64Range(0, 1e9)).Draw(t, "waiting")
		c := chartOf(periodOf(lookback, steps, waiting))
		for _, bar := range c.Bars {
			percents(t, bar.X)
			for _, segment := range bar.Segments {
				if percents(t, segment.Y)+percents(t, segment.Height) > 103 { // small ones are enlarged
					t.Fatalf("a segment is %+v", segment)
				}
			}
		}
		for _, number := range regexp.MustCompile(`[ V]([-0-9.e]+)`).
			FindAllStringSubmatch(c.Waiting.Path, -1) {
			if y, err := strconv.ParseFloat(number[1], 64); err != nil || y < 0 || y > 100 {
				t.Fatalf("the line is %s", c.Waiting.Path)
			}
		}
	})
}

// percents parses a percentage from 0 to 100.
func percents(t *rapid.T, text string) float64 {
	t.Helper()
	number, isPercentage := strings.CutSuffix(text, "%")
	value, err := strconv.ParseFloat(number, 64)
	if !isPercentage || err != nil || value < 0 || value > 100 {
		t.Fatalf("%s is no percentage", text)
	}
	return value
}

func TestChart_BarTitlesHaveValues(t *testing.T) {
	t.Parallel()
	c := chartOf(periodOf(app.Last24Hours, map[int]app.Counters{
		0: {Completed: 1200, Failed: 1}, 144: {Cancelled: 3},
	}, map[int]int64{0: 0, 3: 40}))
	for i, want := range map[int]string{
		0:  "1 Nov, 12:00–12:30 UTC: 1 failed, 1,200 completed, at most 0 waiting",
		1:  "1 Nov, 12:30–13:00 UTC: none finished, at most 40 waiting",
		48: "2 Nov, 12:00–12:00 UTC: 3 cancelled",
	} {
		if got := c.Bars[i].Title; got != want {
			t.Errorf("bar %d says %q, want %q", i, got, want)
		}
	}
	short := chartOf(periodOf(app.Last15Minutes, map[int]app.Counters{0: {Failed: 1}}, nil))
	if got, want := short.Bars[0].Title, "2 Nov, 11:45:00–11:45:30 UTC: 1 failed"; got != want {
		t.Errorf("a short bar says %q, want %q", got, want)
	}
}

func TestChart_WaitingLineHasGaps(t *testing.T) {
	t.Parallel()
	waiting := map[int]int64{6: 10, 7: 20, 8: 0, 9: 15, 15: 5}
	line := chartOf(periodOf(app.Last15Minutes, nil, waiting)).Waiting
	if want := "M2 0h1V25h1M5 75h1"; line.Path != want || line.Top != "20" || line.Middle != "10" ||
		line.Most != "20" {
		t.Errorf("the line is %+v, want %s", line, want)
	}
	failed := map[int]app.Counters{0: {Failed: 1}}
	idle := chartOf(periodOf(app.Last15Minutes, failed, map[int]int64{0: 0, 1: 0}))
	if idle.Waiting != (waitingLine{}) {
		t.Errorf("with no waiting run, the line is %+v", idle.Waiting)
	}
}

func TestChart_IsEmptyWithoutRuns(t *testing.T) {
	t.Parallel()
	c := chartOf(periodOf(app.Last7Days, nil, map[int]int64{0: 0}))
	if !c.Empty || c.Span != "the last 7 days" {
		t.Errorf("without runs it is %+v", c)
	}
	if c := chartOf(periodOf(app.Last7Days, nil, map[int]int64{0: 1})); c.Empty {
		t.Error("it is empty although a run was waiting")
	}
}

func TestChart_DescriptionHasTotalsAndPeaks(t *testing.T) {
	t.Parallel()
	steps := map[int]app.Counters{1: {Completed: 2, Failed: 1}, 4: {Cancelled: 1}}
	c := chartOf(periodOf(app.Last24Hours, steps, map[int]int64{6: 1200}))
	const want = "2 completed, 1 failed, 1 cancelled. The most in 30 min: 3 finished, 1 Nov, " +
		"12:00–12:30 UTC. " +
		"At most 1,200 waiting, 1 Nov, 13:00–13:30 UTC."
	if c.Description != want {
		t.Errorf("description = %q, want %q", c.Description, want)
	}
}

func TestRoundUp_IsRound(t *testing.T) {
	t.Parallel()
	for value, want := range map[float64]float64{
		0: 2, 1: 2, 2: 2, 2.1: 4, 5: 6, 10: 10, 11: 20, 21: 30, 101: 150, 999: 1000, 10_002: 15_000,
	} {
		if got := roundUp(value); got != want {
			t.Errorf("roundUp(%v) = %v, want %v", value, got, want)
		}
	}
}
