package dbtest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"runboard/app"
)

// testFilters compares lists with random filters with a check of every run.
func testFilters(t *testing.T, subject Subject) {
	t.Run("random filters match page by page in both directions", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			searched := rapid.SampledFrom([]int64{0, 1, 150}).Draw(t, "searched") // 0: the usual number
			f := openWith(t, subject, Settings{Searched: searched})
			runs := f.populate(t)
			for range 5 {
				f.checkFilter(t, runs, anyFilter(t, f.clock.Now()))
			}
		})
	})
	t.Run("the match count is capped", func(t *testing.T) {
		f := open(t, subject)
		for range app.CountedMatches/app.MaxCount + 1 {
			f.create(app.MaxCount)
		}
		if page := f.page(app.Query{Filter: app.Filter{Kind: kind}}); page.MatchCount != app.CountedMatches ||
			!page.MatchCountCapped {
			t.Errorf("the match count is %d, capped %t", page.MatchCount, page.MatchCountCapped)
		}
		_, err := f.store.Cancel(ctx, 1)
		f.ok(err)
		page := f.page(app.Query{Filter: app.Filter{Kind: kind}})
		if page.Tabs.Counts[app.Cancelled] != 1 || page.MatchCount != app.CountedMatches ||
			!page.MatchCountCapped {
			t.Errorf("after a cancellation the page has %+v and %d matches", page.Tabs, page.MatchCount)
		}
	})
}

// populate creates runs of two kinds at random times and in random statuses.
func (f fixture) populate(t *rapid.T) (runs []app.ProcessRun) {
	for range rapid.IntRange(1, 6).Draw(t, "batches") {
		batch, err := f.store.Create(ctx, app.CreateRequest{
			Kind:  rapid.SampledFrom([]string{"a", "b"}).Draw(t, "kind"),
			Count: rapid.IntRange(1, 20).Draw(t, "count"), Inputs: anyInputs(t),
		})
		f.ok(err)
		for _, run := range batch.Runs() {
			switch rapid.IntRange(0, 5).Draw(t, "end") {
			case 0:
			case 1:
				f.start(run)
			case 2:
				_, err := f.store.Cancel(ctx, run.ID)
				f.ok(err)
			case 3:
				f.finish(f.start(run), app.Outcome{Status: app.Failed, Error: "it failed"})
			default:
				f.finish(f.start(run), app.Outcome{Status: app.Completed})
			}
		}
		f.clock.Advance(time.Duration(rapid.IntRange(-60, 90).Draw(t, "minutes")) * time.Minute) // or back
	}
	return f.all()
}

func anyFilter(t *rapid.T, now time.Time) (filter app.Filter) {
	filter.Filtered = rapid.Bool().Draw(t, "filtered")
	if filter.Filtered {
		filter.Status = rapid.SampledFrom(app.Statuses()).Draw(t, "status")
	}
	filter.Kind = rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "kind")
	for _, moment := range []*app.TimeBound{&filter.Since, &filter.Until} {
		switch minutes := rapid.IntRange(1, 600).Draw(t, "minutes"); rapid.IntRange(0, 3).Draw(t, "moment") {
		case 0:
			*moment = app.At(now.Add(-time.Duration(minutes) * time.Minute))
		case 1:
			*moment, _ = app.ParseTimeBound(fmt.Sprintf("%dm", minutes))
		}
	}
	filter.Inputs = anyInputFilter(t)
	return filter
}

// wanted reports whether a run matches a filter without text and failure.
func wanted(filter app.Filter, run app.ProcessRun, now time.Time) bool {
	return (!filter.Filtered || run.Status == filter.Status) &&
		(filter.Kind == "" || run.Kind == filter.Kind) &&
		(filter.Since.IsZero() || !run.CreatedAt.Before(filter.Since.Time(now))) &&
		(filter.Until.IsZero() || run.CreatedAt.Before(filter.Until.Time(now))) &&
		hasAll(run.Inputs.Values(), filter.Inputs.Matches())
}

func (f fixture) checkFilter(t *rapid.T, all []app.ProcessRun, filter app.Filter) {
	var want []int64
	for _, run := range all {
		if wanted(filter, run, f.clock.Now()) {
			want = append(want, run.ID)
		}
	}
	page := f.page(app.Query{Filter: filter})
	f.checkAround(t, all, page)
	capped := page.MatchCountCapped && page.MatchCount <= len(want) && !filter.Inputs.IsZero()
	if !filter.StatusOnly() && !capped && (page.MatchCount != len(want) || page.MatchCountCapped) {
		t.Fatalf("with %+v the match count is %d and not %d", filter, page.MatchCount, len(want))
	}
	older := ids(page.Runs)
	for page.HasOlder {
		page = f.page(page.Older())
		older = append(older, ids(page.Runs)...)
	}
	if !slices.Equal(older, want) {
		t.Fatalf("with %+v the pages have %v and not %v", filter, older, want)
	}
	var through []int64
	for next := int64(1 << 62); next > 0; {
		runs, onwards, err := f.store.Runs(ctx, filter, next, 7)
		f.ok(err)
		through, next = append(through, ids(runs)...), onwards
	}
	if !slices.Equal(through, want) {
		t.Fatalf("with %+v an export has %v and not %v", filter, through, want)
	}
	var newer []int64
	page = f.page(app.Query{Filter: filter}.WithCursor(app.After, 0))
	for newer = ids(page.Runs); page.HasNewer; {
		page = f.page(page.Newer())
		newer = append(ids(page.Runs), newer...)
	}
	if !slices.Equal(newer, want) {
		t.Fatalf("with %+v the pages from the oldest run have %v and not %v", filter, newer, want)
	}
}
