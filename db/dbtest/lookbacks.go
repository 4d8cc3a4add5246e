package dbtest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"runboard/app"
)

func testLookbacks(t *testing.T, subject Subject) {
	for name, test := range map[string]func(fixture){
		"every lookback has all changes":          countsInEverySpan,
		"a lookback ends with the present step":   endsNow,
		"changes leave a lookback when it passes": leaveSpan,
		"the time before a lookback is summed up": sumsUpBefore,
		"waiting runs are sampled":                samplesWaiting,
		"the peak of a step is kept":              keepsPeak,
		"kinds come by number of runs":            sortsKinds,
		"further kinds are summed up":             sumsUpOtherKinds,
		"bulk runs keep no worker busy":           countsWorkers,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(openWith(t, subject, Settings{Workers: 7}))
		})
	}
}

// statisticsOnce returns the statistics of a lookback once holds returns true. It waits, because stores save
// them with a delay.
func (f fixture) statisticsOnce(
	lookback app.Lookback, holds func(app.Statistics) bool,
) (stats app.Statistics) {
	f.Helper()
	f.eventually(func() (err error) {
		stats, err = f.store.Statistics(ctx, lookback)
		if err == nil && !holds(stats) {
			err = fmt.Errorf("the statistics of %s are %+v, total %+v, before %+v, waiting %v", lookback,
				stats.Period.Summary, stats.Period.Total, stats.Before, stats.Period.Waiting)
		}
		return err
	})
	return stats
}

func countsInEverySpan(f fixture) {
	f.took(time.Minute, time.Second, app.Completed)
	f.took(time.Minute, time.Second, app.Failed)
	f.in(app.Cancelled)
	want := app.Counters{Created: 3, Started: 3, Completed: 1, Failed: 1, Cancelled: 1}
	for _, lookback := range app.Lookbacks() {
		stats := f.statisticsOnce(lookback, func(stats app.Statistics) bool {
			return stats.Period.Total == want
		})
		period := stats.Period
		if app.Sum(period.Counters) != want || app.Sum(stats.Recent.Counters) != want ||
			period.Lookback != lookback {
			f.Fatalf("the steps of %s have %+v", lookback, app.Sum(period.Counters))
		}
		if period.QueueTime.Count != 3 || period.RunTime.Count != 2 || len(period.Kinds) != 1 {
			f.Fatalf("in %s the queue times are %+v, the run times %+v", lookback, period.QueueTime,
				period.RunTime)
		}
		one := period.Kinds[0]
		if one.Total != want || app.Sum(one.Counters) != want || one.QueueTime != period.QueueTime ||
			one.RunTime != period.RunTime {
			f.Fatalf("in %s the kind has %+v", lookback, one)
		}
		f.about("the p95 of the queue time", period.QueueTime.P95, time.Minute)
	}
}

func endsNow(f fixture) {
	f.clock.Advance(100 * time.Minute)
	f.create(3)
	for _, lookback := range app.Lookbacks() {
		period := f.statisticsOnce(lookback, func(stats app.Statistics) bool {
			return stats.Period.Total.Created == 3
		}).Period
		now := f.clock.Now()
		last := period.From.Add(lookback.Length())
		if last != now.Truncate(lookback.Step()) ||
			len(period.Counters) != int(lookback.Length()/lookback.Step())+1 ||
			len(period.Waiting) != len(period.Counters) {
			f.Fatalf("%s has %d steps from %s", lookback, len(period.Counters), period.From)
		}
		if period.Counters[len(period.Counters)-1].Created != 3 || period.Since != last {
			f.Fatalf("%s ends with %+v, and begins at %s", lookback, period.Counters[len(period.Counters)-1],
				period.Since)
		}
	}
}

func leaveSpan(f fixture) {
	f.in(app.Completed)
	f.statistics(app.Counters{Created: 1, Started: 1, Completed: 1})
	for _, lookback := range app.Lookbacks() {
		f.clock.Advance(lookback.Length() + lookback.Step())
		f.statisticsOnce(lookback, func(stats app.Statistics) bool {
			return stats.Period.Total == app.Counters{} && len(stats.Period.Kinds) == 0
		})
	}
}

func sumsUpBefore(f fixture) {
	for _, lookback := range app.Lookbacks() {
		f.took(0, time.Second, app.Failed)
		f.statisticsOnce(lookback, func(stats app.Statistics) bool { return stats.Period.Total.Failed == 1 })
		f.clock.Advance(lookback.Length() + lookback.Step())
		f.took(0, time.Second, app.Completed)
		stats := f.statisticsOnce(lookback, func(stats app.Statistics) bool {
			return stats.Period.Total.Completed == 1
		})
		if stats.Before.Total.Failed < 1 || stats.Before.Total.Failed > 2 || stats.Period.Total.Failed != 0 ||
			stats.Before.QueueTime.Count != stats.Before.Total.Started {
			f.Fatalf("before %s there was %+v, and in it %+v", lookback, stats.Before, stats.Period.Total)
		}
		f.clock.Advance(60 * 24 * time.Hour)
	}
}

