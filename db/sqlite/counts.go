package sqlite

import (
	"context"

	"github.com/jmoiron/sqlx"

	"runboard/app"
	"runboard/db/query"
)

const (
	keepCount = "INSERT OR REPLACE INTO status_counts (status, n) VALUES (?, ?)"

	// NOT INDEXED reads the rows themselves, because an index may be wrong as well.
	countRuns = "SELECT status, COUNT(*) AS n FROM process_runs NOT INDEXED GROUP BY status"
)

// repairedCounts holds the saved counts before and after a repair.
type repairedCounts struct{ was, is app.Counts }

// repairCounts compares the saved counts with the runs and corrects them. It returns nil if they were right.
// started is the number of started runs. The runs of a large file are counted only if the saved counts are
// implausible: one is missing, or the one of the started runs is wrong.
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
