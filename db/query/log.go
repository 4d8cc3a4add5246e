package query

import (
	"context"
	"iter"
	"slices"

	"runboard/app"
)

const (
	logBoundsSQL = `SELECT start, first_line,
			(SELECT stop FROM run_logs WHERE run_id = ? ORDER BY start DESC LIMIT 1) AS stop
		FROM run_logs WHERE run_id = ? ORDER BY start LIMIT 1`
	partsFromSQL = `SELECT start, stop, text, line_index, first_line FROM run_logs
		WHERE run_id = ? AND start >= coalesce(
			(SELECT start FROM run_logs WHERE run_id = ? AND start <= ? ORDER BY start DESC LIMIT 1), 0)
		ORDER BY start`
	partsBeforeSQL = `SELECT start, stop, text, line_index, first_line FROM run_logs
		WHERE run_id = ? AND start < ? ORDER BY start DESC`
	partAtSQL = `SELECT start, first_line FROM run_logs
		WHERE run_id = ? AND start <= ? ORDER BY start DESC LIMIT 1`
)

// maxCounted is the offset up to which lines of a log are counted that an older version of the program wrote
// without numbers. Counting takes a few milliseconds. Later lines have no numbers.
const maxCounted = 4 << 20

// Log implements app.Store.
func (r *Reader) Log(ctx context.Context, query app.LogQuery) (log app.Log, err error) {
	err = r.read(ctx, func(s *snapshot) {
		if s.requireRun(query.Run) {
			log = s.log(query)
		}
	})
	return log, err
}

// requireRun reports whether a run exists, and fails if it does not.
func (s *snapshot) requireRun(run int64) bool {
	var exists bool
	s.get(&exists, "SELECT EXISTS (SELECT 1 FROM process_runs WHERE id = ?)", run)
	if !exists {
		s.fail(NotFound(run))
	}
	return exists
}

// log returns the part of a log that a query asks for.
func (s *snapshot) log(query app.LogQuery) app.Log {
	reader := s.openLog(query.Run)
	if query.Line > 0 {
		query.Offset = reader.offsetOf(query.Line)
	}
	log := app.Log{Start: reader.bounds.Start, End: reader.bounds.Stop, Lines: reader.linesOf(query)}
	if query.Context > 0 && !query.Backwards {
		before := query
		before.Backwards, before.Lines = true, query.Context
		log.Lines = append(reader.linesOf(before), log.Lines...)
	}
	return log
}

// logReader reads the log of a run.
type logReader struct {
	*snapshot
	run     int64
	bounds  LogPart             // from the beginning of the first part to the end of the last one
	counted map[int64]lineCount // how many lines begin before a part that does not know, by its start
}

// openLog returns a reader of a run's log.
func (s *snapshot) openLog(run int64) *logReader {
	r := &logReader{snapshot: s, run: run}
	found := s.get(&r.bounds, logBoundsSQL, run, run)
	if found && r.bounds.FirstLine == 0 && r.bounds.Start == 0 {
		r.countOld()
	}
	return r
}

// countOld counts the lines of the parts that an older version of the program wrote, up to maxCounted.
func (r *logReader) countOld() {
	counted := map[int64]lineCount{}
	var count lineCount
	for part := range r.parts(app.LogQuery{}) {
		if part.FirstLine > 0 || part.Start > maxCounted {
			break
		}
		counted[part.Start] = count
		var err error
		if _, count, err = part.lines(count); err != nil {
			r.fail(err)
			return
		}
	}
	r.counted = counted
}

// offsetOf returns the offset at which a line begins. Without it, it returns that of the first line after it
// or, if there is none, the end of the log.
func (r *logReader) offsetOf(line int64) int64 {
	for l := range r.lines(app.LogQuery{Offset: r.partOf(line)}) {
		switch {
		case l.Number >= line:
			return l.At
		case l.Number == 0: // so the others have no number either
			return r.bounds.Stop
		}
	}
	return r.bounds.Stop
}

// partOf returns the start of the part in which a line begins. The numbers rise with the offsets, but there
// is no index of them, which every write would have to change; halving the offsets takes at most 31 steps.
func (r *logReader) partOf(line int64) int64 {
	start := r.bounds.Start
	low, high := start, r.bounds.Stop
	for low < high && r.err == nil {
		middle := low + (high-low+1)/2
		var part LogPart
		r.get(&part, partAtSQL, r.run, middle)
		if r.countBefore(part).begun < line {
			low, start = middle, part.Start
		} else {
			high = part.Start - 1
		}
	}
	return start
}

// countBefore returns how many lines have begun before a part.
func (r *logReader) countBefore(part LogPart) lineCount {
	if count, counted := r.counted[part.Start]; counted {
		return count
	}
	return part.countBefore()
}

// linesOf returns the lines of a query in their order, as many as its limits allow, but at least one.
func (r *logReader) linesOf(query app.LogQuery) (lines []app.LogLine) {
	bytes := 0
	for line := range r.lines(query) {
		full := bytes+len(line.Text) > query.Bytes || len(lines) == query.Lines
		if full && len(lines) > 0 {
			break
		}
		lines = append(lines, line)
		bytes += len(line.Text)
	}
	if query.Backwards {
		slices.Reverse(lines)
	}
	return lines
}

// lines returns the lines after the offset of a query or, backwards, before it. It cuts the line that the
// offset is in.
func (r *logReader) lines(query app.LogQuery) iter.Seq[app.LogLine] {
	return func(yield func(app.LogLine) bool) {
		for part := range r.parts(query) {
			lines, _, err := part.lines(r.countBefore(part))
			r.fail(err)
			if r.err != nil {
				return
			}
			for _, line := range cutLines(lines, query) {
				if !yield(line) {
					return
				}
			}
		}
	}
}

// parts returns the parts of the log from the one that has the offset of a query or, backwards, from the one
// before the offset. It reads a part only when it is needed: a log may have a gigabyte.
func (r *logReader) parts(query app.LogQuery) iter.Seq[LogPart] {
	statement, args := partsFromSQL, []any{r.run, r.run, query.Offset}
	if query.Backwards {
		statement, args = partsBeforeSQL, []any{r.run, query.Offset}
	}
	return func(yield func(LogPart) bool) {
		if r.err != nil {
			return
		}
		rows, err := r.q.QueryxContext(r.ctx, r.q.Rebind(statement), args...)
		if err != nil {
			r.fail(err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var part LogPart
			r.fail(rows.StructScan(&part))
			if r.err != nil || !yield(part) {
				return
			}
		}
		r.fail(rows.Err())
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
