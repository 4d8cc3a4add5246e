package jobs_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"runboard/app"
	"runboard/db/sqlite"
	"runboard/jobs"
)

// BenchmarkQueue measures runs whose work does nothing, from fetch to result. Each change is committed
// before the next one:
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
	store := openForBench(b, synchronous)
	for left := b.N; left > 0; left -= app.MaxCount {
		if _, err := store.Create(b.Context(),
			app.CreateRequest{Kind: "nothing", Count: min(left, app.MaxCount)}); err != nil {
			b.Fatal(err)
		}
	}
	queue := newQueue(store, jobs.Kind{Name: "nothing", Work: nothing})
	queue.Workers = workers
	b.ReportAllocs()
	b.ResetTimer()
	runUntilTheEnd(b, queue)
	for {
		page, err := store.Page(b.Context(), app.Query{})
		if err != nil {
			b.Fatal(err)
		}
		if page.Counts[app.Completed] == int64(b.N) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
}

// BenchmarkPickup measures the time from the call that creates a run to the start of its
// work, on an idle queue.
func BenchmarkPickup(b *testing.B) {
	for _, synchronous := range []string{"full", "normal"} {
		b.Run(synchronous, func(b *testing.B) {
			store := openForBench(b, synchronous)
			picked := make(chan time.Time, 1)
			queue := newQueue(store, jobs.Kind{Name: "nothing", Work: func(context.Context, *jobs.Run) error {
				picked <- time.Now()
				return nil
			}})
			runUntilTheEnd(b, queue)
			var waits []time.Duration
			for b.Loop() {
				b.StopTimer()
				time.Sleep(2*time.Millisecond + rand.N(5*time.Millisecond)) // let the queue become idle
				b.StartTimer()
				began := time.Now()
				if _, err := store.Create(b.Context(),
					app.CreateRequest{Kind: "nothing", Count: 1}); err != nil {
					b.Fatal(err)
				}
				waits = append(waits, (<-picked).Sub(began))
			}
			slices.Sort(waits)
			b.ReportMetric(float64(waits[len(waits)/2].Microseconds()), "µs-p50")
			b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds()), "µs-p99")
		})
	}
}

func openForBench(b *testing.B, synchronous string) *sqlite.Store {
	store, err := sqlite.Open(b.Context(), sqlite.Options{
		Path: filepath.Join(b.TempDir(), "runs.db"), Synchronous: synchronous,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	return store
}

// runUntilTheEnd runs the queue until the benchmark ends.
func runUntilTheEnd(b *testing.B, queue *jobs.Queue) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		queue.Run(ctx, context.Background())
	}()
	b.Cleanup(func() {
		cancel()
		<-done
	})
}
