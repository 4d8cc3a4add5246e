package dbtest

import (
	"sync/atomic"
	"testing"
	"time"

	"runboard/app"
)

// testStartDelay tests that created and retried runs are scheduled after the delay of their kind, each with
// its own.
func testStartDelay(t *testing.T, subject Subject) {
	var calls atomic.Int64
	delay := func(name string) time.Duration {
		if name != kind {
			return 0
		}
		return time.Duration(calls.Add(1)) * time.Second
	}
	f := openWith(t, subject, Settings{StartDelay: delay})
	for i, run := range f.create(3) {
		want := f.clock.Now().Add(time.Duration(i+1) * time.Second)
		if got := f.get(run.ID); !got.ScheduledAt.Equal(want) || got.Status != app.Created ||
			got.Version != 1 {
			t.Errorf("the created run is %+v, want it scheduled at %v", got, want)
		}
	}
	batch, err := f.store.Create(ctx, app.CreateRequest{Kind: "other", Count: 1})
	f.ok(err)
	if got := f.get(batch.First); !got.ScheduledAt.IsZero() {
		t.Errorf("a run of another kind is scheduled at %v", got.ScheduledAt)
	}
	cancelled, err := f.store.Cancel(ctx, batch.First-1)
	if f.ok(err); !cancelled.ScheduledAt.IsZero() {
		t.Errorf("the cancelled run is %+v", cancelled)
	}
	retried, err := f.store.Retry(ctx, cancelled.ID)
	f.ok(err)
	if !retried.ScheduledAt.Equal(f.clock.Now().Add(4*time.Second)) || retried != f.get(retried.ID) {
		t.Errorf("the retried run is %+v", retried)
	}
}
