package query

import (
	"fmt"
	"strings"
	"time"

	"runboard/app"
)

// partSize is the size in bytes up to which a part of a log grows. It is small compared to the limit of a
// log, so that little more than the limit has to be dropped, and large compared to a line.
const partSize = 16 << 10

// partSizeFor returns the part size for a log of at most limit bytes. It is below partSize if that were much
// of the whole log.
func partSizeFor(limit int64) int64 { return min(partSize, max(limit/8, 512)) }

// LogPart is a row of run_logs. The log of a run is stored in parts of some KB: a row for each line would
// cost more than the line itself, and a row for the whole log would be rewritten with every line.
type LogPart struct {
	Start     int64  `db:"start"` // offset in bytes within the whole log
	Stop      int64  `db:"stop"`
	Part      int64  `db:"part"` // number of the part within its log, from 0
	Text      string `db:"text"`
	LineIndex []byte `db:"line_index"` // see addLine
	FirstLine int64  `db:"first_line"` // number of the first line that begins in the part; 0: not known
}

// NoPart stands for the last part of an empty log.
var NoPart = LogPart{Part: -1}

// CheckLines fails if a line is empty or longer than app.MaxLine. Such lines are a fault of the caller.
func CheckLines(run int64, lines []app.LogLine) error {
	for _, line := range lines {
		if len(line.Text) == 0 || len(line.Text) > app.MaxLine {
			return fmt.Errorf("a line of %d bytes in the log of run %d", len(line.Text), run)
		}
	}
	return nil
}

// NewPart is text to store: in a new row or, if Extends is true, at the end of the row with its Start. Text
// and LineIndex are then what to append, up to Stop.
type NewPart struct {
	LogPart
	Extends bool
}

// Append divides lines, which were written at a time, into parts after the last part p of a log. The parts do
// not know the numbers of their lines yet.
//
// It also returns the offset before which the caller drops parts, so that little more than limit bytes are
// left, and nothing before a gap. skipped is ProgressUpdate.Skipped: so many bytes before the lines are lost.
func (p LogPart) Append(
	lines []app.LogLine, at time.Time, skipped, limit int64,
) (parts []NewPart, dropBefore int64) {
	last, size := p, partSizeFor(limit)
	if skipped > 0 { // the next line begins a new part
		last.Stop += skipped
		last.Start = last.Stop
		dropBefore = last.Stop
	}
	for len(lines) > 0 {
		part := NewPart{LogPart: LogPart{Start: last.Stop, Stop: last.Stop, Part: last.Part + 1}}
		room := size
		left := size - (last.Stop - last.Start)
		if last.Stop > last.Start && left >= int64(len(lines[0].Text)) {
			part.Extends, part.Start, part.Part, room = true, last.Start, last.Part, left
		}
		lines = part.take(lines, at, room)
		parts = append(parts, part)
		last = part.LogPart
	}
	// The newest part stays, because it says where the log ends.
	return parts, max(dropBefore, min(last.Stop-limit, last.Start))
}

// take adds the first lines, as many as fit into room bytes but at least one, and returns the rest.
func (p *LogPart) take(lines []app.LogLine, at time.Time, room int64) (rest []app.LogLine) {
	var text strings.Builder
	p.LineIndex = addTime(p.LineIndex, at)
	n := 0
	for n < len(lines) && (n == 0 || int64(text.Len()+len(lines[n].Text)) <= room) {
		text.WriteString(lines[n].Text)
		p.LineIndex = addLine(p.LineIndex, lines[n])
		n++
	}
	p.Text = text.String()
	p.Stop += int64(text.Len())
	return lines[n:]
}

// numberLines sets the number of the first line in those parts that are new rows. count has the lines before
// the first part.
func numberLines(parts []NewPart, count lineCount) error {
	for i := range parts {
		part := &parts[i]
		if !part.Extends {
			part.FirstLine = count.begun + 1
			part.LineIndex = append(count.addOpen(nil), part.LineIndex...)
		}
		var err error
		if _, count, err = part.lines(count); err != nil {
			return err
		}
	}
	return nil
}

