package sqlite

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"runboard/app"
	"runboard/db/dbtest"
)

func TestCreatedAt_NeverDecreasesWhenClockIsSetBack(t *testing.T) {
	t.Parallel()
	clock := dbtest.NewClock()
	store := newStore(t, Options{Now: clock.Now})
	first := create(t, store, 2)[1]
	clock.Advance(-3 * time.Hour)
	second := create(t, store, 1)[0]
	if second.CreatedAt.Before(first.CreatedAt) {
		t.Errorf("run 3 was created at %s, before run 2 at %s", second.CreatedAt, first.CreatedAt)
	}
	if got := get(t, store, second.ID); !got.CreatedAt.Equal(second.CreatedAt) {
		t.Errorf("the row says %s and the answer %s", got.CreatedAt, second.CreatedAt)
	}
	path := store.options.Path
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	store = openStore(t, Options{Path: path, Now: clock.Now})
	if third := create(t, store, 1)[0]; third.CreatedAt.Before(first.CreatedAt) {
		t.Errorf("after a restart run 4 was created at %s, before run 2 at %s", third.CreatedAt,
			first.CreatedAt)
	}
	clock.Advance(4 * time.Hour)
	if fourth := create(t, store, 1)[0]; !fourth.CreatedAt.Equal(clock.Now()) {
		t.Errorf("when the clock has caught up, a run was created at %s and not %s", fourth.CreatedAt,
			clock.Now())
	}
}

// A full disk at the moment when the clock is set back must not let scheduled runs wait longer.
func TestClock_SetBackDuringAFaultIsRepairedLater(t *testing.T) {
	t.Parallel()
	clock := dbtest.NewClock()
	var reads atomic.Int64
	store := newStore(t, Options{Now: func() time.Time {
		reads.Add(1)
		return clock.Now()
	}})
	run := start(t, store, create(t, store, 1)[0])
	again := app.Outcome{Status: app.Created, Error: "Once more.", RetryIn: time.Minute}
	if err := store.Finish(ctx, run, again); err != nil {
		t.Fatal(err)
	}
	before := reads.Load()
	until(t, "the idle writer has read the clock", func() bool { return reads.Load() > before })
	onCommit(t, store, func() bool { return false })
	clock.Advance(-3 * time.Hour)
	until(t, "the writer has failed", func() bool { return store.Ready() != nil })
	onCommit(t, store, func() bool { return true })
	until(t, "the run waits no longer than its delay", func() bool {
		return !get(t, store, run.ID).ScheduledAt.After(clock.Now().Add(time.Minute))
	})
}

// An older file may have creation times in any order.
func TestFilter_FindsRunsInAnyOrderOfTime(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	runs := create(t, store, 40)
	base := runs[0].CreatedAt
	hour := func(n int64) time.Time { return base.Add(time.Duration(n) * time.Hour) }
	err := store.writer.do(ctx, func(tx *transaction) error {
		for i := range runs {
			runs[i].CreatedAt = hour(runs[i].ID * 17 % 40)
			_, err := tx.conn.ExecContext(ctx, "UPDATE process_runs SET created_at = ? WHERE id = ?",
				runs[i].CreatedAt.UnixMilli(), runs[i].ID)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for from := range int64(40) {
		for _, filter := range []app.Filter{
			{Since: app.At(hour(from))}, {Until: app.At(hour(from))}, {Since: app.At(hour(from)),
				Until: app.At(hour(from + 5))},
			{Since: app.At(hour(from)), Filtered: true, Status: app.Created},
		} {
			var want []int64
			for i := len(runs) - 1; i >= 0; i-- {
				at := runs[i].CreatedAt
				if (filter.Since.IsZero() || !at.Before(filter.Since.Time(base))) &&
					(filter.Until.IsZero() || at.Before(filter.Until.Time(base))) {
					want = append(want, runs[i].ID)
				}
			}
			var got []int64
			for next := int64(1 << 62); next > 0; {
				some, onwards, err := store.Runs(ctx, filter, next, 7)
				if err != nil {
					t.Fatal(err)
				}
				for _, run := range some {
					got = append(got, run.ID)
				}
				next = onwards
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("from %s to %s it finds %v and not %v", filter.Since, filter.Until, got, want)
			}
		}
	}
}
