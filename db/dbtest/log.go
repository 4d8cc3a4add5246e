package dbtest

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"runboard/app"
)

func (f fixture) log(query app.LogQuery) app.Log {
	f.Helper()
	log, err := f.store.Log(ctx, query)
	f.ok(err)
	return log
}

// whole returns the query for all of a log from an offset on.
func whole(run, offset int64) app.LogQuery {
	return app.LogQuery{Run: run, Offset: offset, Bytes: math.MaxInt, Lines: math.MaxInt}
}

func text(lines []app.LogLine) string {
	var out strings.Builder
	for _, line := range lines {
		out.WriteString(line.Text)
	}
	return out.String()
}

// testLog tests the logs of runs.
func testLog(t *testing.T, subject Subject) {
	testLogLines(t, subject)
	testLogParts(t, subject)
	testLogNumbers(t, subject)
	testLogSearch(t, subject)
}

// testLogLines tests how lines are written.
func testLogLines(t *testing.T, subject Subject) {
	t.Helper()
	t.Run("returns the written lines with their offsets", func(t *testing.T) {
		f := open(t, subject)
		run := f.in(app.Started)
		written := []app.LogLine{
			{Stream: app.Stdout, Text: "one\n"}, {Stream: app.Stderr, Text: "zwölf\n"},
			{Stream: app.ServerLog, Text: "\n"}, {Text: "no end"},
		}
		f.ok(f.store.SaveProgress(ctx, run, app.ProgressUpdate{Lines: written[:1]}))
		f.ok(f.store.SaveProgress(ctx, run, app.ProgressUpdate{Lines: written[1:]}))
		log := f.log(whole(run.ID, 0))
		if log.Start != 0 || log.End != 18 || len(log.Lines) != 4 {
			t.Fatalf("the log is %+v", log)
		}
		for i, at := range []int64{0, 4, 11, 12} {
			want := written[i]
			want.At, want.Number, want.Written = at, int64(i+1), f.clock.Now()
			if log.Lines[i] != want {
				t.Errorf("line %d is %+v and not %+v", i, log.Lines[i], want)
			}
		}
		if page, err := f.store.Run(ctx, run.ID); err != nil || text(page.Log.Lines) != text(written) {
			t.Errorf("the run's page has %+v: %v", page.Log, err)
		}
	})
	t.Run("notifies of a line without changing the run", func(t *testing.T) {
		f := open(t, subject)
		run := f.in(app.Started)
		notified, stop := f.store.(app.Store).Changed().Subscribe()
		defer stop()
		f.changesNothing(func() {
			f.ok(f.store.SaveProgress(ctx, run, app.ProgressUpdate{Lines: []app.LogLine{{Text: "x\n"}}}))
		})
		select {
		case <-notified:
		default:
			t.Error("subscribers were not notified")
		}
	})
	testLogOfAttempts(t, subject)
}

// testLogOfAttempts tests who may write to a log, and when.
func testLogOfAttempts(t *testing.T, subject Subject) {
	t.Helper()
	t.Run("refuses lines of a worker that lost the run", func(t *testing.T) {
		f := open(t, subject)
		run := f.in(app.Started)
		f.ok(f.store.Requeue(ctx, run))
		f.refused(f.store.SaveProgress(ctx, run,
			app.ProgressUpdate{Lines: []app.LogLine{{Text: "too late\n"}}}), app.CodeConflict)
		again := f.start(f.get(run.ID))
		for _, report := range []app.ProgressUpdate{{}, {Progress: &app.Progress{Percent: 5}}} {
			report.Lines = []app.LogLine{{Text: "late\n"}}
			f.refused(f.store.SaveProgress(ctx, run, report), app.CodeConflict)
		}
		f.ok(f.store.SaveProgress(ctx, again, app.ProgressUpdate{Lines: []app.LogLine{{Text: "in time\n"}}}))
		if log := f.log(whole(run.ID, 0)); text(log.Lines) != "in time\n" {
			t.Errorf("the log is %+v", log)
		}
	})
	t.Run("continues the log of a run over its attempts", func(t *testing.T) {
		f := open(t, subject)
		run, other := f.in(app.Started), f.in(app.Started)
		f.ok(f.store.SaveProgress(ctx, run, app.ProgressUpdate{Lines: []app.LogLine{{Text: "first\n"}}}))
		f.ok(f.store.SaveProgress(ctx, other, app.ProgressUpdate{Lines: []app.LogLine{{Text: "other\n"}}}))
		f.finish(run, app.Outcome{Status: app.Failed, Error: "It did not work."})
		retried, err := f.store.Retry(ctx, run.ID)
		f.ok(err)
		f.ok(f.store.SaveProgress(ctx, f.start(retried),
			app.ProgressUpdate{Lines: []app.LogLine{{Text: "second\n"}}}))
		if log := f.log(whole(run.ID, 0)); text(log.Lines) != "first\nsecond\n" {
			t.Errorf("the log is %+v", log)
		}
	})
}

