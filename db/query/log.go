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

func (s *snapshot) log(query app.LogQuery) app.Log {
	var bounds LogPart
	s.get(&bounds, logBoundsSQL, query.Run, query.Run)
	found := excerpt{query: query}
	if query.Backwards {
		found.addBackwards(s)
	} else {
		found.addForwards(s)
	}
	return app.Log{Start: bounds.Start, End: bounds.Stop, Lines: found.lines}
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

// addForwards adds the lines from the offset on.
func (e *excerpt) addForwards(s *snapshot) {
	offset := e.query.Offset
	for line := range s.logLines(false, partsFromSQL, e.query.Run, e.query.Run, offset) {
		if line.End() <= offset {
			continue
		}
		if cut := offset - line.At; cut > 0 {
			line.At, line.Text = offset, line.Text[cut:]
		}
		if !e.add(line) {
			return
		}
	}
}

// addBackwards adds the lines before the offset.
func (e *excerpt) addBackwards(s *snapshot) {
	offset := e.query.Offset
	for line := range s.logLines(true, partsBeforeSQL, e.query.Run, offset) {
		if line.At >= offset {
			continue
		}
		if cut := line.End() - offset; cut > 0 {
			line.Text = line.Text[:int64(len(line.Text))-cut]
		}
		if !e.add(line) {
			break
		}
	}
	slices.Reverse(e.lines)
}

// logLines returns the lines of the parts that a query finds. It reads a part only when it is needed: a log may
// have a gigabyte.
func (s *snapshot) logLines(backwards bool, statement string, args ...any) iter.Seq[app.LogLine] {
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
			if s.fail(err); s.err != nil {
				return
			}
			if backwards {
				slices.Reverse(lines)
			}
			for _, line := range lines {
				if !yield(line) {
					return
				}
			}
		}
		s.fail(rows.Err())
	}
}
