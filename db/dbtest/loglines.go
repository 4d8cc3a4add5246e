package dbtest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"runboard/app"
)

// testLogNumbers tests the numbers and times of lines.
func testLogNumbers(t *testing.T, subject Subject) {
	t.Helper()
	t.Run("numbers lines in the order in which they begin", func(t *testing.T) {
		f := open(t, subject)
		run := f.in(app.Started)
		f.save(run, app.LogLine{Text: "one\n"}, app.LogLine{Text: "two, "})
		f.save(run, app.LogLine{Stream: app.Stderr, Text: "three\n"}, app.LogLine{Text: "as it goes on"})
		f.save(run, app.LogLine{Text: "\rtwo\n"}, app.LogLine{Text: "four"})
		f.save(run, app.LogLine{Stream: app.ServerLog, Text: "attempt 2\n"}, app.LogLine{Text: "six\n"})
		var numbers []int64
		for _, line := range f.log(whole(run.ID, 0)).Lines {
			numbers = append(numbers, line.Number)
		}
		if want := []int64{1, 2, 3, 2, 2, 4, 5, 6}; !slices.Equal(numbers, want) {
			t.Errorf("the numbers are %v and not %v", numbers, want)
		}
		testLineOffsets(t, f, run)
	})
	t.Run("says when lines were written", func(t *testing.T) {
		f := open(t, subject)
		run := f.in(app.Started)
		var want []time.Time
		for i := range 3 {
			f.clock.Advance(90 * time.Second)
			f.save(run, app.LogLine{Text: fmt.Sprintln(i)}, app.LogLine{Text: fmt.Sprintln(i)})
			want = append(want, f.clock.Now(), f.clock.Now())
		}
		for i, line := range f.log(whole(run.ID, 0)).Lines {
			if !line.Written.Equal(want[i]) || line.Written.Location() != time.UTC {
				t.Errorf("line %d was written at %v and not %v", i, line.Written, want[i])
			}
		}
	})
	t.Run("keeps numbers when the beginning is dropped",
		func(t *testing.T) { testDroppedNumbers(t, subject) })
	t.Run("counts the lines of older versions", func(t *testing.T) { testOldNumbers(t, subject) })
	t.Run("numbers random lines", func(t *testing.T) {
		rapid.Check(t, func(r *rapid.T) { anyNumbers(r, subject) })
	})
}

// save saves lines in one update.
func (f fixture) save(run app.ProcessRun, lines ...app.LogLine) {
	f.Helper()
	f.ok(f.store.SaveProgress(ctx, run, app.ProgressUpdate{Lines: lines}))
}

// testLineOffsets tests the queries for lines of the log of a run with six lines.
func testLineOffsets(t *testing.T, f fixture, run app.ProcessRun) {
	t.Helper()
	for line, want := range map[int64]string{
		1: "one\n", 2: "two, ", 3: "three\n", 4: "four", 5: "attempt 2\n", 6: "six\n",
		7: "", math.MaxInt64: "",
	} {
		query := whole(run.ID, 0)
		query.Line, query.Lines = line, 1
		if got := text(f.log(query).Lines); got != want {
			t.Errorf("line %d begins with %q and not %q", line, got, want)
		}
		query.Context = 2
		if log := f.log(query); want != "" && log.Lines[len(log.Lines)-1].Text != want ||
			len(log.Lines) != min(3, len(log.Lines)) || log.To() <= log.From() {
			t.Errorf("with its context, line %d is %+v", line, log.Lines)
		}
	}
}

// writeLines writes many lines of some bytes, "line 1" and so on.
func (f fixture) writeLines(run app.ProcessRun, first, last int) {
	f.Helper()
	for first <= last {
		var lines []app.LogLine
		for ; first <= last && len(lines) < 100; first++ {
			lines = append(lines, app.LogLine{Text: fmt.Sprintf("line %d, with some words\n", first)})
		}
		f.save(run, lines...)
	}
}

// numbered fails unless the log has the lines from first to last of writeLines, with these numbers, and the
// store finds some of them by their numbers.
func (f fixture) numbered(run app.ProcessRun, first, last int) {
	f.Helper()
	log := f.log(whole(run.ID, 0))
	if first > 0 && int(log.Lines[0].Number) != first {
		f.Fatalf("the first line is %+v", log.Lines[0])
	}
	for _, line := range log.Lines {
		if !strings.HasPrefix(line.Text, fmt.Sprintf("line %d,", line.Number)) {
			f.Fatalf("the number of a line is wrong: %+v", line)
		}
	}
	if n := log.Lines[len(log.Lines)-1].Number; int(n) != last {
		f.Fatalf("the last line is %d", n)
	}
	for _, n := range []int64{1, log.Lines[0].Number, log.Lines[len(log.Lines)/2].Number, int64(last)} {
		found := f.log(app.LogQuery{Run: run.ID, Line: n, Bytes: 1, Lines: 1})
		if want := max(n, log.Lines[0].Number); found.Lines[0].Number != want {
			f.Fatalf("line %d is found as %+v", n, found.Lines)
		}
	}
	queries := []app.LogQuery{{Offset: log.Lines[9].At + 3}, {Offset: log.End, Backwards: true}}
	for _, query := range queries {
		query.Run, query.Bytes, query.Lines = run.ID, 100, 3
		for _, line := range f.log(query).Lines {
			if line.Number == 0 || line.Number != log.Lines[9].Number &&
				!strings.HasPrefix(line.Text, fmt.Sprintf("line %d,", line.Number)) {
				f.Fatalf("the number of a line is wrong: %+v", line)
			}
		}
	}
}