// testLogParts tests which part of a log is kept, and how it is reported.
func testLogParts(t *testing.T, subject Subject) {
	t.Helper()
	t.Run("drops the beginning of a long log", func(t *testing.T) {
		const limit = 40 << 10
		f := openWith(t, subject, Settings{LogLimit: limit})
		run := f.in(app.Started)
		for i := range 50 {
			lines := make([]app.LogLine, 30)
			for j := range lines {
				lines[j].Text = fmt.Sprintf("line %3d of report %3d, with some words\n", j, i)
			}
			f.ok(f.store.SaveProgress(ctx, run, app.ProgressUpdate{Lines: lines}))
		}
		log := f.log(whole(run.ID, 0))
		if kept := log.End - log.Start; log.End < limit || kept > limit || kept < limit*3/4 ||
			log.From() != log.Start {
			t.Errorf("of %d bytes, %d are kept, from offset %d", log.End, kept, log.From())
		}
		if page, err := f.store.Run(ctx, run.ID); err != nil || len(page.Log.Lines) != app.TailLines ||
			page.Log.To() != log.End {
			t.Errorf("the run's page has %d lines: %v", len(page.Log.Lines), err)
		}
	})
	t.Run("counts skipped bytes and drops what precedes them", func(t *testing.T) {
		f := openWith(t, subject, Settings{LogLimit: 40 << 10})
		run := f.in(app.Started)
		lines := func(text ...string) (lines []app.LogLine) {
			for _, line := range text {
				lines = append(lines, app.LogLine{Text: line + "\n"})
			}
			return lines
		}
		f.ok(f.store.SaveProgress(ctx, run, app.ProgressUpdate{Lines: lines("before")}))
		f.ok(f.store.SaveProgress(ctx, run, app.ProgressUpdate{Skipped: 1000,
			Lines: lines("after", "the gap")}))
		f.ok(f.store.SaveProgress(ctx, run, app.ProgressUpdate{Lines: lines("end")}))
		log := f.log(whole(run.ID, 0))
		if got := text(log.Lines); got != "after\nthe gap\nend\n" || log.Start != 1007 ||
			log.From() != log.Start || log.End != log.Start+18 {
			t.Errorf("the log is %+v", log)
		}
		if later := f.log(whole(run.ID, 1013)); text(later.Lines) != "the gap\nend\n" {
			t.Errorf("the log from the middle is %+v", later)
		}
	})
	testRevisions(t, subject)
}

// testRevisions tests the revisions of runs, and random logs.
func testRevisions(t *testing.T, subject Subject) {
	t.Helper()
	t.Run("a change or a line changes the revision", func(t *testing.T) {
		f := open(t, subject)
		run, other := f.in(app.Started), f.in(app.Failed)
		check := func(want app.Revision) {
			t.Helper()
			revisions, err := f.store.Revisions(ctx, []int64{run.ID, other.ID, other.ID + 1})
			f.ok(err)
			if revisions[run.ID] != want || revisions[other.ID] != (app.Revision{Version: 3}) ||
				len(revisions) != 2 {
				t.Errorf("the revisions are %v", revisions)
			}
			if page, err := f.store.Run(ctx, run.ID); err != nil || page.Revision() != want {
				t.Errorf("the revision of its page is %v: %v", page.Revision(), err)
			}
		}
		check(app.Revision{Version: 2})
		f.ok(f.store.SaveProgress(ctx, run, app.ProgressUpdate{Lines: []app.LogLine{{Text: "one\n"}}}))
		check(app.Revision{Version: 2, LogEnd: 4})
		f.ok(f.store.SaveProgress(ctx, run, app.ProgressUpdate{Progress: &app.Progress{Percent: 1}}))
		check(app.Revision{Version: 3, LogEnd: 4})
		if revisions, err := f.store.Revisions(ctx, nil); err != nil || len(revisions) != 0 {
			t.Errorf("without ids the revisions are %v: %v", revisions, err)
		}
	})
	t.Run("a missing run has no log", func(t *testing.T) {
		f := open(t, subject)
		_, err := f.store.Log(ctx, whole(1, 0))
		f.refused(err, app.CodeNotFound)
	})
	t.Run("returns random parts of random logs",
		func(t *testing.T) { rapid.Check(t, func(r *rapid.T) { anyLog(r, subject) }) })
}

