package app

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
)

// LogReader reads parts of logs. Every Store is one.
type LogReader interface {
	Log(ctx context.Context, query LogQuery) (Log, error)
}

const (
	// logLinesRead is about how many bytes of a log are read at a time.
	logLinesRead = 256 << 10
	// maxWholeLine is the length in bytes from which a line is cut in two.
	maxWholeLine = 64 << 10
)

// LogLines reads the lines of a log one after the other. Unlike those of a Log, they are whole and have no
// line end and no codes of styles.
type LogLines struct {
	reader LogReader
	run    int64
	// Start is the offset of the oldest byte that is kept, At that of the next one to read, and End that
	// after the newest one. They are known after the first line.
	Start, At, End int64

	parts []LogLine
	open  map[Stream]LogLine // begun, but not ended
	begun bool
}

// NewLogLines returns the lines of the log of a run.
func NewLogLines(reader LogReader, run int64) *LogLines {
	return &LogLines{reader: reader, run: run, open: map[Stream]LogLine{}}
}

// Next returns the next line, or false at the end of the log.
func (l *LogLines) Next(ctx context.Context) (line LogLine, more bool, err error) {
	for {
		if len(l.parts) == 0 {
			if l.begun && l.At >= l.End {
				line, more = l.unended()
				return line, more, nil
			}
			if err := l.read(ctx); err != nil {
				return LogLine{}, false, err
			}
			continue
		}
		part := l.parts[0]
		if part.Stream == ServerLog { // a new attempt does not continue lines of the previous one
			if line, more := l.unended(); more {
				return line, true, nil
			}
		}
		l.parts = l.parts[1:]
		if line, whole := l.join(part); whole {
			return line, true, nil
		}
	}
}

// read reads the next parts.
func (l *LogLines) read(ctx context.Context) error {
	log, err := l.reader.Log(ctx, LogQuery{Run: l.run, Offset: l.At, Bytes: logLinesRead, Lines: math.MaxInt})
	if err != nil {
		return err
	}
	if !l.begun {
		l.begun, l.Start, l.At, l.End = true, log.Start, log.Start, log.End
	}
	l.parts = log.Lines
	l.At = log.To()
	if len(log.Lines) == 0 {
		l.At = l.End
	}
	return nil
}

// join adds a part to its line, and returns the line if it is whole.
func (l *LogLines) join(part LogLine) (line LogLine, whole bool) {
	text, ended := strings.CutSuffix(PlainText(part.Text), "\n")
	line, continues := l.open[part.Stream]
	if !continues {
		line = part
		line.Text = ""
	}
	if rest, replaces := strings.CutPrefix(text, "\r"); replaces {
		line.Text, text = "", rest
	}
	line.Text += text
	if ended || len(line.Text) > maxWholeLine {
		delete(l.open, part.Stream)
		return line, true
	}
	l.open[part.Stream] = line
	return LogLine{}, false
}

// unended returns the first of the lines that have not ended.
func (l *LogLines) unended() (LogLine, bool) {
	if len(l.open) == 0 {
		return LogLine{}, false
	}
	lines := make([]LogLine, 0, len(l.open))
	for _, line := range l.open {
		lines = append(lines, line)
	}
	first := slices.MinFunc(lines, func(a, b LogLine) int { return cmp.Compare(a.At, b.At) })
	delete(l.open, first.Stream)
	return first, true
}
