package query

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"runboard/app"
)

// The log of a run is stored in parts of some KB. A row for each line would cost more than the line itself,
// and a row for the whole log would be rewritten with every line. line_index holds the length and the stream
// of each line.
const (
	logBounds = `SELECT coalesce((SELECT start FROM run_logs WHERE run_id = ? ORDER BY start LIMIT 1), 0) AS start,
		coalesce((SELECT stop FROM run_logs WHERE run_id = ? ORDER BY start DESC LIMIT 1), 0) AS stop`
	partsAfter = `SELECT start, stop, text, line_index FROM run_logs WHERE run_id = ? AND start >=
		coalesce((SELECT start FROM run_logs WHERE run_id = ? AND start <= ? ORDER BY start DESC LIMIT 1), 0) ORDER BY start`
	partsBefore = `SELECT start, stop, text, line_index FROM run_logs WHERE run_id = ? AND start < ? ORDER BY start DESC`
)

// partSize is the size in bytes up to which a part grows. It is small compared to the limit of a log, so that
// little more than the limit has to be dropped, and large compared to a line.
const partSize = 16 << 10

// partSizeFor returns the part size for a log of at most limit bytes. It is below partSize if that were much
// of the whole log.
func partSizeFor(limit int64) int64 { return min(partSize, max(limit/8, 512)) }

