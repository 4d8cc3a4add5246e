package app

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// fakeLogs are the logs of runs, by their ids. They are read in parts of a few lines.
type fakeLogs map[int64][]LogLine

func (f fakeLogs) Log(_ context.Context, query LogQuery) (Log, error) {
	lines := f[query.Run]
	if len(lines) == 0 {
		return Log{}, nil
	}
	log := Log{Start: lines[0].At, End: lines[len(lines)-1].End()}
	for _, line := range lines {
		if line.At >= query.Offset && len(log.Lines) < 3 {
			log.Lines = append(log.Lines, line)
		}
	}
	return log, nil
}

// logOf returns the lines of a log on standard output that begins at an offset.
func logOf(start int64, texts ...string) (lines []LogLine) {
	for _, text := range texts {
		lines = append(lines, LogLine{At: start, Text: text})
		start += int64(len(text))
	}
	return lines
}

// numbered returns lines with their number in each.
func numbered(n int, format string) (texts []string) {
	for i := range n {
		texts = append(texts, fmt.Sprintf(format+"\n", i))
	}
	return texts
}

func texts(lines []LogLine) string {
	var all []string
	for _, line := range lines {
		all = append(all, line.Text)
	}
	return strings.Join(all, "|")
}

func TestLogLines_AreWhole(t *testing.T) {
	t.Parallel()
	logs := fakeLogs{1: {
		{At: 10, Text: "one\n"}, {At: 14, Text: "tw"}, {At: 16, Stream: Stderr, Text: "err"},
		{At: 19, Text: "o\n"}, {At: 21, Stream: Stderr, Text: "or\n"}, {At: 24, Text: "50 %"},
		{At: 28, Text: "\r100 %\n"}, {At: 35, Text: "\n"}, {At: 36, Text: "end"},
	}}
	lines := NewLogLines(logs, 1)
	var got []LogLine
	for {
		line, more, err := lines.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			break
		}
		got = append(got, line)
	}
	if all := texts(got); all != "one|two|error|100 %||end" {
		t.Errorf("the lines are %q", all)
	}
	if got[1].At != 14 || got[2].Stream != Stderr || got[5].At != 36 || lines.Start != 10 || lines.End != 39 {
		t.Errorf("the lines are %+v of %+v", got, lines)
	}
}

// A crash of the server leaves lines without an end.
func TestLogLines_EndWithTheAttempt(t *testing.T) {
	t.Parallel()
	logs := fakeLogs{1: {
		{At: 0, Text: "half"}, {At: 4, Stream: Stderr, Text: "bad"},
		{At: 7, Stream: ServerLog, Text: "attempt 2\n"}, {At: 17, Text: "whole\n"},
	}}
	lines := NewLogLines(logs, 1)
	var got []LogLine
	for line, more, err := lines.Next(t.Context()); more; line, more, err = lines.Next(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, line)
	}
	if all := texts(got); all != "half|bad|attempt 2|whole" {
		t.Errorf("the lines are %q", all)
	}
}

func TestLogLines_HaveNoStyles(t *testing.T) {
	t.Parallel()
	lines := NewLogLines(fakeLogs{1: logOf(0, "\x1b[31mdisk\x1b[m fu", "\x1b[1mll\x1b[m\n")}, 1)
	if line, more, err := lines.Next(t.Context()); err != nil || !more || line.Text != "disk full" {
		t.Errorf("the line is %+v, %v, %v", line, more, err)
	}
}

func TestLogLines_CutOneWithoutAnEnd(t *testing.T) {
	t.Parallel()
	endless := strings.Repeat("x", MaxLine)
	var parts []string
	for range 3 * maxWholeLine / MaxLine {
		parts = append(parts, endless)
	}
	lines := NewLogLines(fakeLogs{1: logOf(0, parts...)}, 1)
	total := 0
	for {
		line, more, err := lines.Next(t.Context())
		if err != nil || len(line.Text) > maxWholeLine+MaxLine {
			t.Fatalf("a line has %d bytes: %v", len(line.Text), err)
		}
		if !more {
			break
		}
		total += len(line.Text)
	}
	if total != 3*maxWholeLine {
		t.Errorf("the lines have %d bytes in all", total)
	}
}

