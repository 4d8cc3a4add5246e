package query

import (
	"context"
	"iter"
	"slices"

	"runboard/app"
)

const (
	logBoundsSQL = `SELECT
		coalesce((SELECT start FROM run_logs WHERE run_id = ? ORDER BY start LIMIT 1), 0) AS start,
		coalesce((SELECT stop FROM run_logs WHERE run_id = ? ORDER BY start DESC LIMIT 1), 0) AS stop`
	partsFromSQL = `SELECT start, stop, text, line_index FROM run_logs
		WHERE run_id = ? AND start >= coalesce(
			(SELECT start FROM run_logs WHERE run_id = ? AND start <= ? ORDER BY start DESC LIMIT 1), 0)
		ORDER BY start`
	partsBeforeSQL = `SELECT start, stop, text, line_index FROM run_logs
		WHERE run_id = ? AND start < ? ORDER BY start DESC`
)

// Log implements app.Store.
func (r *Reader) Log(ctx context.Context, query app.LogQuery) (log app.Log, err error) {
	err = r.db.Read(ctx, func(ctx context.Context, q Queryer) error {
		var exists bool
		if err := Get(ctx, q, &exists, "SELECT EXISTS (SELECT 1 FROM process_runs WHERE id = ?)", query.Run); err != nil {
			return err
		}
		if !exists {
			return NotFound(query.Run)
		}
		log, err = readLog(ctx, q, query)
		return err
	})
	return log, err
}

func readLog(ctx context.Context, q Queryer, query app.LogQuery) (log app.Log, err error) {
	var bounds LogPart
	if err := Get(ctx, q, &bounds, logBoundsSQL, query.Run, query.Run); err != nil {
		return log, err
	}
	log = app.Log{Start: bounds.Start, End: bounds.Stop}
	if query.Backwards {
		log.Lines, err = readBackwards(ctx, q, query)
	} else {
		log.Lines, err = readForwards(ctx, q, query)
	}
	return log, err
}

// excerpt collects the lines of a log up to the limits of a query, but at least one.
type excerpt struct {
	query app.LogQuery
	lines []app.LogLine
	bytes int
}

// add returns false if the line exceeds the limits.
func (e *excerpt) add(line app.LogLine) bool {
	full := e.bytes+len(line.Text) > e.query.Bytes || len(e.lines) == e.query.Lines
	if full && len(e.lines) > 0 {
		return false
	}
	e.lines = append(e.lines, line)
	e.bytes += len(line.Text)
	return true
}

func readForwards(ctx context.Context, q Queryer, query app.LogQuery) ([]app.LogLine, error) {
	found := excerpt{query: query}
	for part, err := range readParts(ctx, q, partsFromSQL, query.Run, query.Run, query.Offset) {
		if err != nil {
			return nil, err
		}
		for _, line := range part {
			if line.End() <= query.Offset {
				continue
			}
			if cut := query.Offset - line.At; cut > 0 {
				line.At, line.Text = query.Offset, line.Text[cut:]
			}
			if !found.add(line) {
				return found.lines, nil
			}
		}
	}
	return found.lines, nil
}

func readBackwards(ctx context.Context, q Queryer, query app.LogQuery) ([]app.LogLine, error) {
	found := excerpt{query: query}
	for part, err := range readParts(ctx, q, partsBeforeSQL, query.Run, query.Offset) {
		if err != nil {
			return nil, err
		}
		for _, line := range slices.Backward(part) {
			if line.At >= query.Offset {
				continue
			}
			if cut := line.End() - query.Offset; cut > 0 {
				line.Text = line.Text[:int64(len(line.Text))-cut]
			}
			if !found.add(line) {
				slices.Reverse(found.lines)
				return found.lines, nil
			}
		}
	}
	slices.Reverse(found.lines)
	return found.lines, nil
}

// readParts returns the lines of each part that a query finds. It reads a part only when it is needed: a log
// may have a gigabyte. An error ends it.
func readParts(ctx context.Context, q Queryer, statement string, args ...any) iter.Seq2[[]app.LogLine, error] {
	return func(yield func([]app.LogLine, error) bool) {
		rows, err := q.QueryxContext(ctx, q.Rebind(statement), args...)
		if err != nil {
			yield(nil, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var part LogPart
			if err := rows.StructScan(&part); err != nil {
				yield(nil, err)
				return
			}
			if lines, err := part.lines(); !yield(lines, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(nil, err)
		}
	}
}
