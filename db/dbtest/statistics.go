package dbtest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"runboard/app"
)

func testStatistics(t *testing.T, subject Subject) {
	for name, test := range map[string]func(fixture){
		"transitions are counted":             countsTransitions,
		"refused transitions are not counted": ignoresRefusedTransitions,
		"queue and run times are percentiles": reportsTimes,
		"queue time starts when a run is due": measuresFromDue,
		"times are reported by kind":          reportsTimesByKind,
		"counters belong to their time step":  countsBySteps,
		"old steps expire":                    expires,
		"the queue has a forecast":            forecasts,
		"kinds without workers are unhandled": reportsUnhandledKinds,
		"without kinds none is unhandled":     reportsNoUnhandledKinds,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := Settings{}
			if name != "without kinds none is unhandled" {
				settings.Kinds = []string{kind}
			}
			test(openWith(t, subject, settings))
		})
	}
	t.Run("a restart keeps the statistics", func(t *testing.T) {
		t.Parallel()
		if subject.Reopen == nil {
			t.Skip("this store cannot be reopened")
		}
		keepsStatistics(open(t, subject), subject)
	})
}

// statistics returns the statistics once their recent counters are want. It waits, because stores save them
// with a delay.
func (f fixture) statistics(want app.Counters) (stats app.Statistics) {
	f.Helper()
	f.eventually(func() (err error) {
		stats, err = f.store.Statistics(ctx, app.Last24Hours)
		if err == nil && app.Sum(stats.Recent.Counters) != want {
			err = fmt.Errorf("the statistics are %+v and not %+v", app.Sum(stats.Recent.Counters), want)
		}
		return err
	})
	return stats
}

func (f fixture) eventually(holds func() error) {
	f.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		err := holds()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			f.Fatalf("after %s: %v", patience, err)
		}
	}
}

func countsTransitions(f fixture) {
	for _, status := range []app.Status{app.Created, app.Started, app.Completed, app.Failed, app.Cancelled} {
		f.in(status)
	}
	_, err := f.store.Cancel(ctx, f.in(app.Created).ID)
	f.ok(err)
	_, err = f.store.Retry(ctx, f.in(app.Failed).ID)
	f.ok(err)
	f.ok(f.store.Requeue(ctx, f.in(app.Started)))
	f.finish(f.in(app.Started), app.Outcome{Status: app.Created, Error: "Once more."})
	asked := f.in(app.Started)
	_, err = f.store.Cancel(ctx, asked.ID)
	f.ok(err)
	f.ok(f.store.SaveProgress(ctx, asked, app.ProgressUpdate{Progress: &app.Progress{Percent: 5}}))
	stats := f.statistics(app.Counters{Created: 10, Requeued: 3, Started: 8, Completed: 1, Failed: 2,
		Cancelled: 2})
	if day := app.Sum(stats.Period.Counters); day != app.Sum(stats.Recent.Counters) {
		f.Fatalf("the counters of the day are %+v", day)
	}
	if stats.Counts != f.page(app.Query{}).Counts || !stats.At.Equal(f.clock.Now().Truncate(time.Second)) {
		f.Fatalf("the counts are %v at %s", stats.Counts, stats.At)
	}
}

func ignoresRefusedTransitions(f fixture) {
	run := f.in(app.Completed)
	f.refused(f.store.Finish(ctx, run, app.Outcome{Status: app.Failed}), app.CodeConflict)
	_, err := f.store.Start(ctx, run)
	f.refused(err, app.CodeConflict)
	_, err = f.store.Cancel(ctx, run.ID)
	f.refused(err, app.CodeConflict)
	request := app.CreateRequest{Kind: kind, Count: 2, IdempotencyKey: "once"}
	for range 3 {
		_, err = f.store.Create(ctx, request)
		f.ok(err)
	}
	f.in(app.Failed) // saved after everything counted before
	f.statistics(app.Counters{Created: 4, Started: 2, Completed: 1, Failed: 1})
}

// about fails unless two durations differ by at most a tenth.
func (f fixture) about(what string, got, want time.Duration) {
	f.Helper()
	if diff := got - want; max(diff, -diff) > want/10 {
		f.Fatalf("%s is %s and not %s", what, got, want)
	}
}

// took creates a run that waits and works for these durations on the clock.
func (f fixture) took(wait, work time.Duration, status app.Status) {
	f.Helper()
	run := f.create(1)[0]
	f.clock.Advance(wait)
	run = f.start(run)
	f.clock.Advance(work)
	f.finish(run, app.Outcome{Status: status})
}

