package sqlite

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"runboard/app"
)

const (
	indexedBefore = 200_000 // completed runs before the benchmark
	indexedRuns   = 10_000  // runs written in one round
)

// BenchmarkIndexWrites compares writes with the present index by status to writes with an index without
// completed runs. Rounds alternate between both, so that other load on the machine affects both. The ratios
// are the time with the present index divided by the time with the partial one.
func BenchmarkIndexWrites(b *testing.B) {
	for _, synchronous := range []string{"full", "normal"} {
		b.Run(synchronous, func(b *testing.B) {
			present := indexedStore(b, synchronous, "")
			partial := indexedStore(b, synchronous, " WHERE status <> 2")
			var slow, fast phases
			for round := 0; b.Loop(); round++ {
				if round%2 == 0 {
					slow.add(writeAll(b, present))
					fast.add(writeAll(b, partial))
				} else {
					fast.add(writeAll(b, partial))
					slow.add(writeAll(b, present))
				}
			}
			for i, name := range []string{"create", "start", "finish"} {
				b.ReportMetric(float64(slow[i])/float64(fast[i]), name+"-ratio")
			}
			b.ReportMetric(float64(slow.total())/float64(fast.total()), "ratio")
			b.ReportMetric(float64(b.N*indexedRuns)/slow.total().Seconds(), "runs/s")
		})
	}
}

// phases are the times spent on creating, starting and finishing runs.
type phases [3]time.Duration

func (p *phases) add(more phases) {
	for i := range p {
		p[i] += more[i]
	}
}

func (p *phases) total() time.Duration { return p[0] + p[1] + p[2] }

// indexedStore returns a store whose index by status has an additional WHERE condition.
func indexedStore(b *testing.B, synchronous, condition string) *Store {
	b.Helper()
	path := filepath.Join(b.TempDir(), "runs.db")
	closeStore(b, openStore(b, Options{Path: path}))
	change(b, path, fmt.Sprintf(`WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < %[1]d)
		INSERT INTO process_runs (kind, status, version, attempt, crashes, fencing_token, error, created_at, updated_at, started_at, finished_at, scheduled_at)
			SELECT '%[2]s', 2, 3, 1, 0, 1, '', 1e12, 1e12, 1e12, 1e12, 0 FROM ids;
		UPDATE status_counts SET n = %[1]d WHERE status = 2;
		DROP INDEX process_runs_by_status;
		CREATE INDEX process_runs_by_status ON process_runs (status, id, scheduled_at)%[3]s`, indexedBefore, kind, condition))
	return openStore(b, Options{Path: path, Synchronous: synchronous})
}

// writeAll takes indexedRuns runs from created to completed with concurrent callers.
func writeAll(b *testing.B, store *Store) (took phases) {
	b.Helper()
	const batch = 10
	runs := make([]app.ProcessRun, indexedRuns)
	took[0] = inParallel(b, indexedRuns/batch, func(i int) error {
		made, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: batch})
		copy(runs[i*batch:], made.Runs())
		return err
	})
	took[1] = inParallel(b, indexedRuns, func(i int) (err error) {
		runs[i], err = store.Start(ctx, runs[i])
		return err
	})
	took[2] = inParallel(b, indexedRuns, func(i int) error {
		return store.Finish(ctx, runs[i], app.Outcome{Status: app.Completed})
	})
	return took
}

// inParallel calls do for every number below n from concurrent callers, and returns the duration.
func inParallel(b *testing.B, n int, do func(int) error) time.Duration {
	b.Helper()
	begin := time.Now()
	var group sync.WaitGroup
	for caller := range callers {
		group.Go(func() {
			for i := caller; i < n; i += callers {
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	return time.Since(begin)
}