func testDroppedNumbers(t *testing.T, subject Subject) {
	t.Helper()
	f := openWith(t, subject, Settings{LogLimit: 40 << 10, MaxLogBytes: 1})
	run := f.in(app.Started)
	f.writeLines(run, 1, 5000)
	log := f.log(whole(run.ID, 0))
	if log.Start == 0 {
		t.Fatal("nothing was dropped")
	}
	f.numbered(run, int(log.Lines[0].Number), 5000)
	f.ok(f.store.SaveProgress(ctx, run, app.ProgressUpdate{
		Skipped: 2000, SkippedLines: 99, Lines: []app.LogLine{{Text: "line 5100, after a gap"}},
	}))
	f.save(run, app.LogLine{Stream: app.Stderr, Text: "line 5101, at once"})
	// Of the open lines, one ends in the gap and one after it.
	f.ok(f.store.SaveProgress(ctx, run, app.ProgressUpdate{
		Skipped: 50, SkippedLines: 1, Lines: []app.LogLine{{Text: "line 5101, the end of 5100 or 5101\n"}},
	}))
	f.writeLines(run, 5102, 5200)
	f.numbered(run, 5101, 5200)
	f.end(run)
	f.trim(1)
	if log := f.log(whole(run.ID, 0)); len(log.Lines) != 1 || log.Lines[0].Number != 5201 ||
		log.Lines[0].Written.IsZero() {
		t.Errorf("instead of the dropped log there is %+v", log.Lines)
	}
}

func testOldNumbers(t *testing.T, subject Subject) {
	t.Helper()
	const limit = 16 << 20
	f := openWith(t, subject, Settings{LogLimit: limit})
	run, dropped := f.in(app.Started), f.in(app.Started)
	f.writeLines(run, 1, 3000)
	f.ok(f.store.SaveProgress(ctx, dropped, app.ProgressUpdate{
		Skipped: 100, SkippedLines: 10, Lines: []app.LogLine{{Text: "line 11\n"}},
	}))
	subject.Exec(t, f.store, "UPDATE run_logs SET first_line = 0")
	f.numbered(run, 1, 3000)
	f.writeLines(run, 3001, 4000)
	f.numbered(run, 1, 4000)
	query := whole(dropped.ID, 0)
	for _, query.Line = range []int64{0, 11} { // how many lines were dropped is not known
		if log := f.log(query); query.Line == 0 && (len(log.Lines) != 1 || log.Lines[0].Number != 0) ||
			query.Line > 0 && len(log.Lines) > 0 {
			t.Errorf("the log without its beginning is %+v", log)
		}
	}
}

// anyNumbers writes random lines, parts of lines and gaps, and compares what is kept with a model.
func anyNumbers(t *rapid.T, subject Subject) {
	limit := rapid.SampledFrom([]int64{4 << 10, 20 << 10, 1 << 20}).Draw(t, "limit")
	f := openWith(t, subject, Settings{LogLimit: limit})
	run := f.in(app.Started)
	model := &logModel{open: map[app.Stream]int64{}}
	for i := range rapid.IntRange(1, 12).Draw(t, "reports") {
		f.clock.Advance(time.Second)
		update := app.ProgressUpdate{Lines: anyLines(t, i)}
		if rapid.IntRange(0, 4).Draw(t, "gap") == 0 {
			lost := anyLines(t, i)
			for j, line := range lost { // what is lost of an attempt has no lines of the server
				lost[j].Stream = min(line.Stream, app.Stderr)
				update.Skipped += int64(len(line.Text))
				update.SkippedLines += int64(strings.Count(line.Text, "\n"))
			}
			model.skip(update.Skipped, update.SkippedLines)
		}
		f.ok(f.store.SaveProgress(ctx, run, update))
		model.add(update.Lines, f.clock.Now())
	}
	kept := f.log(whole(run.ID, 0))
	isFirst := func(l app.LogLine) bool { return l.At == kept.Start }
	want := model.lines[slices.IndexFunc(model.lines, isFirst):]
	if !slices.Equal(kept.Lines, want) {
		t.Fatalf("the lines are\n%+v and not\n%+v", kept.Lines, want)
	}
	number := rapid.Int64Range(1, model.begun+2).Draw(t, "number")
	found := f.log(app.LogQuery{Run: run.ID, Line: number, Bytes: 1, Lines: 1}).Lines
	first := slices.IndexFunc(want, func(l app.LogLine) bool { return l.Number >= number })
	if first < 0 != (len(found) == 0) || first >= 0 && found[0] != want[first] {
		t.Fatalf("line %d is found as %+v", number, found)
	}
}

// logModel is the log that a store should have without a limit.
type logModel struct {
	lines []app.LogLine
	end   int64
	begun int64
	open  map[app.Stream]int64
}

func (m *logModel) add(lines []app.LogLine, at time.Time) {
	for _, line := range lines {
		if line.Stream == app.ServerLog {
			clear(m.open)
		}
		if m.open[line.Stream] == 0 {
			m.begun++
			m.open[line.Stream] = m.begun
		}
		line.At, line.Number, line.Written = m.end, m.open[line.Stream], at
		m.end = line.End()
		m.lines = append(m.lines, line)
		if strings.HasSuffix(line.Text, "\n") {
			delete(m.open, line.Stream)
		}
	}
}

func (m *logModel) skip(bytes, newlines int64) {
	m.end += bytes
	m.begun += newlines - int64(len(m.open))
	clear(m.open)
	m.lines = nil
}