func compare(t *testing.T, left, right []LogLine) LogComparison {
	t.Helper()
	result, err := CompareLogs(t.Context(), fakeLogs{1: left, 2: right}, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestCompareLogs_FindsTheFirstLineThatDiffers(t *testing.T) {
	t.Parallel()
	left := logOf(0, append(numbered(20, "12:00:%02d item 4711 of /tmp/a"), "disk full\n", "giving up\n")...)
	right := logOf(0, append(numbered(20, "13:07:%02d item 9 of /var/tmp/b"), "done in 3 s\n")...)
	got := compare(t, left, right)
	if got.Alike != 20 || got.Same() || got.Stopped || got.Bytes != left[20].At {
		t.Errorf("%d lines with %d bytes are alike", got.Alike, got.Bytes)
	}
	if texts(got.Left.Lines) != "disk full|giving up" || texts(got.Right.Lines) != "done in 3 s" {
		t.Errorf("then come %q and %q", texts(got.Left.Lines), texts(got.Right.Lines))
	}
	if n := len(got.Left.Before); n != compareBefore || got.Left.Before[n-1].At != left[19].At ||
		got.Right.Before[0].At != right[17].At {
		t.Errorf("before come %+v and %+v", got.Left.Before, got.Right.Before)
	}
}

func TestCompareLogs_KnowsAlikeAndEmptyLogs(t *testing.T) {
	t.Parallel()
	some := logOf(0, "one\n", "two 2\n")
	empty := ComparedLog{Empty: true}
	for name, test := range map[string]struct {
		left, right []LogLine
		want        LogComparison
	}{
		"both empty":   {nil, nil, LogComparison{Left: empty, Right: empty}},
		"both alike":   {some, logOf(0, "one\n", "two 7"), LogComparison{Alike: 2, Bytes: 10}},
		"left empty":   {nil, some, LogComparison{Left: empty}},
		"right empty":  {some, nil, LogComparison{Right: empty}},
		"left shorter": {some[:1], some, LogComparison{Alike: 1, Bytes: 4}},
		"first part of left dropped": {logOf(500, "one\n"), some[:1],
			LogComparison{Alike: 1, Bytes: 4, Left: ComparedLog{Dropped: true}}},
	} {
		got := compare(t, test.left, test.right)
		if got.Alike != test.want.Alike || got.Bytes != test.want.Bytes || got.Stopped ||
			got.Left.Empty != test.want.Left.Empty || got.Right.Empty != test.want.Right.Empty ||
			got.Left.Dropped != test.want.Left.Dropped || got.Right.Dropped {
			t.Errorf("%s: %+v", name, got)
		}
		if same := len(test.left) == len(test.right); got.Same() != same {
			t.Errorf("%s: same is %t", name, got.Same())
		}
	}
}

func TestCompareLogs_IsBounded(t *testing.T) {
	t.Parallel()
	result, err := CompareLogs(t.Context(), endlessLogs{}, 1, 1)
	if err != nil || !result.Stopped || result.Alike == 0 || result.Same() || len(result.Left.Lines) > 0 {
		t.Errorf("of endless logs %d lines are alike, stopped: %t: %v", result.Alike, result.Stopped, err)
	}
	if result.Bytes > compareBytes+2*logLinesRead {
		t.Errorf("it reads %d bytes", result.Bytes)
	}
	result, err = CompareLogs(t.Context(), endlessLogs{}, 1, 2)
	if err != nil || len(result.Left.Lines) > compareLines || !result.Left.More || !result.Right.More ||
		len(result.Right.Lines) > compareLines {
		t.Errorf("after the difference it reads %d lines: %v", len(result.Left.Lines), err)
	}
}

// endlessLogs are logs of a terabyte. Those of different runs differ from the first line on.
type endlessLogs struct{}

func (endlessLogs) Log(_ context.Context, query LogQuery) (Log, error) {
	log := Log{End: 1 << 40}
	text := strings.Repeat(string(rune('a'+query.Run)), 1023) + "\n"
	for at := query.Offset; at < query.Offset+int64(query.Bytes); at += int64(len(text)) {
		log.Lines = append(log.Lines, LogLine{At: at, Text: text})
	}
	return log, nil
}

func TestCompareLogs_ReturnsErrors(t *testing.T) {
	t.Parallel()
	failure := Errorf(CodeNotFound, "There is no such run.")
	for missing := range int64(2) {
		_, err := CompareLogs(t.Context(), missingLog{missing + 1, failure}, 1, 2)
		if CodeOf(err) != CodeNotFound {
			t.Errorf("without log %d: %v", missing+1, err)
		}
	}
}

type missingLog struct {
	run int64
	err error
}

func (m missingLog) Log(_ context.Context, query LogQuery) (Log, error) {
	if query.Run == m.run {
		return Log{}, m.err
	}
	return Log{}, nil
}
