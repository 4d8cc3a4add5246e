package dbtest

import (
	"strings"
	"testing"
	"time"

	"runboard/app"
)

// writeLog adds about this many bytes to the log of a started run.
func (f fixture) writeLog(run app.ProcessRun, bytes int) {
	f.Helper()
	const line = 1 << 10
	for ; bytes > 0; bytes -= line {
		f.ok(f.store.SaveProgress(ctx, run,
			app.ProgressUpdate{Lines: []app.LogLine{{Text: strings.Repeat("x", min(bytes, line)-1) + "\n"}}}))
	}
}

// ended returns a run with this many bytes of log that finishes a second after the previous one.
func (f fixture) ended(bytes int) app.ProcessRun {
	f.Helper()
	run := f.in(app.Started)
	f.writeLog(run, bytes)
	return f.end(run)
}

func (f fixture) end(run app.ProcessRun) app.ProcessRun {
	f.Helper()
	f.clock.Advance(time.Second)
	return f.finish(run, app.Outcome{Status: app.Failed, Error: "It did not work."})
}

// trim calls TrimLogs and fails unless it drops this number of logs.
func (f fixture) trim(want int) {
	f.Helper()
	if n, err := f.store.TrimLogs(ctx); err != nil || n != want {
		f.Fatalf("%d logs were dropped and not %d: %v", n, want, err)
	}
}

// kept fails unless the logs of these runs are whole or, if want is false, dropped and marked as such.
func (f fixture) kept(want bool, runs ...app.ProcessRun) {
	f.Helper()
	for _, run := range runs {
		log := f.log(whole(run.ID, 0))
		dropped := strings.Contains(text(log.Lines), "dropped to make room")
		if dropped == want || want && log.Start != 0 || !want && len(log.Lines) != 1 {
			f.Fatalf("the log of run %d goes from %d to %d and has %d lines", run.ID, log.Start, log.End,
				len(log.Lines))
		}
	}
}

// logSize is the size in bytes of a log of several parts.
const logSize = 40 << 10

// testTrimLogs tests the limit for all logs together.
func testTrimLogs(t *testing.T, subject Subject) {
	t.Run("drops the logs of the runs that finished first", func(t *testing.T) {
		f := openWith(t, subject, Settings{MaxLogBytes: 5 * logSize})
		works, late := f.in(app.Started), f.in(app.Started)
		f.writeLog(works, logSize)
		f.writeLog(late, logSize)
		a, b, c := f.ended(logSize), f.ended(logSize), f.ended(logSize)
		f.trim(0)
		f.kept(true, works, late, a, b, c)
		f.end(late) // finishes later, although created first
		d := f.ended(logSize + logSize/2)
		f.trim(2)
		f.kept(false, a, b)
		f.kept(true, works, late, c, d)
		f.trim(0)
		if log := f.log(whole(a.ID, 0)); log.Start != logSize || log.End <= logSize ||
			log.Lines[0].Stream != app.ServerLog {
			f.Fatalf("the log that is dropped is %+v", log)
		}
		if run := f.get(a.ID); run != a {
			f.Fatalf("the run itself has become %+v", run)
		}
	})
	t.Run("keeps the log of a started run", func(t *testing.T) {
		f := openWith(t, subject, Settings{MaxLogBytes: logSize})
		works := f.in(app.Started)
		f.writeLog(works, 3*logSize)
		f.trim(0)
		f.kept(true, works)
		f.end(works)
		f.trim(1)
		f.kept(false, works)
	})
	t.Run("continues a dropped log after a retry", func(t *testing.T) {
		f := openWith(t, subject, Settings{MaxLogBytes: logSize})
		run := f.ended(2 * logSize)
		f.trim(1)
		end := f.log(whole(run.ID, 0)).End
		again, err := f.store.Retry(ctx, run.ID)
		f.ok(err)
		again = f.start(again)
		f.writeLog(again, 2*logSize)
		f.trim(0)
		if log := f.log(whole(run.ID, end)); log.Start != 2*logSize || log.End != end+2*logSize ||
			len(text(log.Lines)) != 2*logSize {
			f.Fatalf("the log goes from %d to %d and has %d lines", log.Start, log.End, len(log.Lines))
		}
		f.end(again)
		f.trim(1)
	})
	testTrimLogsLimit(t, subject)
}

// testTrimLogsLimit tests what counts for the limit.
func testTrimLogsLimit(t *testing.T, subject Subject) {
	t.Helper()
	t.Run("does not count deleted and trimmed parts", func(t *testing.T) {
		f := openWith(t, subject, Settings{MaxLogBytes: 3 * logSize, LogLimit: logSize})
		a, b := f.ended(10*logSize), f.ended(10*logSize)
		f.trim(0)
		f.ok(f.store.Delete(ctx, a.ID))
		c := f.ended(10 * logSize)
		f.trim(0)
		if len(f.log(whole(b.ID, 0)).Lines) < 2 || len(f.log(whole(c.ID, 0)).Lines) < 2 {
			f.Fatalf("a log is dropped although there is room")
		}
	})
	t.Run("drops a short log without a note", func(t *testing.T) {
		f := openWith(t, subject, Settings{MaxLogBytes: 15})
		a, b := f.ended(10), f.ended(10)
		f.trim(1)
		if log := f.log(whole(a.ID, 0)); len(log.Lines) != 0 {
			f.Fatalf("the log that is dropped is %+v", log)
		}
		f.kept(true, b)
	})
	t.Run("keeps all logs without a limit", func(t *testing.T) {
		f := open(t, subject)
		a := f.ended(logSize)
		f.trim(0)
		f.kept(true, a)
	})
	testTrimLogsAfterCrash(t, subject)
}

func testTrimLogsAfterCrash(t *testing.T, subject Subject) {
	t.Helper()
	if subject.Reopen == nil {
		return
	}
	t.Run("keeps the sizes after a crash", func(t *testing.T) {
		f := openWith(t, subject, Settings{MaxLogBytes: 2 * logSize})
		a, works := f.ended(logSize), f.in(app.Started)
		f.writeLog(works, logSize)
		f.store = subject.Reopen(t, f.store)
		f.trim(0)
		works = f.start(works)
		f.writeLog(works, 1<<10)
		f.trim(1)
		f.kept(false, a)
		f.kept(true, works)
	})
}
