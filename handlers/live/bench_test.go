package live

import (
	"context"
	"testing"

	"runboard/app"
)

// BenchmarkManyViews has thousands of pages of different runs open, changes one run, and waits until its page has
// the frame.
func BenchmarkManyViews(b *testing.B) {
	const views = 4000
	store := openStore(b, b.TempDir())
	defer store.Close()
	hub, stop := runHub(b, store)
	defer stop()
	for range views / app.MaxCount {
		create(b, store, app.MaxCount)
	}
	watchers := make([]*Watcher, views)
	for i := range watchers {
		watchers[i] = hub.Watch(Question{Run: int64(i) + 1})
		next(b, watchers[i])
	}
	run, err := store.Start(context.Background(), app.ProcessRun{ID: 1})
	if err != nil {
		b.Fatal(err)
	}
	next(b, watchers[0])
	for i := 0; b.Loop(); i++ {
		progress := app.Progress{Percent: app.Percent(i % 100)}
		if err := store.Report(context.Background(), run, app.Report{Progress: &progress}); err != nil {
			b.Fatal(err)
		}
		next(b, watchers[0])
	}
}