func samplesWaiting(f fixture) {
	const step = 10 * time.Second
	f.clock.Advance(5 * time.Second) // to the middle of a step
	stats := f.statisticsOnce(app.Last15Minutes, func(app.Statistics) bool { return true })
	if slices.Max(stats.Period.Waiting) != 0 || stats.Period.Waiting[0] != -1 {
		f.Fatalf("at first the waiting runs are %v", stats.Period.Waiting)
	}
	f.create(3)
	f.statistics(app.Counters{Created: 3}) // saved together with a sample
	f.clock.Advance(3 * step)
	f.create(2)
	f.statistics(app.Counters{Created: 5})
	f.waitingWas(app.Last15Minutes, -1, -1, 3, 3, 3, 5)
	f.clock.Advance(time.Hour)
	f.waitingWas(app.Last15Minutes, 5, 5, 5)
	for _, lookback := range app.Lookbacks()[1:] {
		f.waitingWas(lookback, 5)
	}
}

// waitingWas fails unless the last steps of a lookback had these waiting runs.
func (f fixture) waitingWas(lookback app.Lookback, want ...int64) {
	f.Helper()
	stats, err := f.store.Statistics(ctx, lookback)
	f.ok(err)
	waiting := stats.Period.Waiting
	if !slices.Equal(waiting[len(waiting)-len(want):], want) {
		f.Fatalf("in %s the waiting runs are %v and not %v", lookback, waiting, want)
	}
}

func keepsPeak(f fixture) {
	f.clock.Advance(5 * time.Second) // to the middle of a step
	runs := f.create(4)
	f.statistics(app.Counters{Created: 4})
	for _, run := range runs[:3] {
		_, err := f.store.Cancel(ctx, run.ID)
		f.ok(err)
	}
	f.statistics(app.Counters{Created: 4, Cancelled: 3})
	f.waitingWas(app.Last15Minutes, 4) // the most within the step
	f.clock.Advance(20 * time.Second)
	f.waitingWas(app.Last15Minutes, 4, 1, 1)
}

// finishOf creates n runs of a kind and completes them.
func (f fixture) finishOf(kind string, n int) {
	f.Helper()
	batch, err := f.store.Create(ctx, app.CreateRequest{Kind: kind, Count: n})
	f.ok(err)
	for _, run := range batch.Runs() {
		f.finish(f.start(run), app.Outcome{Status: app.Completed})
	}
}

func sortsKinds(f fixture) {
	for name, n := range map[string]int{"few": 1, "many": 3, "also few": 1} {
		f.finishOf(name, n)
	}
	_, err := f.store.Create(ctx, app.CreateRequest{Kind: "only waiting", Count: 9})
	f.ok(err)
	stats := f.statisticsOnce(app.Last7Days, func(stats app.Statistics) bool {
		return stats.Period.Total == app.Counters{Created: 14, Started: 5, Completed: 5}
	})
	var names []string
	for _, one := range stats.Period.Kinds {
		names = append(names, one.Kind)
	}
	if !slices.Equal(names, []string{"many", "also few", "few"}) || stats.Period.OtherKinds != 0 {
		f.Fatalf("the kinds are %q", names)
	}
}

func sumsUpOtherKinds(f fixture) {
	for i := range app.MaxKinds + 2 {
		f.finishOf(fmt.Sprintf("kind %02d", i), 1)
	}
	f.finishOf("last but most", 2)
	const all = app.MaxKinds + 4
	stats := f.statisticsOnce(app.Last24Hours, func(stats app.Statistics) bool {
		return stats.Period.Total.Completed == all
	})
	period := stats.Period
	if len(period.Kinds) != app.MaxKinds || period.Kinds[0].Kind != "last but most" ||
		period.OtherKinds != 3 || period.Others.Total.Completed != 3 || period.Others.RunTime.Count != 3 ||
		app.Sum(period.Others.Counters).Completed != 3 {
		f.Fatalf("there are %d kinds, and %d others: %+v", len(period.Kinds), period.OtherKinds,
			period.Others)
	}
}

func countsWorkers(f fixture) {
	f.workersAre(0)
	f.in(app.Started)
	f.in(app.Started)
	f.in(app.Completed)
	asked, err := f.store.CreateBulkAction(ctx, app.BulkAction{Operation: app.BulkDelete}, "")
	f.ok(err)
	f.start(asked)
	f.workersAre(2)
}

func (f fixture) workersAre(busy int64) {
	f.Helper()
	stats, err := f.store.Statistics(ctx, app.Last15Minutes)
	f.ok(err)
	if want := (app.Workers{Count: 7, Busy: busy}); stats.Workers != want {
		f.Fatalf("the workers are %+v and not %+v", stats.Workers, want)
	}
}