// LogPart is a row of run_logs. Start and Stop are offsets in bytes within the whole log.
type LogPart struct {
	Start     int64  `db:"start"`
	Stop      int64  `db:"stop"`
	Part      int64  `db:"part"` // number of the part within its log, from 0
	Text      string `db:"text"`
	Revisions []byte `db:"line_index"`
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

// Skip returns the last part of a log as if n bytes that are not stored had followed it. The next line then
// begins a new part.
func (p LogPart) Skip(n int64) LogPart {
	if n > 0 {
		p.Stop += n
		p.Start = p.Stop
	}
	return p
}

// Append divides lines into parts after the last part p, and calls write for each. With more set, write must
// extend the stored part with the number and start of part: by its text and its line index, up to its stop.
// Otherwise part is a new row.
//
// Append returns the offset before which the caller drops parts, so that little more than limit bytes are
// left, and nothing before a gap. skipped is ProgressUpdate.Skipped. Append fails only if write fails.
func (p LogPart) Append(lines []app.LogLine, skipped, limit int64, write func(part LogPart, more bool) error) (dropBefore int64, err error) {
	last, size := p.Skip(skipped), partSizeFor(limit)
	if skipped > 0 {
		dropBefore = last.Stop
	}
	for len(lines) > 0 {
		part, room := LogPart{Start: last.Stop, Stop: last.Stop, Part: last.Part + 1}, size
		more := last.Stop > last.Start && size-(last.Stop-last.Start) >= int64(len(lines[0].Text))
		if more {
			part.Start, part.Part, room = last.Start, last.Part, size-(last.Stop-last.Start)
		}
		lines = part.take(lines, room)
		if err := write(part, more); err != nil {
			return 0, err
		}
		last = part
	}
	// The newest part stays, because it says where the log ends.
	return max(dropBefore, min(last.Stop-limit, last.Start)), nil
}

// take adds the first lines, as many as fit into room bytes but at least one, and returns the rest.
func (p *LogPart) take(lines []app.LogLine, room int64) (others []app.LogLine) {
	var text strings.Builder
	n := 0
	for n < len(lines) && (n == 0 || int64(text.Len()+len(lines[n].Text)) <= room) {
		line := lines[n]
		text.WriteString(line.Text)
		p.Revisions = binary.AppendUvarint(p.Revisions, uint64(len(line.Text))<<2|uint64(line.Stream))
		n++
	}
	p.Text = text.String()
	p.Stop += int64(text.Len())
	return lines[n:]
}

// WrittenPart is a stored part of a log after lines were added to it.
type WrittenPart struct {
	Text      string `db:"text"`
	Revisions []byte `db:"line_index"`
	Before    string `db:"before"` // the last characters of the previous part, or "" after a gap
}

// Terms returns the search terms of the part. A word that continues in the next line of the same stream, or
// that began in the previous part, is indexed as a whole. A change of the stream ends a word.
func (p WrittenPart) Terms(run int64) ([]string, error) {
	lines, err := LogPart{Text: p.Text, Revisions: p.Revisions}.lines()
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	if begun := LastWord(p.Before); begun != "" {
		text.WriteString(begun + FirstWord(p.Text) + "\n")
	}
	for i, line := range lines {
		if i > 0 && line.Stream != lines[i-1].Stream {
			text.WriteByte('\n')
		}
		text.WriteString(line.Text)
	}
	return Terms(run, text.String()), nil
}

// lines decodes the lines of the part. It fails if the line index does not fit the text.
func (p LogPart) lines() ([]app.LogLine, error) {
	var lines []app.LogLine
	at, text, marks := p.Start, p.Text, p.Revisions
	for len(marks) > 0 {
		mark, read := binary.Uvarint(marks)
		length := int(mark >> 2)
		if read <= 0 || length <= 0 || length > len(text) {
			break
		}
		lines = append(lines, app.LogLine{At: at, Stream: app.Stream(mark & 3), Text: text[:length]})
		at, text, marks = at+int64(length), text[length:], marks[read:]
	}
	if text != "" || len(marks) > 0 {
		return nil, errors.New("a part of a log is damaged")
	}
	return lines, nil
}

// Log implements app.Store.
func (b *Board) Log(ctx context.Context, query app.LogQuery) (log app.Log, err error) {
	err = b.Read(ctx, func(ctx context.Context, from Reader) error {
		var known bool
		if err := Get(ctx, from, &known, "SELECT EXISTS (SELECT 1 FROM process_runs WHERE id = ?)", query.Run); err != nil {
			return err
		}
		if !known {
			return NotFound(query.Run)
		}
		log, err = readLog(ctx, from, query)
		return err
	})
	return log, err
}

func readLog(ctx context.Context, from Reader, query app.LogQuery) (log app.Log, err error) {
	var bounds LogPart
	if err := Get(ctx, from, &bounds, logBounds, query.Run, query.Run); err != nil {
		return log, err
	}
	log = app.Log{Start: bounds.Start, End: bounds.Stop}
	if query.Backwards {
		log.Lines, err = readBackwards(ctx, from, query)
	} else {
		log.Lines, err = readForwards(ctx, from, query)
	}
	return log, err
}

func readForwards(ctx context.Context, from Reader, query app.LogQuery) (lines []app.LogLine, err error) {
	size := 0
	err = eachPart(ctx, from, func(part []app.LogLine) bool {
		for _, line := range part {
			if line.End() <= query.Offset {
				continue
			}
			if len(lines) > 0 && (size+len(line.Text) > query.Bytes || len(lines) == query.Lines) {
				return false
			}
			if cut := query.Offset - line.At; cut > 0 {
				line.At, line.Text = query.Offset, line.Text[cut:]
			}
			lines, size = append(lines, line), size+len(line.Text)
		}
		return true
	}, partsAfter, query.Run, query.Run, query.Offset)
	return lines, err
}

func readBackwards(ctx context.Context, from Reader, query app.LogQuery) (lines []app.LogLine, err error) {
	size := 0
	err = eachPart(ctx, from, func(part []app.LogLine) bool {
		for _, line := range slices.Backward(part) {
			if line.At >= query.Offset {
				continue
			}
			if len(lines) > 0 && (size+len(line.Text) > query.Bytes || len(lines) == query.Lines) {
				return false
			}
			if beyond := line.End() - query.Offset; beyond > 0 {
				line.Text = line.Text[:int64(len(line.Text))-beyond]
			}
			lines, size = append(lines, line), size+len(line.Text)
		}
		return true
	}, partsBefore, query.Run, query.Offset)
	slices.Reverse(lines)
	return lines, err
}

// eachPart calls f with the lines of each part that the query returns, until f returns false.
func eachPart(ctx context.Context, from Reader, f func([]app.LogLine) bool, text string, args ...any) error {
	var part LogPart
	return each(ctx, from, &part, func() (bool, error) {
		lines, err := part.lines()
		return err == nil && f(lines), err
	}, text, args...)
}
