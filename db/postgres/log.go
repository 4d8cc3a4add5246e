package postgres

import (
	"context"
	"math/rand/v2"

	"runboard/app"
	"runboard/db/query"
)

var (
	holdsToken = query.SQL(`SELECT true FROM process_runs
		WHERE id = $1 AND status = :started AND fencing_token = $2 FOR NO KEY UPDATE`)

	saveProgress = query.SQL(`UPDATE process_runs
		SET version = version + 1, percent = $1, message = $2, updated_at = $3, progress_id = $4
		WHERE id = $5 AND status = :started AND fencing_token = $6 AND progress_id <> $4 RETURNING true`)
	saveProgressID = query.SQL(`UPDATE process_runs SET progress_id = $1
		WHERE id = $2 AND status = :started AND fencing_token = $3 AND progress_id <> $1 RETURNING true`)
	isSaved = query.SQL(`SELECT true FROM process_runs
		WHERE id = $1 AND status = :started AND fencing_token = $2 AND progress_id = $3`)
)

const dropParts = `WITH dropped AS (DELETE FROM run_logs WHERE run_id = $1 AND start < $2 RETURNING part)
	DELETE FROM run_search USING dropped WHERE run_id = $1 AND run_search.part = dropped.part + 1`

// SaveProgress implements app.WorkStore. It adds no event to the history: there would be too many.
func (s *Store) SaveProgress(ctx context.Context, run app.ProcessRun, update app.ProgressUpdate) error {
	if err := query.CheckLines(run.ID, update.Lines); err != nil {
		return err
	}
	if update.ID == 0 {
		update.ID = rand.Int64()
	}
	return s.write(ctx, func(tx *transaction) error {
		isNew, err := tx.saveProgress(run, update)
		if err != nil || isNew && len(update.Lines) == 0 {
			return err
		}
		if isNew {
			return query.AppendLog(tx, run, update, tx.now, tx.store.options.LogLimit)
		}
		tx.noNotify = true
		var saved bool
		found, err := tx.Find(&saved, isSaved, run.ID, run.FencingToken, update.ID)
		if err == nil && !found {
			err = query.Conflict(run)
		}
		return err
	})
}

// saveProgress saves the ID of an update and its progress, and locks the run. It returns false if the update
// was saved before, or if run no longer holds its fencing token.
func (tx *transaction) saveProgress(run app.ProcessRun, update app.ProgressUpdate) (isNew bool, err error) {
	if update.Progress == nil {
		return tx.Find(&isNew, saveProgressID, update.ID, run.ID, run.FencingToken)
	}
	return tx.Find(&isNew, saveProgress, update.Progress.Percent, query.Sanitize(update.Progress.Message),
		tx.now.UnixMilli(), update.ID, run.ID, run.FencingToken)
}

// DropLog implements query.Writer.
func (tx *transaction) DropLog(run, before int64) error { return tx.Exec(dropParts, run, before) }
