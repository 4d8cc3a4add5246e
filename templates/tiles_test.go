package templates

import (
	"testing"
	"time"

	"runboard/app"
)

func TestWaitingTile_PutsForecastIntoWords(t *testing.T) {
	t.Parallel()
	for want, forecast := range map[string]app.Forecast{
		"0 waiting Queue empty.": {Trend: app.Empty},
		"12,300 waiting, clear in about 3 min": {Trend: app.Draining, Waiting: 12300,
			In: 190 * time.Second},
		"1 waiting, clears in about 1 s": {Trend: app.Draining, Waiting: 1,
			In: time.Millisecond},
		"40 waiting and growing: more come than are started": {Trend: app.Growing, Waiting: 40},
		"990 waiting, too early to tell how long":            {Trend: app.Early, Waiting: 990},
		"40 waiting": {Trend: app.Unclear, Waiting: 40},
	} {
		if got := read(waitingTile(forecast, false)); got != want {
			t.Errorf("%+v says %q, want %q", forecast, got, want)
		}
	}
	got := read(waitingTile(app.Forecast{Trend: app.Empty}, true))
	if got != "0 waiting No other runs are waiting." {
		t.Errorf("with a warning above, it says %q", got)
	}
}

// read returns a tile as it is read.
func read(view tile) string {
	text := view.Figure + " " + view.Label
	for _, more := range []string{view.Trend, view.Note} {
		if more != "" {
			text += " " + more
		}
	}
	return text
}

func TestWorkersTile_SaysHowManyAreBusy(t *testing.T) {
	t.Parallel()
	for want, workers := range map[string]app.Workers{
		"0 of 10 workers busy":     {Count: 10},
		"4 of 10 workers busy":     {Count: 10, Busy: 4},
		"12 running on 10 workers": {Count: 10, Busy: 12},
		"2 running on 1 worker":    {Count: 1, Busy: 2},
		"3 running":                {Busy: 3},
	} {
		if got := read(workersTile(workers)); got != want {
			t.Errorf("%+v says %q, want %q", workers, got, want)
		}
	}
}

func TestFailureTile_ComparesWithTimeBefore(t *testing.T) {
	t.Parallel()
	for want, counters := range map[string][2]app.Counters{
		"– failure rate No run has completed or failed.": {{Created: 3, Cancelled: 2}, {Failed: 1}},
		"25% failed 1 of 4 runs":                         {{Completed: 3, Failed: 1}, {Cancelled: 1}},
		"0% failed 0 of 1 run":                           {{Completed: 1}, {}},
		"100% failed 1 of 1 run, and 119 cancelled":      {{Failed: 1, Cancelled: 119}, {}},
		"50% failed up from 10% 1 of 2 runs": {{Completed: 1, Failed: 1},
			{Completed: 9, Failed: 1}},
		"10% failed down from 50% 1 of 10 runs": {{Completed: 9, Failed: 1}, {Completed: 1, Failed: 1}},
		"50% failed as before 1 of 2 runs":      {{Completed: 1, Failed: 1}, {Completed: 2, Failed: 2}},
	} {
		stats := app.Statistics{
			Period: app.Period{Summary: app.Summary{Total: counters[0]}},
			Before: app.Summary{Total: counters[1]},
		}
		view := failureTile(stats)
		if got := read(view); got != want {
			t.Errorf("%+v says %q, want %q", counters, got, want)
		}
		if want := counters[1].Completed == 9; view.Worse != want {
			t.Errorf("%q is worse: %t", read(view), view.Worse)
		}
	}
}

