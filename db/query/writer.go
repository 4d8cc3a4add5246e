package query

import (
	"math"

	"runboard/app"
)

// Writer executes statements in a write transaction of a store. What both stores write alike is written once,
// with a Writer.
//
// Such a statement numbers its arguments $1, $2, … by their first use: SQLite takes $2 for a name, and
// numbers the names in the order in which it meets them.
type Writer interface {
	// Find scans the row that a statement returns into row, and reports whether there was one.
	Find(row any, statement string, args ...any) (bool, error)
	// Exec executes a statement.
	Exec(statement string, args ...any) error
	// DropLog deletes the parts of a run's log that start before an offset, and their terms in the search
	// index.
	DropLog(run, before int64) error
	// Index adds the terms of a part of a run's texts to the search index, or replaces them.
	Index(run, part int64, terms []string) error
}

const (
	lastPartSQL = `SELECT start, stop, part FROM run_logs WHERE run_id = $1 ORDER BY start DESC LIMIT 1`
	addPartSQL  = `INSERT INTO run_logs (run_id, start, stop, part, text, line_index)
		VALUES ($1, $2, $3, $4, $5, $6) RETURNING ` + WrittenColumns
	extendPartSQL = `UPDATE run_logs
		SET stop = $1, text = text || $2, line_index = CAST(line_index || $3 AS blob)
		WHERE run_id = $4 AND start = $5 RETURNING ` + WrittenColumns

	// WrittenColumns are the columns of a WrittenPart.
	WrittenColumns = `text, line_index, coalesce((
		SELECT CASE WHEN stop = run_logs.start THEN substr(text, length(text) - 249) END
		FROM run_logs AS earlier WHERE earlier.run_id = run_logs.run_id AND earlier.start < run_logs.start
		ORDER BY start DESC LIMIT 1
	), '') AS before`
)

// AppendLog appends the lines of an update to the log of a run, and deletes its oldest parts beyond limit
// bytes.
func AppendLog(w Writer, run app.ProcessRun, update app.ProgressUpdate, limit int64) error {
	last := NoPart
	if _, err := w.Find(&last, lastPartSQL, run.ID); err != nil {
		return err
	}
	parts, dropBefore := last.Append(update.Lines, update.Skipped, limit)
	for _, part := range parts {
		if err := writePart(w, run, part); err != nil {
			return err
		}
	}
	if dropBefore <= 0 {
		return nil
	}
	return w.DropLog(run.ID, dropBefore)
}

// writePart inserts a part of a log or extends a stored one, and indexes its terms.
func writePart(w Writer, run app.ProcessRun, part NewPart) (err error) {
	var written WrittenPart
	if part.Extends {
		_, err = w.Find(&written, extendPartSQL, part.Stop, part.Text, part.LineIndex, run.ID, part.Start)
	} else {
		_, err = w.Find(&written, addPartSQL,
			run.ID, part.Start, part.Stop, part.Part, part.Text, part.LineIndex)
	}
	if err != nil || NeverSearched(run.Kind) {
		return err
	}
	terms, err := written.Terms(run.ID)
	if err != nil {
		return err
	}
	return w.Index(run.ID, part.Part+1, terms)
}

// KeepLog exempts the log of a run from trimming until the run finishes again.
func KeepLog(w Writer, run int64) error {
	return w.Exec(`UPDATE log_sizes SET finished_at = 0 WHERE run_id = $1`, run)
}

// TrimLog replaces the log of a finished run by a line that says so, and keeps that.
func TrimLog(w Writer, run app.ProcessRun) error {
	last := NoPart
	if _, err := w.Find(&last, lastPartSQL, run.ID); err != nil {
		return err
	}
	if err := w.DropLog(run.ID, math.MaxInt64); err != nil {
		return err
	}
	if part, worth := last.TrimmedPart(); worth {
		if err := writePart(w, run, part); err != nil {
			return err
		}
	}
	return KeepLog(w, run.ID)
}

// IndexError adds the error of a run, if it has one, to the search index.
func IndexError(w Writer, run app.ProcessRun) error {
	if run.Error == "" || NeverSearched(run.Kind) {
		return nil
	}
	return w.Index(run.ID, ErrorPart, Terms(run.ID, run.Error))
}

const (
	addActionSQL = `INSERT INTO bulk_actions
		(run_id, action, preview_runs, preview_skipped, preview_more, next, done, skipped)
		VALUES ($1, $2, $3, $4, $5, $1, 0, 0)`
	moveActionSQL = `UPDATE bulk_actions SET next = $1, done = done + $2, skipped = skipped + $3
		WHERE run_id = $4 AND next = $5 RETURNING run_id`
)

// Save stores the action of a bulk run.
func (a NewBulkAction) Save(w Writer, run int64) error {
	return w.Exec(addActionSQL, run, a.JSON, a.Preview.Runs, a.Preview.Skipped, a.Preview.More)
}

// Save stores the progress of a bulk run after a chunk. It fails with ErrConcurrentAction if another writer
// has performed the chunk since it was read.
func (r ChunkResult) Save(w Writer, run int64, chunk BulkChunk) error {
	var saved int64
	found, err := w.Find(&saved, moveActionSQL, r.Next, r.Done, r.Skipped, run, chunk.Start)
	if err == nil && !found {
		err = ErrConcurrentAction
	}
	return err
}

const (
	// FindRollupSQL returns the Times of a row of rollups.
	FindRollupSQL = `SELECT queue_ms, run_ms FROM rollups
		WHERE step = $1 AND at = $2 AND kind = $3 AND node = $4`
	addRollupSQL = `INSERT INTO rollups
		(step, at, kind, node, created, requeued, started, completed, failed, cancelled, queue_ms, run_ms)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (step, at, kind, node) DO UPDATE SET
			created = rollups.created + excluded.created, requeued = rollups.requeued + excluded.requeued,
			started = rollups.started + excluded.started, completed = rollups.completed + excluded.completed,
			failed = rollups.failed + excluded.failed, cancelled = rollups.cancelled + excluded.cancelled,
			queue_ms = excluded.queue_ms, run_ms = excluded.run_ms`
)

// Save adds the collected events to the rows of a node.
func (r *Rollups) Save(w Writer, node int64) error {
	for row, sum := range r.Rows() {
		var times Times
		if _, err := w.Find(&times, FindRollupSQL, row.Step, row.At, row.Kind, node); err != nil {
			return err
		}
		times = sum.Merged(times)
		err := w.Exec(addRollupSQL, row.Step, row.At, row.Kind, node, sum.Created, sum.Requeued, sum.Started,
			sum.Completed, sum.Failed, sum.Cancelled, times.Queue, times.Run)
		if err != nil {
			return err
		}
	}
	return nil
}
