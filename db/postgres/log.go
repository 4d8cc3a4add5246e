package postgres

import (
	"context"

	"runboard/app"
	"runboard/db/rows"
)

const (
	reportRun = `UPDATE process_runs SET version = version + 1, percent = $1, message = $2, updated_at = $3
		WHERE id = $4 AND status = 1 AND claim = $5 RETURNING true`

	lastPart   = `SELECT start, stop, part FROM run_logs WHERE run_id = $1 ORDER BY start DESC LIMIT 1`
	addPart    = `INSERT INTO run_logs (run_id, start, stop, part, text, marks) VALUES ($1, $2, $3, $4, $5, $6)`
	extendPart = `UPDATE run_logs SET stop = $1, text = text || $2, marks = marks || $3 WHERE run_id = $4 AND start = $5`
	dropParts  = `WITH dropped AS (DELETE FROM run_logs WHERE run_id = $1 AND start < $2 RETURNING part)
		DELETE FROM run_texts USING dropped WHERE run_id = $1 AND run_texts.part = dropped.part + 1`
)

// Report implements app.Ledger. It is not an event: there would be too many.
func (s *Store) Report(ctx context.Context, run app.ProcessRun, report app.Report) error {
	if err := rows.CheckLines(run.ID, report.Lines); err != nil {
		return err
	}
	return s.write(ctx, func(tx *transaction) error {
		mine, err := tx.claimed(run, report.Progress)
		if err == nil && !mine {
			return rows.Conflict(run)
		}
		if err == nil && len(report.Lines) > 0 {
			err = tx.appendLog(run.ID, report)
		}
		return err
	})
}

// claimed reports whether the run is still this one's to report on, and if so writes down its progress. It stays so until
// the end of the transaction.
func (tx *transaction) claimed(run app.ProcessRun, progress *app.Progress) (mine bool, err error) {
	if progress == nil {
		return tx.find(&mine, isClaimed, run.ID, run.Claim)
	}
	return tx.find(&mine, reportRun, progress.Percent, rows.Clean(progress.Message), tx.now.UnixMilli(), run.ID, run.Claim)
}

// appendLog adds lines to the end of a run's log, and drops what is then too much.
func (tx *transaction) appendLog(run int64, report app.Report) error {
	last := rows.NoPart
	if _, err := tx.find(&last, lastPart, run); err != nil {
		return err
	}
	dropBefore, err := last.Append(report.Lines, report.Skipped, tx.store.options.LogLimit, func(part rows.LogPart, more bool) (err error) {
		if more {
			err = tx.exec(extendPart, part.Stop, part.Text, part.Marks, run, part.Start)
		} else {
			err = tx.exec(addPart, run, part.Start, part.Stop, part.Part, part.Text, part.Marks)
		}
		if err != nil {
			return err
		}
		return tx.index(run, part.Part+1, part.Text)
	})
	if err != nil || dropBefore <= 0 {
		return err
	}
	return tx.exec(dropParts, run, dropBefore)
}
