package dbtest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"runboard/app"
)

func testTimeline(t *testing.T, subject Subject) {
	for name, test := range map[string]func(fixture){
		"a window has the runs that ran in it":     showsRunsOfWindow,
		"a window ends now or earlier":             endsNowOrEarlier,
		"runs of a past window may have gone on":   showsRunsThatWentOn,
		"runs that never started are left out":     omitsRunsThatNeverStarted,
		"an attempt that failed has its own time":  showsEarlierAttempts,
		"a run cancelled while it waits has ended": endsAttemptBeforeCancel,
		"a filter selects by kind and status":      filtersTimeline,
		"too many runs are counted":                countsTooManyRuns,
		"too many old runs are cut":                cutsTooManyOldRuns,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(open(t, subject))
		})
	}
}

var quarter = app.TimelineQuery{Span: app.SpanQuarter, Lanes: app.LaneSlots}

// timeline returns a timeline, whose attempts must be sorted and lie in its window.
func (f fixture) timeline(query app.TimelineQuery) app.Timeline {
	f.Helper()
	timeline, err := f.store.Timeline(ctx, query)
	f.ok(err)
	for i, bar := range timeline.Bars {
		if i > 0 && bar.StartedAt.Before(timeline.Bars[i-1].StartedAt) {
			f.Fatalf("bar %d is out of order", i)
		}
		if !bar.StartedAt.Before(timeline.Until) || bar.EndBy(timeline.Until).Before(timeline.From) {
			f.Fatalf("%+v is not between %s and %s", bar, timeline.From, timeline.Until)
		}
	}
	return timeline
}

// shows fails unless the timeline has the attempts of these runs, by their start.
func (f fixture) shows(query app.TimelineQuery, want ...app.ProcessRun) app.Timeline {
	f.Helper()
	timeline := f.timeline(query)
	var got []int64
	for _, bar := range timeline.Bars {
		got = append(got, bar.Run.ID)
	}
	if !slices.Equal(got, ids(want)) && len(got)+len(want) > 0 {
		f.Fatalf("the timeline shows the runs %v and not %v", got, ids(want))
	}
	return timeline
}

// ran creates a run of the kind that waits and works for these durations, and completes.
func (f fixture) ran(wait, work time.Duration) app.ProcessRun {
	f.Helper()
	run := f.create(1)[0]
	f.clock.Advance(wait)
	run = f.start(run)
	f.clock.Advance(work)
	return f.finish(run, app.Outcome{Status: app.Completed})
}

// at returns the query for the window that ends at a time.
func at(query app.TimelineQuery, until time.Time) app.TimelineQuery {
	query.Until = app.At(until)
	return query
}

func showsRunsOfWindow(f fixture) {
	f.shows(quarter)
	f.ran(time.Second, time.Minute)
	f.clock.Advance(5 * time.Minute)
	crossing := f.ran(time.Second, 10*time.Minute)
	inside := f.ran(0, 0)
	f.clock.Advance(9 * time.Minute)
	f.create(1)
	running := f.in(app.Started)
	f.clock.Advance(time.Minute)
	timeline := f.shows(quarter, crossing, inside, running)
	if timeline.Cut || timeline.Binned() || timeline.Counts[app.Created] != 1 {
		f.Fatalf("the timeline is %+v", timeline)
	}
	first, last := timeline.Bars[0], timeline.Bars[2]
	if first.Waited() != time.Second || !first.EndedAt.Equal(crossing.FinishedAt) || first.Number != 1 {
		f.Fatalf("the first attempt is %+v", first)
	}
	if !last.EndedAt.IsZero() || last.Status != app.Started || !last.StartedAt.Equal(running.StartedAt) {
		f.Fatalf("the last attempt is %+v", last)
	}
}

