package live

import (
	"context"
	"runtime"
	"testing"

	"runboard/app"
)

// BenchmarkManyViews has thousands of pages of different runs open, changes one run, and waits until its page has
// the frame. It is another run every time: a page rests after a frame, and that is not what is measured. B/view is
// what a page costs that is open and idle, without its socket.
func BenchmarkManyViews(b *testing.B) {
	const views = 4000
	store := openStore(b, b.TempDir())
	defer store.Close()
	hub, stop := runHub(b, store)
	defer stop()
	for range views / app.MaxCount {
		create(b, store, app.MaxCount)
	}
	before := heap()
	watchers := make([]*Watcher, views)
	for i := range watchers {
		watchers[i] = hub.Watch(Question{Run: int64(i) + 1})
	}
	for _, w := range watchers {
		next(b, w)
	}
	perView := float64(heap()-before) / views
	for i := 0; b.Loop(); i++ {
		change := store.Cancel
		if i/views%2 == 1 { // all of them are cancelled
			change = store.Retry
		}
		if _, err := change(context.Background(), int64(i%views)+1); err != nil {
			b.Fatal(err)
		}
		next(b, watchers[i%views])
	}
	b.ReportMetric(perView, "B/view")
}

// heap is how many bytes are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what pools hold is freed by the second one
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
