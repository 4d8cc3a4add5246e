package dbtest

import (
	"testing"
	"time"

	"runboard/app"
)

// testNotifications waits for the notification of each kind of change. It reads at once, even if the writer
// has no answer yet: a notification must follow the commit.
func testNotifications(t *testing.T, subject Subject) {
	f := open(t, subject)
	for _, change := range []struct {
		name  string
		from  app.Status
		act   func(app.ProcessRun) error
		shows app.Status
	}{
		{"Start", app.Created, func(run app.ProcessRun) error {
			_, err := f.store.Start(ctx, run)
			return err
		}, app.Started},
		{"Finish", app.Started, func(run app.ProcessRun) error {
			return f.store.Finish(ctx, run,
				app.Outcome{Status: app.Failed})
		}, app.Failed},
		{"Requeue", app.Started, func(run app.ProcessRun) error { return f.store.Requeue(ctx, run) },
			app.Created},
	} {
		t.Run("notifies after "+change.name, func(t *testing.T) {
			f := f.inside(t)
			run := f.in(change.from)
			f.heard(t, func() error { return change.act(run) })
			if got := f.get(run.ID); got.Status != change.shows || got.Version != run.Version+1 {
				t.Errorf("a notified subscriber reads %+v", got)
			}
		})
	}
	t.Run("notifies after Create", func(t *testing.T) {
		f := f.inside(t)
		before := f.page(app.Query{}).Counts.Total()
		f.heard(t, func() error {
			_, err := f.store.Create(ctx, app.CreateRequest{Kind: kind, Count: 3, IdempotencyKey: "notify"})
			return err
		})
		if after := f.page(app.Query{}).Counts.Total(); after != before+3 {
			t.Errorf("a notified subscriber reads %d more runs", after-before)
		}
	})
	t.Run("does not notify of a repeated request", func(t *testing.T) {
		f := f.inside(t)
		notified, stop := f.store.Changed().Subscribe()
		defer stop()
		_, err := f.store.Create(ctx, app.CreateRequest{Kind: kind, Count: 3, IdempotencyKey: "notify"})
		f.ok(err)
		select {
		case <-notified:
			t.Error("subscribers were notified although nothing changed")
		default:
		}
	})
}

// heard calls act in another goroutine, and returns when a subscriber is notified and act has returned.
func (f fixture) heard(t *testing.T, act func() error) {
	t.Helper()
	notified, stop := f.store.Changed().Subscribe()
	defer stop()
	done := make(chan error, 1)
	go func() { done <- act() }()
	defer func() { f.ok(<-done) }()
	select {
	case <-notified:
	case <-time.After(patience):
		t.Fatal("subscribers were not notified")
	}
}