func reportsTimes(f fixture) {
	for i := range 19 {
		f.took(time.Duration(i+1)*time.Millisecond, 20*time.Millisecond,
			[]app.Status{app.Completed, app.Failed}[i%2])
	}
	f.took(90*time.Second, 0, app.Completed)
	f.took(90*time.Second, time.Minute, app.Cancelled) // a cancelled run does not count for the run time
	kinds := f.statistics(app.Counters{Created: 21, Started: 21, Completed: 11, Failed: 9,
		Cancelled: 1}).Recent.Kinds
	if len(kinds) != 1 || kinds[0].Kind != kind || kinds[0].QueueTime.Count != 21 ||
		kinds[0].RunTime.Count != 20 {
		f.Fatalf("the kinds are %+v", kinds)
	}
	f.about("the median queue time", kinds[0].QueueTime.P50, 11*time.Millisecond)
	f.about("the p95 of the queue time", kinds[0].QueueTime.P95, 90*time.Second)
	f.about("the median run time", kinds[0].RunTime.P50, 20*time.Millisecond)
	f.about("the p95 of the run time", kinds[0].RunTime.P95, 20*time.Millisecond)
}

func measuresFromDue(f fixture) {
	run := f.start(f.create(1)[0])
	f.clock.Advance(time.Second)
	f.ok(f.store.Finish(ctx, run, app.Outcome{Status: app.Created, RetryIn: time.Minute}))
	f.clock.Advance(time.Minute + 5*time.Second)
	waiting := f.waiting(1)
	f.start(waiting[0])
	waits := f.statistics(app.Counters{Created: 1, Requeued: 1, Started: 2}).Recent.Kinds[0].QueueTime
	f.about("the second wait", waits.P95, 5*time.Second)
	if waits.P50 != 0 {
		f.Fatalf("the first wait is %s", waits.P50)
	}
}

func reportsTimesByKind(f fixture) {
	for name, wait := range map[string]time.Duration{"b": time.Hour, "a": time.Minute} {
		batch, err := f.store.Create(ctx, app.CreateRequest{Kind: name, Count: 1})
		f.ok(err)
		f.clock.Advance(wait)
		f.start(batch.Runs()[0])
	}
	f.create(1) // the queue time of this kind is unknown
	f.eventually(func() error {
		stats, err := f.store.Statistics(ctx, app.Last24Hours)
		sum := app.Sum(stats.Period.Counters)
		if err == nil && sum != (app.Counters{Created: 3, Started: 2}) {
			err = fmt.Errorf("the statistics are %+v", sum)
		}
		if err != nil {
			return err
		}
		kinds := stats.Period.Kinds
		if len(kinds) != 2 || kinds[0].Kind != "a" || kinds[1].Kind != "b" {
			return fmt.Errorf("the kinds are %+v", kinds)
		}
		f.about("the wait of a", stats.Period.Kinds[0].QueueTime.P50, time.Minute)
		f.about("the wait of b", stats.Period.Kinds[1].QueueTime.P50, time.Hour)
		return nil
	})
}

func countsBySteps(f fixture) {
	f.create(3)
	f.clock.Advance(25 * time.Second)
	f.create(2)
	f.clock.Advance(10 * time.Minute)
	f.create(1)
	stats := f.statistics(app.Counters{Created: 6})
	for _, p := range []app.Period{stats.Recent, stats.Period} {
		step := p.Lookback.Step()
		age := f.clock.Now().Sub(p.From) - time.Duration(len(p.Counters)-1)*step
		if age < 0 || age >= step || p.From.Truncate(step) != p.From {
			f.Fatalf("the last of %d steps of %s since %s is not the present one", len(p.Counters), step,
				p.From)
		}
	}
	at := func(p app.Period, ago time.Duration) int64 {
		return p.Counters[f.clock.Now().Add(-ago).Sub(p.From)/p.Lookback.Step()].Created
	}
	// The clock starts at 23:59:58. 25 seconds later, another step of either length has begun.
	first := 10*time.Minute + 25*time.Second
	got := []int64{at(stats.Recent, first), at(stats.Recent, 10*time.Minute), at(stats.Recent, 0),
		at(stats.Period, first), at(stats.Period, 10*time.Minute), at(stats.Period, 0)}
	if fmt.Sprint(got) != "[3 2 1 3 2 1]" {
		f.Fatalf("the counters are %v", got)
	}
}