// anyLog writes random lines to a log and to a string, and compares random parts of both.
func anyLog(t *rapid.T, subject Subject) {
	limit := rapid.SampledFrom([]int64{4 << 10, 20 << 10, 1 << 20}).Draw(t, "limit")
	f := openWith(t, subject, Settings{LogLimit: limit})
	run := f.in(app.Started)
	var written strings.Builder
	for i := range rapid.IntRange(1, 12).Draw(t, "reports") {
		lines := anyLines(t, i)
		f.ok(f.store.SaveProgress(ctx, run, app.ProgressUpdate{Lines: lines}))
		written.WriteString(text(lines))
		checkPart(t, f, run.ID, written.String(), limit)
	}
}

func anyLines(r *rapid.T, report int) []app.LogLine {
	lines := make([]app.LogLine, rapid.IntRange(1, 40).Draw(r, "lines"))
	for i := range lines {
		length := rapid.SampledFrom([]int{0, 1, 20, 300, app.MaxLine - 20}).Draw(r, "length")
		lines[i].Text = fmt.Sprintf("%d/%d %s", report, i, strings.Repeat("é", length/2))
		if rapid.Bool().Draw(r, "ended") {
			lines[i].Text += "\n"
		}
		streams := []app.Stream{app.Stdout, app.Stderr, app.ServerLog}
		lines[i].Stream = rapid.SampledFrom(streams).Draw(r, "stream")
	}
	return lines
}

// checkPart reads forwards and backwards from a random offset, and compares the lines with the written text.
func checkPart(r *rapid.T, f fixture, run int64, written string, limit int64) {
	offset := rapid.Int64Range(0, int64(len(written))+10).Draw(r, "offset")
	query := app.LogQuery{Run: run, Offset: offset, Bytes: rapid.IntRange(1, 30<<10).Draw(r, "bytes"),
		Lines: rapid.IntRange(1, 50).Draw(r, "most")}
	for _, query.Backwards = range []bool{false, true} {
		log := f.log(query)
		switch {
		case log.End != int64(len(written)):
			r.Fatalf("the log ends at %d and not at %d", log.End, len(written))
		case log.End-log.Start > max(limit, app.MaxLine) || log.Start > 0 &&
			log.End-log.Start < limit/2-app.MaxLine:
			r.Fatalf("of %d bytes, with a limit of %d, there are left those from %d", log.End, limit,
				log.Start)
		case len(log.Lines) > query.Lines, len(log.Lines) > 1 && len(text(log.Lines)) > query.Bytes:
			r.Fatalf("asked for %d lines and %d bytes, it returns %d and %d", query.Lines, query.Bytes,
				len(log.Lines), len(text(log.Lines)))
		}
		from, to := max(offset, log.Start), min(offset, log.End)
		at := log.From()
		switch {
		case len(log.Lines) == 0 && query.Backwards && to > log.Start, len(log.Lines) == 0 &&
			!query.Backwards && from < log.End:
			r.Fatalf("it returns nothing of %d to %d at %d", log.Start, log.End, offset)
		case len(log.Lines) == 0:
			continue
		case !query.Backwards && at != from, query.Backwards && log.To() != to:
			r.Fatalf("asked for %+v, it returns %d to %d", query, at, log.To())
		}
		for _, line := range log.Lines {
			if line.At != at || line.Text == "" || line.Text != written[at:line.End()] {
				r.Fatalf("at %d there is %q", at, line.Text)
			}
			at = line.End()
		}
	}
}