func endsNowOrEarlier(f fixture) {
	now := f.clock.Now()
	for _, query := range []app.TimelineQuery{quarter, at(quarter, now), at(quarter, now.Add(time.Hour))} {
		got := f.timeline(query)
		if !got.Live || got.Until.Sub(now) > 10*time.Second || got.Until.Before(now) ||
			got.Until.Sub(got.From) != 15*time.Minute {
			f.Fatalf("the window is %s to %s, live: %t", got.From, got.Until, got.Live)
		}
	}
	f.in(app.Started) // from now on, it moves more often
	if got := f.timeline(quarter); got.Until.Sub(now) > 2*time.Second || !got.ChangesAt().Equal(got.Until) {
		f.Fatalf("the window ends at %s", got.Until)
	}
	past := f.timeline(at(quarter, now.Add(-time.Second)))
	if past.Live || !past.Until.Equal(now.Add(-time.Second)) || !past.ChangesAt().IsZero() {
		f.Fatalf("the window ends at %s, live: %t", past.Until, past.Live)
	}
}

func showsRunsThatWentOn(f fixture) {
	long := f.start(f.create(1)[0])
	f.clock.Advance(time.Hour)
	middle := f.start(f.create(1)[0])
	until := f.clock.Now().Add(time.Minute)
	f.clock.Advance(time.Hour)
	f.ran(0, time.Minute)
	long = f.finish(long, app.Outcome{Status: app.Failed, Error: "no"})
	f.shows(at(quarter, until), long, middle)
	f.shows(at(quarter, until.Add(-2*time.Minute)), long)
	f.shows(at(quarter, until.Add(-24*time.Hour)))
}

func omitsRunsThatNeverStarted(f fixture) {
	early := f.ran(0, time.Second)
	for _, run := range f.create(app.MaxBars + 10) {
		_, err := f.store.Cancel(ctx, run.ID)
		f.ok(err)
	}
	late := f.ran(0, time.Second)
	if timeline := f.shows(quarter, early, late); timeline.Cut || timeline.Binned() {
		f.Fatalf("it has %d bins, cut: %t", len(timeline.Bins), timeline.Cut)
	}
}

func showsEarlierAttempts(f fixture) {
	run := f.start(f.create(1)[0])
	f.clock.Advance(time.Minute)
	run = f.finish(run, app.Outcome{Status: app.Created, Error: "Once more.", RetryIn: time.Minute})
	f.clock.Advance(2 * time.Minute)
	run = f.start(run)
	_, err := f.store.Cancel(ctx, run.ID)
	f.ok(err)
	f.clock.Advance(time.Minute)
	timeline := f.shows(quarter, run, run)
	first, second := timeline.Bars[0], timeline.Bars[1]
	if first.Status != app.Failed || first.Last || first.Note != "Once more." || first.Number != 1 ||
		first.EndedAt.Sub(first.StartedAt) != time.Minute {
		f.Fatalf("the first attempt is %+v", first)
	}
	if second.Number != 2 || second.Waited() != 2*time.Minute || !second.EndedAt.IsZero() {
		f.Fatalf("the second attempt is %+v", second)
	}
	run = f.finish(f.get(run.ID), app.Outcome{Status: app.Completed})
	if last := f.shows(quarter, run, run).Bars[1]; last.Status != app.Cancelled ||
		!last.EndedAt.Equal(run.FinishedAt) {
		f.Fatalf("the last attempt is %+v", last)
	}
}

func endsAttemptBeforeCancel(f fixture) {
	run := f.start(f.create(1)[0])
	f.clock.Advance(time.Minute)
	f.ok(f.store.Requeue(ctx, run))
	f.clock.Advance(time.Minute)
	_, err := f.store.Cancel(ctx, run.ID)
	f.ok(err)
	attempt := f.shows(quarter, run).Bars[0]
	if attempt.Status != app.Created || attempt.EndedAt.Sub(attempt.StartedAt) != time.Minute {
		f.Fatalf("the attempt is %+v", attempt)
	}
}

