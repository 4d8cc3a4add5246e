package live

import (
	"context"
	"runtime"
	"testing"
	"time"

	"runboard/app"
)

// BenchmarkHub_ManyViews opens thousands of pages of different runs, changes one run, and waits until its
// page has the frame. Each round changes another run, because the minimum interval after a frame is not part
// of the measurement. B/view is the memory of an open, idle page without its socket.
func BenchmarkHub_ManyViews(b *testing.B) {
	const views = 4000
	store := openStore(b, b.TempDir())
	defer store.Close()
	hub, stop := runHub(b, store)
	defer stop()
	for range views / app.MaxCount {
		create(b, store, app.MaxCount)
	}
	before := heap()
	watchers := make([]*Subscriber, views)
	for i := range watchers {
		watchers[i] = hub.Watch(ViewKey{Run: int64(i) + 1})
	}
	for _, w := range watchers {
		next(b, w)
	}
	perView := float64(heap()-before) / views
	for i := 0; b.Loop(); i++ {
		change := store.Cancel
		if i/views%2 == 1 { // every run has been cancelled by now
			change = store.Retry
		}
		if _, err := change(context.Background(), int64(i%views)+1); err != nil {
			b.Fatal(err)
		}
		next(b, watchers[i%views])
	}
	b.ReportMetric(perView, "B/view")
}

// BenchmarkHub_Frames compares a full page with the previous one and renders the frame: after one changed
// cell, and after changed rows.
func BenchmarkHub_Frames(b *testing.B) {
	before, cell, rows := fullPage(1), fullPage(1), fullPage(2)
	cell.Runs[0].Status, cell.Runs[0].Version = app.Completed, 3
	drawing := newTemplates(b)
	for name, now := range map[string]app.Page{"cell": cell, "rows": rows} {
		b.Run(name, func(b *testing.B) {
			v := &view{shown: result{page: before}}
			b.ReportAllocs()
			for b.Loop() {
				if v.isShown(result{page: now}) {
					b.Fatal("the two pages count as the same")
				}
				frame, err := v.delta(result{page: now}, drawing)
				if frame == nil && err == nil {
					frame, err = v.snapshot(result{page: now}, drawing)()
				}
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(frame.HTML)))
			}
		})
	}
}

// fullPage returns a page of started runs; oldest is the lowest ID.
func fullPage(oldest int64) (page app.Page) {
	page.Counts[app.Started] = app.PageSize
	now := time.Now()
	for id := oldest + app.PageSize - 1; id >= oldest; id-- {
		page.Runs = append(page.Runs, app.ProcessRun{
			ID: id, Kind: "test", Status: app.Started, Version: 2, Attempt: 1, CreatedAt: now, UpdatedAt: now,
			StartedAt: now,
			Progress:  app.Progress{Percent: app.NoPercent},
		})
	}
	return page
}

// heap returns the number of bytes in use on the heap.
func heap() int64 {
	runtime.GC()
	runtime.GC() // only the second one frees the content of pools
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
