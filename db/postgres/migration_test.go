package postgres

import (
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"runboard/app"
	"runboard/db/pgtest"
)

// migratedTo returns the address of a new database with an older version of the schema.
func migratedTo(t *testing.T, version int64) (address string) {
	t.Helper()
	address = pgtest.URL(t)
	config, err := pgx.ParseConfig(address)
	ok(t, err)
	pool := stdlib.OpenDB(*config)
	defer pool.Close()
	provider, err := newProvider(pool, slog.New(slog.DiscardHandler))
	ok(t, err)
	_, err = provider.UpTo(ctx, version)
	ok(t, err)
	return address
}

// Jobs that River's clients of an older version have left start their runs.
func TestMigration_KeepsTheJobsOfWaitingRuns(t *testing.T) {
	t.Parallel()
	address := migratedTo(t, 8)
	through(t, address, `INSERT INTO process_runs (id, kind, status, version, attempt, crashes, fencing_token, error,
			created_at, updated_at, job, scheduled_at, inputs, concurrency_key)
		SELECT n, $1, 0, 1, 0, 0, 0, '', 1, 1, n, 0, 0, '' FROM generate_series(1, 3) AS n`, kind)
	const add = `INSERT INTO river_job (id, kind, state, queue, args, max_attempts, finalized_at)
		VALUES ($1, $2, $3::text::river_job_state, 'runs', jsonb_build_object('run', $1::bigint), 9, $4)`
	job := app.Job{RunKind: kind}.Kind()
	through(t, address, add, 1, job, "available", nil)
	through(t, address, add, 2, job, "retryable", nil)
	through(t, address, add, 3, job, "pending", nil)
	through(t, address, add, 4, job, "completed", "now")
	through(t, address, add, 5, "maintenance:prune", "available", nil)
	store := openStore(t, Options{URL: address, sweepEvery: time.Hour})
	started, left := startJobsOf(t, store, 10)
	if len(started)+len(left) == 0 || len(left) > 0 {
		t.Errorf("it started %+v and left %v", started, left)
	}
	if n := number(t, store, "SELECT count(*) FROM river_job WHERE id > 3"); n != 0 {
		t.Errorf("%d jobs of no use are left", n)
	}
	for id := range int64(2) {
		if got := get(t, store, id+1); got.Status != app.Started {
			t.Errorf("run %d is %s", got.ID, got.Status)
		}
	}
}
