package db

import (
	"context"

	"github.com/jmoiron/sqlx"

	"runboard/app"
)

const (
	keptCounts = "SELECT status, n FROM status_counts"
	keepCount  = "INSERT OR REPLACE INTO status_counts (status, n) VALUES (?, ?)"

	// By the rows themselves: an index may be wrong as well.
	countRuns = "SELECT status, COUNT(*) AS n FROM process_runs NOT INDEXED GROUP BY status"
)

func readCounts(ctx context.Context, from sqlx.QueryerContext) (app.Counts, error) {
	return countBy(ctx, from, keptCounts)
}

// countBy reads counts, of which those that are missing are 0.
func countBy(ctx context.Context, from sqlx.QueryerContext, text string, args ...any) (counts app.Counts, err error) {
	var rows []struct {
		Status app.Status `db:"status"`
		N      int64      `db:"n"`
	}
	if err := sqlx.SelectContext(ctx, from, &rows, text, args...); err != nil {
		return counts, err
	}
	for _, row := range rows {
		counts[row.Status] = row.N
	}
	return counts, nil
}

// mended is how counts were put right.
type mended struct{ was, is app.Counts }

// mendCounts puts right the counts that are kept, if they are wrong, and says so; nil is that they were not. The
// runs of a large file are counted only when the counts are seen to be wrong: one is missing, or that of
// the started runs is not as it should be.
func mendCounts(ctx context.Context, tx *sqlx.Tx, path string, started int) (*mended, error) {
	was, err := readCounts(ctx, tx)
	if err != nil {
		return nil, err
	}
	var rows int
	if err := tx.GetContext(ctx, &rows, "SELECT COUNT(*) FROM status_counts"); err != nil {
		return nil, err
	}
	small, err := isSmall(path)
	plausible := rows == app.StatusCount && was[app.Started] == int64(started)
	if err != nil || plausible && !small {
		return nil, err
	}
	is, err := countBy(ctx, tx, countRuns)
	if err != nil || plausible && was == is {
		return nil, err
	}
	for status, n := range is {
		if _, err := tx.ExecContext(ctx, keepCount, status, n); err != nil {
			return nil, err
		}
	}
	return &mended{was, is}, nil
}
