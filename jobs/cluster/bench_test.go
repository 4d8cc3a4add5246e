package cluster_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"runboard/app"
	"runboard/db/postgres"
	"runboard/jobs"
)

// BenchmarkEngine measures runs whose work does nothing, and for comparison jobs of River alone:
//
//	go test ./jobs/cluster -run xxx -bench . -benchtime 5000x
func BenchmarkEngine(b *testing.B) {
	for _, workers := range []int{10, 100} {
		b.Run(fmt.Sprintf("runs/%d", workers), func(b *testing.B) {
			store := openStore(b)
			for left := b.N; left > 0; left -= app.MaxCount {
				create(b, store, "nothing", min(left, app.MaxCount))
			}
			engine := newEngine(store, jobs.Kind{Name: "nothing", Work: nothing})
			engine.Workers = workers
			b.ResetTimer()
			start(b, engine)
			untilNone(b, store, `SELECT count(*) FROM process_runs WHERE status < 2`)
		})
		b.Run(fmt.Sprintf("jobs/%d", workers), func(b *testing.B) {
			store := openStore(b)
			params := make([]river.InsertManyParams, b.N)
			for i := range params {
				params[i].Args = nop{}
			}
			client := newRiver(b, store, workers)
			if _, err := client.InsertManyFast(b.Context(), params); err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			if err := client.Start(context.Background()); err != nil {
				b.Fatal(err)
			}
			untilNone(b, store, `SELECT count(*) FROM river_job WHERE kind = 'nop' AND finalized_at IS NULL`)
			if err := client.Stop(context.Background()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// untilNone waits until the query text counts 0, and reports the throughput.
func untilNone(b *testing.B, store *postgres.Store, text string) {
	for query[int](b, store, text) > 0 {
		time.Sleep(20 * time.Millisecond)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "done/s")
	b.StopTimer()
}

// nop is a job whose work does nothing.
type nop struct{}

func (nop) Kind() string { return "nop" }

type worker struct{ river.WorkerDefaults[nop] }

func (worker) Work(context.Context, *river.Job[nop]) error { return nil }

// newRiver returns a client with similar settings.
func newRiver(b *testing.B, store *postgres.Store, atOnce int) *river.Client[pgx.Tx] {
	workers := river.NewWorkers()
	river.AddWorker(workers, worker{})
	client, err := river.NewClient(riverpgxv5.New(store.Pool()), &river.Config{
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: atOnce}}, Workers: workers,
		FetchCooldown: 5 * time.Millisecond, FetchPollInterval: 250 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	return client
}