func filtersTimeline(f fixture) {
	f.ran(0, time.Second)
	failed := f.in(app.Failed)
	other := f.start(f.createFor("other", "a"))
	f.clock.Advance(time.Second)
	until := f.clock.Now()
	filter := func(filter app.Filter) app.TimelineQuery {
		query := quarter
		query.Filter = filter
		return query
	}
	failures := filter(app.Filter{Filtered: true, Status: app.Failed})
	f.shows(failures, failed)
	f.shows(filter(app.Filter{Kind: "other"}), other)
	f.shows(filter(app.Filter{Kind: "other", Filtered: true, Status: app.Failed}))
	f.shows(filter(app.Filter{Filtered: true, Status: app.Started}), other)
	f.shows(filter(app.Filter{Filtered: true, Status: app.Created}))
	f.shows(filter(app.Filter{Kind: "unknown"}))
	f.clock.Advance(time.Hour)
	f.in(app.Failed)
	f.shows(at(failures, until), failed)
	f.shows(at(filter(app.Filter{Kind: "other"}), until), other)
}

// finishMany completes n runs of the kind at the current time.
func (f fixture) finishMany(n int) {
	f.Helper()
	for n > 0 {
		some := min(n, app.MaxCount)
		for _, run := range f.create(some) {
			f.finish(f.start(run), app.Outcome{Status: app.Completed})
		}
		n -= some
	}
}

func countsTooManyRuns(f fixture) {
	f.finishMany(app.MaxBars)
	if timeline := f.timeline(quarter); timeline.Cut || len(timeline.Bars) != app.MaxBars {
		f.Fatalf("it has %d attempts, cut: %t", len(timeline.Bars), timeline.Cut)
	}
	running := f.in(app.Started)
	f.in(app.Failed)
	f.counts(quarter, app.Counters{Completed: app.MaxBars, Failed: 1}, running)
	day := quarter
	day.Span = app.SpanDay
	f.counts(day, app.Counters{Completed: app.MaxBars, Failed: 1}, running)
	kinds := quarter
	kinds.Filter.Kind = kind
	f.counts(kinds, app.Counters{Completed: app.MaxBars, Failed: 1}, running)
	f.clock.Advance(14 * time.Minute)
	f.in(app.Completed)
	f.counts(quarter, app.Counters{Completed: app.MaxBars + 1, Failed: 1}, running)
}

// counts fails unless the timeline has bins with these numbers in sum, and the bars of the started runs. It
// waits, because stores save the numbers with a delay.
func (f fixture) counts(query app.TimelineQuery, want app.Counters, started ...app.ProcessRun) {
	f.Helper()
	f.eventually(func() error {
		timeline, err := f.store.Timeline(ctx, query)
		if err != nil {
			return err
		}
		var sum app.Counters
		for _, bin := range timeline.Bins {
			sum = sum.Add(bin.Counters)
			if !bin.At.Equal(bin.At.Truncate(timeline.Bin)) || bin.Kind != kind {
				return fmt.Errorf("there is a bin %+v of %s", bin, timeline.Bin)
			}
		}
		if sum != want || timeline.Cut || len(timeline.Bars) != len(started) {
			return fmt.Errorf("the bins have %+v and not %+v, cut: %t, bars: %+v", sum, want,
				timeline.Cut, timeline.Bars)
		}
		return nil
	})
}

func cutsTooManyOldRuns(f fixture) {
	f.finishMany(app.MaxBars + 1)
	until := f.clock.Now().Add(time.Second)
	f.clock.Advance(72 * time.Hour)
	timeline := f.timeline(at(quarter, until))
	if !timeline.Cut || timeline.Binned() || len(timeline.Bars) != app.MaxBars {
		f.Fatalf("it has %d attempts and %d bins, cut: %t", len(timeline.Bars), len(timeline.Bins),
			timeline.Cut)
	}
}
