package sqlite

import (
	"slices"
	"testing"

	"runboard/app"
)

// callers is the number of concurrent writers per processor.
const callers = 64

func BenchmarkCreate(b *testing.B) {
	for _, synchronous := range []string{"full", "normal"} {
		b.Run(synchronous, func(b *testing.B) {
			store := newStore(b, Options{Synchronous: synchronous})
			b.ReportAllocs()
			b.SetParallelism(callers)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: 1}); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkStartFinish takes b.N runs from created to completed.
func BenchmarkStartFinish(b *testing.B) {
	for _, synchronous := range []string{"full", "normal"} {
		b.Run(synchronous, func(b *testing.B) {
			store := newStore(b, Options{Synchronous: synchronous})
			runs := make(chan app.ProcessRun, b.N+app.MaxCount)
			for len(runs) < b.N {
				for _, run := range create(b, store, app.MaxCount) {
					runs <- run
				}
			}
			b.ReportAllocs()
			b.SetParallelism(callers)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					started, err := store.Start(ctx, <-runs)
					if err == nil {
						err = store.Finish(ctx, started, app.Outcome{Status: app.Completed})
					}
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkSaveLog saves reports with ten lines of a log each, like a run that writes fifty a second.
func BenchmarkSaveLog(b *testing.B) {
	store := newStore(b, Options{Synchronous: "normal"})
	run, err := store.Start(ctx, create(b, store, 1)[0])
	if err != nil {
		b.Fatal(err)
	}
	lines := slices.Repeat([]app.LogLine{{Text: "an ordinary line of a log, with a number like 4711 in it\n"}}, 10)
	b.ReportAllocs()
	for b.Loop() {
		if err := store.SaveProgress(ctx, run, app.ProgressUpdate{Lines: lines}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMany creates, starts and completes a hundred runs with one call per step, as the queue does.
func BenchmarkMany(b *testing.B) {
	const many = 100
	for _, synchronous := range []string{"full", "normal"} {
		b.Run(synchronous, func(b *testing.B) {
			store := newStore(b, Options{Synchronous: synchronous})
			b.ReportAllocs()
			for b.Loop() {
				started, err := store.StartMany(ctx, create(b, store, many))
				if err != nil {
					b.Fatal(err)
				}
				if late, err := store.CompleteMany(ctx, started); err != nil || len(late) > 0 {
					b.Fatal(late, err)
				}
			}
			b.ReportMetric(many*float64(b.N)/b.Elapsed().Seconds(), "runs/s")
		})
	}
}

// benchmarkStore returns a store with a hundred thousand runs, most of them created.
func benchmarkStore(b *testing.B) *Store {
	b.Helper()
	store := newStore(b, Options{Synchronous: "normal"})
	for i := range 100 {
		runs := create(b, store, app.MaxCount)
		if i%10 == 0 {
			if err := store.Finish(ctx, start(b, store, runs[0]),
				app.Outcome{Status: app.Failed}); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	return store
}

func BenchmarkPage(b *testing.B) {
	for name, query := range map[string]app.Query{
		"newest":        {},
		"in the middle": {Direction: app.Before, Cursor: 50_000},
		"failed":        {Filter: app.Filter{Filtered: true, Status: app.Failed}},
		"created": {Filter: app.Filter{Filtered: true, Status: app.Created}, Direction: app.After,
			Cursor: 50_000},
		"completed": {Filter: app.Filter{Filtered: true, Status: app.Completed}}, // no match: the worst case
	} {
		b.Run(name, func(b *testing.B) {
			store := benchmarkStore(b)
			for b.Loop() {
				if _, err := store.Page(ctx, query); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWaiting(b *testing.B) {
	store := benchmarkStore(b)
	for b.Loop() {
		if runs, err := store.FetchDue(ctx, []app.DueKind{{Name: kind}}, 800); err != nil ||
			len(runs) != 800 {
			b.Fatal(len(runs), err)
		}
	}
}