func TestQueueTimeTile_ComparesWithTimeBefore(t *testing.T) {
	t.Parallel()
	second := time.Second
	stats := app.Statistics{}
	if got := read(queueTimeTile(stats)); got != "– p95 wait No run has started." {
		t.Errorf("it says %q", got)
	}
	stats.Period.QueueTime = app.Quantiles{Count: 3, P50: second, P95: 80 * second}
	if got := read(queueTimeTile(stats)); got != "1 min 20 s p95 wait median 1 s" {
		t.Errorf("it says %q", got)
	}
	stats.Before.QueueTime = app.Quantiles{Count: 1, P95: 2 * second}
	view := queueTimeTile(stats)
	if read(view) != "1 min 20 s p95 wait up from 2 s median 1 s" || !view.Worse {
		t.Errorf("it says %q", read(view))
	}
}

func TestPercent_RoundsNothingToNoneOrAll(t *testing.T) {
	t.Parallel()
	for rate, want := range map[float64]string{
		0: "0%", 0.0001: "<0.1%", 0.001: "0.1%", 0.04: "4%", 0.0396: "4%", 0.0432: "4.3%", 0.0996: "10%",
		0.12: "12%", 0.126: "13%", 0.9999: "99%", 1: "100%",
	} {
		if got := percent(rate); got != want {
			t.Errorf("percent(%v) = %q, want %q", rate, got, want)
		}
	}
}

func TestUnhandledWarning_NamesTheKinds(t *testing.T) {
	t.Parallel()
	const unhandled = " waiting, but no worker here handles "
	for want, kinds := range map[string]app.UnhandledKinds{
		"": {},
		"1 run of kind report is" + unhandled + "this kind.":     {{Kind: "report", Runs: 1}},
		"3 runs of kind report are" + unhandled + "this kind.":   {{Kind: "report", Runs: 3}},
		"1 run of kind a<U+202E>b is" + unhandled + "this kind.": {{Kind: "a\u202eb", Runs: 1}},
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

func TestKindRow_SaysWhichRunsTheRateCounts(t *testing.T) {
	t.Parallel()
	period := periodOf(app.Last15Minutes, nil, nil)
	for name, test := range map[string]struct {
		total app.Counters
		want  kindRow
	}{
		"cancelled runs": {app.Counters{Failed: 1, Cancelled: 119}, kindRow{
			Finished: "120", Cancelled: "119 cancelled", FailureRate: "100%",
			FailedOf: "1 of 1", Failed: true,
		}},
		"only cancelled runs": {app.Counters{Cancelled: 2}, kindRow{Finished: "2", Cancelled: "2 cancelled"}},
		"no cancelled runs": {app.Counters{Completed: 1199, Failed: 1}, kindRow{
			Finished: "1,200", FailureRate: "<0.1%", FailedOf: "1 of 1,200", Failed: true,
		}},
	} {
		kind := app.KindStatistics{Counters: period.Counters, Summary: app.Summary{Total: test.total}}
		if got := newKindRow(kind, period, nil); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

func TestSpark_ShowsFailuresWithinRuns(t *testing.T) {
	t.Parallel()
	steps := map[int]app.Counters{0: {Completed: 3, Failed: 1}, 4: {Cancelled: 2}}
	period := periodOf(app.Last15Minutes, steps, nil)
	got := newSpark(period.Counters, newBars(period, noon), "30 s")
	want := spark{
		Width: "31", Title: "At most 4 runs in 30 s",
		Finished: "M0 20v-20h.8V20zM1 20v-10h.8V20z", Failed: "M0 20v-5h.8V20z",
	}
	if got != want {
		t.Errorf("the spark is %+v, want %+v", got, want)
	}
	if none := newSpark(make([]app.Counters, 91), newBars(period, noon), ""); none != (spark{}) {
		t.Errorf("without runs it is %+v", none)
	}
}

func TestBulkLabel_PutsBulkKindsIntoWords(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{
		"cancel runs": "Bulk cancel", "retry runs": "Bulk retry", "delete runs": "Bulk delete", "backup": "",
	} {
		if got, is := bulkLabel(kind); got != want || is != (want != "") {
			t.Errorf("%s is called %q", kind, got)
		}
	}
}
