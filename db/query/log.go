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
	err = r.read(ctx, func(s *snapshot) {
		var exists bool
		s.get(&exists, "SELECT EXISTS (SELECT 1 FROM process_runs WHERE id = ?)", query.Run)
		if !exists {
			s.fail(NotFound(query.Run))
			return
		}
		log = s.log(query)
	})
	return log, err
}

// log returns the lines after the offset of a query or, backwards, before it. It returns as many as the
// limits of the query allow, but at least one.
func (s *snapshot) log(query app.LogQuery) app.Log {
	var bounds LogPart
	s.get(&bounds, logBoundsSQL, query.Run, query.Run)
	log := app.Log{Start: bounds.Start, End: bounds.Stop}
	bytes := 0
	for line := range s.logLines(query) {
		full := bytes+len(line.Text) > query.Bytes || len(log.Lines) == query.Lines
		if full && len(log.Lines) > 0 {
			break
		}
		log.Lines = append(log.Lines, line)
		bytes += len(line.Text)
	}
	if query.Backwards {
		slices.Reverse(log.Lines)
	}
	return log
}

// logLines returns the lines after the offset of a query or, backwards, before it. It cuts the line that the
// offset is in. It reads a part only when it is needed: a log may have a gigabyte.
func (s *snapshot) logLines(query app.LogQuery) iter.Seq[app.LogLine] {
	statement, args := partsFromSQL, []any{query.Run, query.Run, query.Offset}
	if query.Backwards {
		statement, args = partsBeforeSQL, []any{query.Run, query.Offset}
	}
	return func(yield func(app.LogLine) bool) {
		if s.err != nil {
			return
		}
		rows, err := s.q.QueryxContext(s.ctx, s.q.Rebind(statement), args...)
		if err != nil {
			s.fail(err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var part LogPart
			s.fail(rows.StructScan(&part))
			lines, err := part.lines()
			s.fail(err)
			if s.err != nil {
				return
			}
			for _, line := range cutLines(lines, query) {
				if !yield(line) {
					return
				}
			}
		}
		s.fail(rows.Err())
	}
}

// cutLines returns what of some lines is after the offset of a query or, backwards, before it, and then in
// reverse order.
func cutLines(lines []app.LogLine, query app.LogQuery) (cut []app.LogLine) {
	for _, line := range lines {
		offset := query.Offset - line.At
		switch {
		case query.Backwards && offset > 0:
			line.Text = line.Text[:min(offset, int64(len(line.Text)))]
			cut = append(cut, line)
		case !query.Backwards && line.End() > query.Offset:
			skipped := max(0, offset)
			line.At += skipped
			line.Text = line.Text[skipped:]
			cut = append(cut, line)
		}
	}
	if query.Backwards {
		slices.Reverse(cut)
	}
	return cut
}

// LogOffsetOf returns the expression for the log offset of the event of a start. runs names the rows of the
// started runs. The first attempt begins at 0, so most starts read no log.
func LogOffsetOf(runs string) string {
	return "CASE WHEN " + runs + ".fencing_token <= 1 THEN 0 ELSE coalesce((SELECT stop FROM run_logs " +
		"WHERE run_id = " + runs + ".id ORDER BY start DESC LIMIT 1), 0) END"
}

const logEndSQL = `SELECT stop FROM run_logs WHERE run_id = $1 ORDER BY start DESC LIMIT 1`

// LogOffset returns the log offset of the event of a transition.
func LogOffset(w Writer, before, after app.ProcessRun) (offset int64, err error) {
	if before.Status != app.Created || after.Status != app.Started {
		return app.UnknownOffset, nil
	}
	if after.FencingToken > 1 {
		_, err = w.Find(&offset, logEndSQL, after.ID)
	}
	return offset, err
}
