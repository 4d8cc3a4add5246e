package sqlite

import (
	"context"
	"time"

	"runboard/app"
	"runboard/db/query"
)

const (
	isOwned = `SELECT EXISTS (SELECT 1 FROM process_runs WHERE id = ? AND status = 1 AND fencing_token = ?)`

	lastPart   = `SELECT start, stop, part FROM run_logs WHERE run_id = ? ORDER BY start DESC LIMIT 1`
	addPart    = `INSERT INTO run_logs (run_id, start, stop, part, text, line_index) VALUES (?, ?, ?, ?, ?, ?) RETURNING ` + written
	extendPart = `UPDATE run_logs SET stop = ?1, text = text || ?2, line_index = CAST(line_index || ?3 AS BLOB) WHERE run_id = ?4 AND start = ?5
		RETURNING ` + written
	// The columns of query.WrittenPart.
	written = `text, line_index, coalesce((SELECT CASE WHEN stop = run_logs.start THEN substr(text, -250) END FROM run_logs AS earlier
		WHERE earlier.run_id = run_logs.run_id AND earlier.start < run_logs.start ORDER BY start DESC LIMIT 1), '') AS before`
	dropParts = `DELETE FROM run_logs WHERE run_id = ? AND start < ? RETURNING part`

	partAfterSome = `SELECT start FROM run_logs WHERE run_id = ? ORDER BY start LIMIT 1 OFFSET ?`
)

// SaveProgress implements app.WorkStore. It adds no event to the history: there would be too many.
func (s *Store) SaveProgress(ctx context.Context, run app.ProcessRun, report app.ProgressUpdate) error {
	if err := query.CheckLines(run.ID, report.Lines); err != nil {
		return err
	}
	return s.writer.do(ctx, func(tx *transaction) error {
		mine, err := tx.checkToken(run, report.Progress)
		if err == nil && !mine {
			return query.Conflict(run)
		}
		if err == nil && len(report.Lines) > 0 {
			s.logged.Store(true)
			err = tx.appendLog(run, report, s.options.LogLimit)
		}
		tx.changed = tx.changed || err == nil
		return err
	})
}

// checkToken reports whether run still holds its fencing token. If so, it saves progress, unless that is nil.
func (tx *transaction) checkToken(run app.ProcessRun, progress *app.Progress) (mine bool, err error) {
	if progress == nil {
		_, err = tx.find(tx.isClaimed, &mine, run.ID, run.FencingToken)
		return mine, err
	}
	return tx.changesOne(tx.report, int64(progress.Percent), query.Sanitize(progress.Message), tx.now.UnixMilli(), run.ID, run.FencingToken)
}

// appendLog appends lines to a run's log and deletes the oldest parts beyond limit bytes.
func (tx *transaction) appendLog(run app.ProcessRun, report app.ProgressUpdate, limit int64) error {
	last := query.NoPart
	if _, err := tx.find(tx.lastPart, &last, run.ID); err != nil {
		return err
	}
	parts, dropBefore := last.Append(report.Lines, report.Skipped, limit)
	for _, part := range parts {
		if err := tx.writePart(run, part); err != nil {
			return err
		}
	}
	return tx.dropLog(run.ID, dropBefore)
}

// dropLog deletes the parts of a run's log that start before offset, with their rows in the search index.
func (tx *transaction) dropLog(run, offset int64) error {
	var dropped []int64
	if err := tx.dropParts.Select(&dropped, run, offset); err != nil {
		return err
	}
	for _, part := range dropped {
		if err := tx.unindex(run, part+1); err != nil {
			return err
		}
	}
	return nil
}

// someParts is how many parts of a log are deleted between two checks of the time. Each takes a millisecond
// or more in the search index.
const someParts = 4

// trimRunLog deletes the oldest parts of a run's log, someParts at a time, until at most someParts are left
// or until has passed. It reports whether at most someParts are left.
func (tx *transaction) trimRunLog(run int64, until time.Time) (short bool, err error) {
	for {
		var offset int64
		found, err := tx.find(tx.partAfterSome, &offset, run, someParts)
		if err != nil || !found {
			return err == nil, err
		}
		if !time.Now().Before(until) {
			return false, nil
		}
		if err := tx.dropLog(run, offset); err != nil {
			return false, err
		}
	}
}

// writePart inserts a part or extends a stored one, and indexes its words.
func (tx *transaction) writePart(run app.ProcessRun, part query.NewPart) (err error) {
	var written query.WrittenPart
	if part.Extends {
		_, err = tx.find(tx.extendPart, &written, part.Stop, part.Text, part.LineIndex, run.ID, part.Start)
	} else {
		_, err = tx.find(tx.addPart, &written, run.ID, part.Start, part.Stop, part.Part, part.Text, part.LineIndex)
	}
	if err != nil || query.NeverSearched(run.Kind) {
		return err
	}
	terms, err := written.Terms(run.ID)
	if err != nil {
		return err
	}
	return tx.index(run.ID, part.Part+1, terms)
}
