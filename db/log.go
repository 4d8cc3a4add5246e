package db

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"runboard/app"
)

const (
	isClaimed = `SELECT EXISTS (SELECT 1 FROM process_runs WHERE id = ? AND status = 1 AND claim = ?)`

	lastPart   = `SELECT start, stop, part FROM run_logs WHERE run_id = ? ORDER BY start DESC LIMIT 1`
	addPart    = `INSERT INTO run_logs (run_id, start, stop, part, text, marks) VALUES (?, ?, ?, ?, ?, ?)`
	extendPart = `UPDATE run_logs SET stop = ?1, text = text || ?2, marks = CAST(marks || ?3 AS BLOB) WHERE run_id = ?4 AND start = ?5
		RETURNING text`
	dropParts = `DELETE FROM run_logs WHERE run_id = ? AND start < ? RETURNING part`

	partAfterSome = `SELECT start FROM run_logs WHERE run_id = ? ORDER BY start LIMIT 1 OFFSET ?`

	logBounds = `SELECT ifnull((SELECT start FROM run_logs WHERE run_id = ?1 ORDER BY start LIMIT 1), 0) AS start,
		ifnull((SELECT stop FROM run_logs WHERE run_id = ?1 ORDER BY start DESC LIMIT 1), 0) AS stop`
	partsAfter = `SELECT start, stop, text, marks FROM run_logs WHERE run_id = ?1 AND start >=
		ifnull((SELECT start FROM run_logs WHERE run_id = ?1 AND start <= ?2 ORDER BY start DESC LIMIT 1), 0) ORDER BY start`
	partsBefore = `SELECT start, stop, text, marks FROM run_logs WHERE run_id = ?1 AND start < ?2 ORDER BY start DESC`
)

// partSize is the size in bytes up to which a part grows. It is small beside the limit of a log, so that
// little more than the limit has to be dropped; and large beside a line.
const partSize = 16 << 10

// logPart is a row of run_logs.
type logPart struct {
	Start int64  `db:"start"`
	Stop  int64  `db:"stop"`
	Part  int64  `db:"part"`
	Text  string `db:"text"`
	Marks []byte `db:"marks"`
}

// Report implements app.Backlog. It is not an event: there would be too many.
func (s *Store) Report(ctx context.Context, run app.ProcessRun, report app.Report) error {
	for _, line := range report.Lines {
		if len(line.Text) == 0 || len(line.Text) > app.MaxLine {
			return fmt.Errorf("a line of %d bytes in the log of run %d", len(line.Text), run.ID)
		}
	}
	return s.writer.do(ctx, func(tx *transaction) error {
		mine, err := tx.claimed(run, report.Progress)
		if err == nil && !mine {
			return conflict(run)
		}
		if err == nil && len(report.Lines) > 0 {
			err = tx.appendLog(run.ID, report.Lines, s.options.LogLimit)
		}
		tx.changed = tx.changed || err == nil
		return err
	})
}

// claimed reports whether the run is still this one's to report on, and if so writes down its progress.
func (tx *transaction) claimed(run app.ProcessRun, progress *app.Progress) (mine bool, err error) {
	if progress == nil {
		_, err = tx.find(tx.isClaimed, &mine, run.ID, run.Claim)
		return mine, err
	}
	return tx.changesOne(tx.report, int64(progress.Percent), clean(progress.Message), tx.now.UnixMilli(), run.ID, run.Claim)
}

// appendLog adds lines to the end of a run's log, and drops what is then more than limit bytes from its end.
func (tx *transaction) appendLog(run int64, lines []app.LogLine, limit int64) error {
	last := logPart{Part: -1}
	if _, err := tx.find(tx.lastPart, &last, run); err != nil {
		return err
	}
	size := partSizeFor(limit)
	for len(lines) > 0 {
		part := logPart{Start: last.Stop, Stop: last.Stop}
		room := size - (last.Stop - last.Start)
		extending := last.Stop > last.Start && room >= int64(len(lines[0].Text))
		if !extending {
			room = size
		}
		lines = part.take(lines, room)
		if err := tx.writePart(run, &last, part, extending); err != nil {
			return err
		}
	}
	// The newest part stays, so that where the log ends is known.
	return tx.dropLog(run, min(last.Stop-limit, last.Start))
}

