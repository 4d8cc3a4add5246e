package sqlite

import (
	"context"

	"github.com/jmoiron/sqlx"

	"runboard/app"
	"runboard/db/query"
)

const (
	keepCount = "INSERT OR REPLACE INTO status_counts (status, n) VALUES (?, ?)"

	// By the rows themselves: an index may be wrong as well.
	countRuns = "SELECT status, COUNT(*) AS n FROM process_runs NOT INDEXED GROUP BY status"
)

// mended is how counts were put right.
type repairedCounts struct{ was, is app.Counts }

// mendCounts puts right the counts that are kept, if they are wrong, and says so; nil is that they were not. The
// runs of a large file are counted only when the counts are seen to be wrong: one is missing, or that of
// the started runs is not as it should be.
func repairCounts(ctx context.Context, tx *sqlx.Tx, path string, started int) (*repairedCounts, error) {
	was, err := query.ReadCounts(ctx, tx)
	if err != nil {
		return nil, err
	}
	var kept int
	if err := tx.GetContext(ctx, &kept, "SELECT COUNT(*) FROM status_counts"); err != nil {
		return nil, err
	}
	small, err := isSmall(path)
	plausible := kept == app.StatusCount && was[app.Started] == int64(started)
	if err != nil || plausible && !small {
		return nil, err
	}
	is, err := query.CountBy(ctx, tx, countRuns)
	if err != nil || plausible && was == is {
		return nil, err
	}
	for status, n := range is {
		if _, err := tx.ExecContext(ctx, keepCount, status, n); err != nil {
			return nil, err
		}
	}
	return &repairedCounts{was, is}, nil
}
