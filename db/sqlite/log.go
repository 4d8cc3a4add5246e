package sqlite

import (
	"context"
	"time"

	"runboard/app"
	"runboard/db/query"
)

var (
	holdsToken = query.SQL(`SELECT true FROM process_runs
		WHERE id = ? AND status = :started AND fencing_token = ?`)

	saveProgress = query.SQL(`UPDATE process_runs
		SET version = version + 1, percent = ?1, message = ?2, updated_at = ?3
		WHERE id = ?4 AND status = :started AND fencing_token = ?5`)
)

const (
	dropParts = `DELETE FROM run_logs WHERE run_id = ? AND start < ? RETURNING part`

	nthPart = `SELECT start FROM run_logs WHERE run_id = ? ORDER BY start LIMIT 1 OFFSET ?`
)

// SaveProgress implements app.WorkStore. It adds no event to the history: there would be too many.
func (s *Store) SaveProgress(ctx context.Context, run app.ProcessRun, update app.ProgressUpdate) error {
	if err := query.CheckLines(run.ID, update.Lines); err != nil {
		return err
	}
	return s.write(ctx, func(tx *transaction) error {
		mine, err := tx.saveProgress(run, update.Progress)
		if err == nil && !mine {
			err = query.Conflict(run)
		}
		if err != nil {
			return err
		}
		tx.changed = true
		if len(update.Lines) == 0 {
			return nil
		}
		s.logged.Store(true)
		return query.AppendLog(tx, run, update, tx.now, tx.options.LogLimit)
	})
}

// saveProgress reports whether run still holds its fencing token. If so, it saves progress, unless that is
// nil.
func (tx *transaction) saveProgress(run app.ProcessRun, progress *app.Progress) (mine bool, err error) {
	if progress == nil {
		return tx.HoldsToken(run)
	}
	n, err := tx.execChanged(saveProgress, progress.Percent, query.Sanitize(progress.Message),
		tx.now.UnixMilli(), run.ID, run.FencingToken)
	return n == 1, err
}

// DropLog implements query.Writer.
func (tx *transaction) DropLog(run, before int64) error {
	var dropped []int64
	if err := tx.conn.SelectContext(context.Background(), &dropped, dropParts, run, before); err != nil {
		return err
	}
	for _, part := range dropped {
		if err := tx.unindex(run, part+1); err != nil {
			return err
		}
	}
	return nil
}

// dropBatch is how many parts of a log are deleted between two checks of the time. Each takes a millisecond
// or more in the search index.
const dropBatch = 4

// shortenLog deletes the oldest parts of a run's log, dropBatch at a time, until at most dropBatch are left
// or until has passed. It reports whether at most dropBatch are left.
func (tx *transaction) shortenLog(run int64, until time.Time) (short bool, err error) {
	for {
		var start int64
		found, err := tx.Find(&start, nthPart, run, dropBatch)
		if err != nil || !found {
			return err == nil, err
		}
		if !time.Now().Before(until) {
			return false, nil
		}
		if err := tx.DropLog(run, start); err != nil {
			return false, err
		}
	}
}