func expires(f fixture) {
	f.in(app.Completed)
	f.statistics(app.Counters{Created: 1, Started: 1, Completed: 1})
	f.clock.Advance(app.Last15Minutes.Length() + app.Last15Minutes.Step())
	stats := f.statistics(app.Counters{})
	if sum := app.Sum(stats.Period.Counters); sum != (app.Counters{Created: 1, Started: 1, Completed: 1}) ||
		len(stats.Period.Kinds) != 1 || stats.Recent.Kinds != nil {
		f.Fatalf("the counters of the day are %+v, the recent kinds %+v", sum, stats.Recent.Kinds)
	}
	f.clock.Advance(app.Last24Hours.Length())
	if stats = f.statistics(app.Counters{}); app.Sum(stats.Period.Counters) != (app.Counters{}) {
		f.Fatalf("the counters of the day are %+v", app.Sum(stats.Period.Counters))
	}
}

func forecasts(f fixture) {
	is := func(trend app.Trend, waiting int64) {
		f.Helper()
		f.eventually(func() error {
			stats, err := f.store.Statistics(ctx, app.Last24Hours)
			if forecast := stats.Forecast; err == nil &&
				(forecast.Trend != trend || forecast.Waiting != waiting) {
				err = fmt.Errorf("the forecast is %+v", forecast)
			}
			return err
		})
	}
	is(app.Empty, 0)
	runs := f.create(100)
	is(app.Unclear, 100)
	var started []app.ProcessRun
	for _, run := range runs[:20] {
		started = append(started, f.start(run))
	}
	f.clock.Advance(2 * app.Last15Minutes.Step())
	is(app.Early, 80)
	for _, run := range started {
		f.finish(run, app.Outcome{Status: app.Completed})
	}
	is(app.Draining, 80)
	_, err := f.store.Create(ctx, app.CreateRequest{Kind: "b", Count: 7}) // no worker handles this kind
	f.ok(err)
	is(app.Draining, 80)
}

func (f fixture) unhandled() app.UnhandledKinds {
	f.Helper()
	stats, err := f.store.Statistics(ctx, app.Last24Hours)
	f.ok(err)
	page := f.page(app.Query{})
	if page.Unhandled != stats.Unhandled {
		f.Fatalf("the list says %v, the statistics %v", page.Unhandled, stats.Unhandled)
	}
	return page.Unhandled
}

func reportsUnhandledKinds(f fixture) {
	var want app.UnhandledKinds
	expect := func() {
		f.Helper()
		if got := f.unhandled(); got != want {
			f.Fatalf("the unhandled kinds are %v and not %v", got, want)
		}
	}
	expect()
	f.create(5)
	expect()
	others := map[string]app.Batch{}
	for _, name := range []string{"zebra", "ant", "cat", "Bee"} {
		batch, err := f.store.Create(ctx, app.CreateRequest{Kind: name, Count: len(name)})
		f.ok(err)
		others[name] = batch
	}
	want = app.UnhandledKinds{{Kind: "Bee", Runs: 3}, {Kind: "ant", Runs: 3}, {Kind: "cat", Runs: 3}}
	expect()
	for _, name := range []string{"ant", "Bee"} {
		for _, run := range others[name].Runs() {
			_, err := f.store.Cancel(ctx, run.ID)
			f.ok(err)
		}
	}
	f.start(others["cat"].Runs()[0])
	want = app.UnhandledKinds{{Kind: "cat", Runs: 2}, {Kind: "zebra", Runs: 5}}
	expect()
}

func reportsNoUnhandledKinds(f fixture) {
	f.create(5)
	if got := f.unhandled(); got != (app.UnhandledKinds{}) {
		f.Fatalf("the status is %v", got)
	}
}

func keepsStatistics(f fixture, subject Subject) {
	f.took(time.Minute, time.Second, app.Completed)
	before := app.Counters{Created: 1, Started: 1, Completed: 1}
	for range 2 { // reads at once, before the delayed save
		f.store = subject.Reopen(f, f.store)
		stats, err := f.store.Statistics(ctx, app.Last24Hours)
		f.ok(err)
		if sum := app.Sum(stats.Recent.Counters); sum != before {
			f.ok(errors.New("the statistics are " + fmt.Sprint(sum)))
		}
		f.about("the wait", stats.Recent.Kinds[0].QueueTime.P50, time.Minute)
		f.about("the work", stats.Recent.Kinds[0].RunTime.P50, time.Second)
	}
	f.create(1)
	before.Created++
	f.statistics(before)
}
