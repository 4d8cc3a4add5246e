package postgres

import (
	"context"

	"runboard/db/query"
)

var lockFinal = query.SQL(`SELECT ` + query.Columns + ` FROM process_runs
	WHERE id = $1 AND status IN (:final) FOR NO KEY UPDATE`)

// trimBatch is the most logs that one transaction deletes.
const trimBatch = 20

// TrimLogs implements app.ClusterStore.
func (s *Store) TrimLogs(ctx context.Context) (int, error) {
	dropped, _, err := s.Reader.TrimLogs(ctx, s.options.MaxLogBytes, s.dropLogs)
	return dropped, err
}

// dropLogs is a query.DropFunc.
func (s *Store) dropLogs(ctx context.Context, runs []int64) (dropped int, left []int64, err error) {
	runs, left = runs[:min(trimBatch, len(runs))], runs[min(trimBatch, len(runs)):]
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

// trimLog replaces the log of a finished run by a line that says so. It keeps the log of a run that is not
// finished.
func (tx *transaction) trimLog(id int64) error {
	var row query.Run
	found, err := tx.Find(&row, lockFinal, id)
	if err != nil {
		return err
	}
	if !found { // the run was retried or deleted
		return query.KeepLog(tx, id)
	}
	return query.TrimLog(tx, row.App(), tx.now)
}