// WrittenPart is a stored part of a log after lines were added to it.
type WrittenPart struct {
	Text      string `db:"text"`
	LineIndex []byte `db:"line_index"`
	Before    string `db:"before"` // the last characters of the previous part, or "" after a gap
}

// Terms returns the search terms of the part. A word that continues in the next line of the same stream, or
// that began in the previous part, is indexed as a whole. A change of the stream ends a word.
func (p WrittenPart) Terms(run int64) ([]string, error) {
	lines, _, err := LogPart{Text: p.Text, LineIndex: p.LineIndex}.lines(unknownCount)
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	if begun := LastWord(app.PlainText(p.Before)); begun != "" {
		text.WriteString(begun + FirstWord(app.PlainText(p.Text)) + "\n")
	}
	for i, line := range lines {
		if i > 0 && line.Stream != lines[i-1].Stream {
			text.WriteByte('\n')
		}
		text.WriteString(app.PlainText(line.Text))
	}
	return Terms(run, text.String()), nil
}

const trimmedText = "The log was dropped to make room for newer ones.\n"

// TrimmedPart returns the part that replaces a dropped log whose last part was p. It says that the log was
// dropped at a time, and preserves where the log ends. count has the lines of the log. It returns false if
// the log is not longer than this text.
func (p LogPart) TrimmedPart(count lineCount, at time.Time) (part NewPart, worth bool) {
	if p.Stop <= int64(len(trimmedText)) {
		return NewPart{}, false
	}
	part = NewPart{LogPart: LogPart{
		Start: p.Stop, Stop: p.Stop, Part: p.Part + 1, FirstLine: count.begun + 1,
	}}
	part.take([]app.LogLine{{Stream: app.ServerLog, Text: trimmedText}}, at, partSize)
	return part, true
}

const (
	lastPartSQL = `SELECT start, stop, part FROM run_logs WHERE run_id = $1 ORDER BY start DESC LIMIT 1`
	contentSQL  = `SELECT start, stop, part, text, line_index, first_line FROM run_logs
		WHERE run_id = $1 ORDER BY start DESC LIMIT 1`
	addPartSQL = `INSERT INTO run_logs (run_id, start, stop, part, text, line_index, first_line)
		VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING ` + WrittenColumns
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

// AppendLog appends the lines of an update, which was made at a time, to the log of a run, and deletes its
// oldest parts beyond limit bytes.
func AppendLog(w Writer, run app.ProcessRun, update app.ProgressUpdate, at time.Time, limit int64) error {
	last := NoPart
	if _, err := w.Find(&last, lastPartSQL, run.ID); err != nil {
		return err
	}
	parts, dropBefore := last.Append(update.Lines, at, update.Skipped, limit)
	if len(parts) > 1 || len(parts) == 1 && !parts[0].Extends { // numbers of lines are needed
		count, err := countLines(w, run.ID)
		if err != nil {
			return err
		}
		if update.Skipped > 0 {
			count.skip(update.SkippedLines)
		}
		if err := numberLines(parts, count); err != nil {
			return err
		}
	}
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

// countLines returns how many lines the log of a run has. It reads the last part, which lastPartSQL does not:
// most updates only extend that part.
func countLines(w Writer, run int64) (lineCount, error) {
	var last LogPart
	found, err := w.Find(&last, contentSQL, run)
	if err != nil || !found {
		return lineCount{}, err
	}
	_, count, err := last.lines(last.countBefore())
	return count, err
}

// writePart inserts a part of a log or extends a stored one, and indexes its terms.
func writePart(w Writer, run app.ProcessRun, part NewPart) (err error) {
	var written WrittenPart
	if part.Extends {
		_, err = w.Find(&written, extendPartSQL, part.Stop, part.Text, part.LineIndex, run.ID, part.Start)
	} else {
		_, err = w.Find(&written, addPartSQL,
			run.ID, part.Start, part.Stop, part.Part, part.Text, part.LineIndex, part.FirstLine)
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