// dropLog drops the parts of a run's log that begin before an offset.
func (tx *transaction) dropLog(run, offset int64) error {
	var dropped []int64
	if err := tx.dropParts.Select(&dropped, run, offset); err != nil {
		return err
	}
	for _, part := range dropped {
		if err := tx.unindex(partRow(run, part)); err != nil {
			return err
		}
	}
	return nil
}

// someParts is how many parts of a log are dropped before the time is looked at: finding each of them in the index of
// texts takes a millisecond or more.
const someParts = 4

// shorten drops parts of a run's log, the oldest first, until there are few left or it is too late. It reports whether
// there are few left.
func (tx *transaction) shorten(run int64, until time.Time) (short bool, err error) {
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

// partSizeFor is smaller than partSize where that would be much of the whole log.
func partSizeFor(limit int64) int64 { return min(partSize, max(limit/8, 512)) }

// take adds lines, at least one and as many as fit into room bytes, and returns the others.
func (p *logPart) take(lines []app.LogLine, room int64) (others []app.LogLine) {
	var text strings.Builder
	n := 0
	for n < len(lines) && (n == 0 || int64(text.Len()+len(lines[n].Text)) <= room) {
		line := lines[n]
		text.WriteString(line.Text)
		p.Marks = binary.AppendUvarint(p.Marks, uint64(len(line.Text))<<2|uint64(line.Stream))
		n++
	}
	p.Text = text.String()
	p.Stop += int64(text.Len())
	return lines[n:]
}

// writePart writes a part, by itself or at the end of the last one, and makes it the last one.
func (tx *transaction) writePart(run int64, last *logPart, part logPart, extending bool) error {
	text := part.Text
	if extending {
		last.Stop = part.Stop
		if _, err := tx.find(tx.extendPart, &text, part.Stop, part.Text, part.Marks, run, last.Start); err != nil {
			return err
		}
	} else {
		last.Start, last.Stop, last.Part = part.Start, part.Stop, last.Part+1
		if err := tx.exec(tx.addPart, run, part.Start, part.Stop, last.Part, part.Text, part.Marks); err != nil {
			return err
		}
	}
	return tx.index(partRow(run, last.Part), text)
}

// lines are the lines of the part.
func (p logPart) lines() ([]app.LogLine, error) {
	var lines []app.LogLine
	at, text, marks := p.Start, p.Text, p.Marks
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
func (s *Store) Log(ctx context.Context, query app.LogQuery) (log app.Log, err error) {
	err = s.read(ctx, func(ctx context.Context, tx *sqlx.Tx) error {
		var known bool
		if err := tx.GetContext(ctx, &known, "SELECT EXISTS (SELECT 1 FROM process_runs WHERE id = ?)", query.Run); err != nil {
			return err
		}
		if !known {
			return notFound(query.Run)
		}
		log, err = readLog(ctx, tx, query)
		return err
	})
	return log, err
}

func readLog(ctx context.Context, tx *sqlx.Tx, query app.LogQuery) (log app.Log, err error) {
	var bounds logPart
	if err := tx.GetContext(ctx, &bounds, logBounds, query.Run); err != nil {
		return log, err
	}
	log = app.Log{Start: bounds.Start, End: bounds.Stop}
	if query.Backwards {
		log.Lines, err = readBackwards(ctx, tx, query)
	} else {
		log.Lines, err = readForwards(ctx, tx, query)
	}
	return log, err
}

func readForwards(ctx context.Context, tx *sqlx.Tx, query app.LogQuery) (lines []app.LogLine, err error) {
	size := 0
	err = eachPart(ctx, tx, partsAfter, query, func(part []app.LogLine) bool {
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
	})
	return lines, err
}

func readBackwards(ctx context.Context, tx *sqlx.Tx, query app.LogQuery) (lines []app.LogLine, err error) {
	size := 0
	err = eachPart(ctx, tx, partsBefore, query, func(part []app.LogLine) bool {
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
	})
	slices.Reverse(lines)
	return lines, err
}

// eachPart calls f with the lines of each part that a text selects, until f returns false.
func eachPart(ctx context.Context, tx *sqlx.Tx, text string, query app.LogQuery, f func([]app.LogLine) bool) error {
	rows, err := tx.QueryxContext(ctx, text, query.Run, query.Offset)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var part logPart
		if err := rows.StructScan(&part); err != nil {
			return err
		}
		lines, err := part.lines()
		if err != nil {
			return err
		}
		if !f(lines) {
			break
		}
	}
	return rows.Err()
}
