package postgres

import (
	"context"
	"math"

	"runboard/db/query"
)

const (
	lockFinal = `SELECT ` + query.Columns + ` FROM process_runs WHERE id = $1 AND status IN (2, 3, 4) FOR NO KEY UPDATE`
	// keepsLog excludes the log of a run, or its replacement, from trimming.
	keepsLog = `UPDATE log_sizes SET finished_at = 0 WHERE run_id = $1`
)

// logsAtOnce is the most logs that one transaction deletes.
const logsAtOnce = 20

// TrimLogs implements app.ClusterStore.
func (s *Store) TrimLogs(ctx context.Context) (int, error) {
	dropped, _, err := s.Reader.TrimLogs(ctx, s.options.MaxLogBytes, s.dropLogs)
	return dropped, err
}

// dropLogs is a query.DropFunc.
func (s *Store) dropLogs(ctx context.Context, runs []int64) (dropped int, left []int64, err error) {
	runs, left = runs[:min(logsAtOnce, len(runs))], runs[min(logsAtOnce, len(runs)):]
	err = s.write(ctx, func(tx *transaction) error {
		for _, run := range runs {
			if err := tx.trimLog(run); err != nil {
				return err
			}
		}
		return nil
	})
	return len(runs), left, err
}

// trimLog deletes the log of a final run, and leaves a note in its place.
func (tx *transaction) trimLog(run int64) error {
	var row query.Run
	found, err := tx.find(&row, lockFinal, run)
	if err != nil {
		return err
	}
	if !found { // the run has been retried
		return tx.exec(keepsLog, run)
	}
	last := query.NoPart
	if _, err := tx.find(&last, lastPart, run); err != nil {
		return err
	}
	if err := tx.exec(dropParts, run, int64(math.MaxInt64)); err != nil {
		return err
	}
	if part, worth := last.TrimmedPart(); worth {
		if err := tx.writePart(row.App(), part); err != nil {
			return err
		}
	}
	return tx.exec(keepsLog, run)
}
