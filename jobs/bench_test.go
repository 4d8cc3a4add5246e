package jobs_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"runboard/app"
	"runboard/db"
	"runboard/jobs"
)

// BenchmarkQueue does runs that do nothing, from the row to its end, each change committed before the next:
//
//	go test ./jobs -run xxx -bench Queue -benchtime 20000x
func BenchmarkQueue(b *testing.B) {
	for _, synchronous := range []string{"full", "normal"} {
		for _, workers := range []int{10, 100} {
			b.Run(fmt.Sprintf("%s/%d", synchronous, workers), func(b *testing.B) {
				benchmarkQueue(b, synchronous, workers)
			})
		}
	}
}

func benchmarkQueue(b *testing.B, synchronous string, workers int) {
	store, err := db.Open(b.Context(), db.Options{
		Path: filepath.Join(b.TempDir(), "runs.db"), Synchronous: synchronous, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	for left := b.N; left > 0; left -= app.MaxCount {
		if _, err := store.Create(b.Context(), app.NewRuns{Kind: "nothing", Count: min(left, app.MaxCount)}); err != nil {
			b.Fatal(err)
		}
	}
	queue := newQueue(store, jobs.Kind{Name: "nothing", Work: nothing})
	queue.Workers = workers
	b.ReportAllocs()
	ctx, cancel := context.WithCancel(b.Context())
	b.ResetTimer()
	done := make(chan struct{})
	go func() {
		defer close(done)
		queue.Run(ctx, context.Background())
	}()
	for {
		page, err := store.Page(ctx, app.Query{})
		if err != nil {
			b.Fatal(err)
		}
		if page.Counts[app.Completed] == int64(b.N) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
	cancel()
	<-done
}
