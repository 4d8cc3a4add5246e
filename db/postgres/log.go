package postgres

import (
	"context"
	"math/rand/v2"

	"runboard/app"
	"runboard/db/query"
)

const (
	reportRun = `UPDATE process_runs SET version = version + 1, percent = $1, message = $2, updated_at = $3, progress_id = $4
		WHERE id = $5 AND status = 1 AND fencing_token = $6 AND progress_id <> $4 RETURNING true`
	noteReport = `UPDATE process_runs SET progress_id = $1 WHERE id = $2 AND status = 1 AND fencing_token = $3 AND progress_id <> $1 RETURNING true`
	isReported = `SELECT true FROM process_runs WHERE id = $1 AND status = 1 AND fencing_token = $2 AND progress_id = $3`

	lastPart   = `SELECT start, stop, part FROM run_logs WHERE run_id = $1 ORDER BY start DESC LIMIT 1`
	addPart    = `INSERT INTO run_logs (run_id, start, stop, part, text, line_index) VALUES ($1, $2, $3, $4, $5, $6) RETURNING ` + written
	extendPart = `UPDATE run_logs SET stop = $1, text = text || $2, line_index = line_index || $3 WHERE run_id = $4 AND start = $5
		RETURNING ` + written
	// written are the columns of a query.WrittenPart.
	written = `text, line_index, coalesce((SELECT CASE WHEN stop = run_logs.start THEN right(text, 250) END FROM run_logs AS earlier
		WHERE earlier.run_id = run_logs.run_id AND earlier.start < run_logs.start ORDER BY start DESC LIMIT 1), '') AS before`
	dropParts = `WITH dropped AS (DELETE FROM run_logs WHERE run_id = $1 AND start < $2 RETURNING part)
		DELETE FROM run_search USING dropped WHERE run_id = $1 AND run_search.part = dropped.part + 1`
)

// SaveProgress implements app.WorkStore. It appends no event: there would be too many.
func (s *Store) SaveProgress(ctx context.Context, run app.ProcessRun, report app.ProgressUpdate) error {
	if err := query.CheckLines(run.ID, report.Lines); err != nil {
		return err
	}
	if report.ID == 0 {
		report.ID = rand.Int64()
	}
	return s.write(ctx, func(tx *transaction) error {
		isNew, err := tx.report(run, report)
		if err != nil || isNew && len(report.Lines) == 0 {
			return err
		}
		if isNew {
			return tx.appendLog(run, report)
		}
		var before bool
		if found, err := tx.find(&before, isReported, run.ID, run.FencingToken, report.ID); err != nil || found {
			tx.noNotify = true
			return err
		}
		return query.Conflict(run)
	})
}

// report saves the ID of an update and its progress, and locks the run. It returns false if the update was saved before, or
// if the run is no longer started with this fencing token.
func (tx *transaction) report(run app.ProcessRun, report app.ProgressUpdate) (isNew bool, err error) {
	if report.Progress == nil {
		return tx.find(&isNew, noteReport, report.ID, run.ID, run.FencingToken)
	}
	return tx.find(&isNew, reportRun, report.Progress.Percent, query.Sanitize(report.Progress.Message), tx.now.UnixMilli(),
		report.ID, run.ID, run.FencingToken)
}

// appendLog appends lines to a run's log, and deletes the oldest parts that exceed the limit.
func (tx *transaction) appendLog(run app.ProcessRun, report app.ProgressUpdate) error {
	last := query.NoPart
	if _, err := tx.find(&last, lastPart, run.ID); err != nil {
		return err
	}
	parts, dropBefore := last.Append(report.Lines, report.Skipped, tx.store.options.LogLimit)
	for _, part := range parts {
		if err := tx.writePart(run, part); err != nil {
			return err
		}
	}
	if dropBefore <= 0 {
		return nil
	}
	return tx.exec(dropParts, run.ID, dropBefore)
}

// writePart inserts a part of a log or extends a stored one, and indexes its text.
func (tx *transaction) writePart(run app.ProcessRun, part query.NewPart) (err error) {
	var written query.WrittenPart
	if part.Extends {
		err = tx.GetContext(tx.ctx, &written, extendPart, part.Stop, part.Text, part.LineIndex, run.ID, part.Start)
	} else {
		err = tx.GetContext(tx.ctx, &written, addPart, run.ID, part.Start, part.Stop, part.Part, part.Text, part.LineIndex)
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
