package query

import (
	"context"

	"runboard/app"
)

const (
	// timelineScan is how many entries of the index by end are looked at on each side of the end of a window.
	timelineScan = 2000
	// timelineFiltered is how many of the newest runs of a filter are looked at.
	timelineFiltered = 400
	// timelineEvents is how many events of runs with several attempts are read.
	timelineEvents = 2000
)

// Timeline implements app.Store. Runs have the attempts of their history; those of runs that wait again are
// not found. Without a filter, neither are runs that end after the window and after timelineScan others.
func (r *Reader) Timeline(ctx context.Context, query app.TimelineQuery) (timeline app.Timeline, err error) {
	err = r.read(ctx, func(s *snapshot) {
		overview := s.overview()
		t := &timelineReader{snapshot: s}
		t.Query, t.Overview = query, overview
		t.From, t.Until, t.Live = query.Window(r.db.Now(), overview.Counts[app.Started] == 0)
		t.Workers = s.workers(overview.Counts).Count
		t.fill()
		timeline = t.Timeline
	})
	return timeline, err
}

// timelineReader reads a timeline.
type timelineReader struct {
	*snapshot
	app.Timeline
}

// fill reads the runs in the window or, if there are too many, numbers of them.
func (t *timelineReader) fill() {
	var finished, running []app.ProcessRun
	var more bool
	if t.Query.Filter == (app.Filter{}) {
		running = t.startedRuns()
		finished, more = t.finishedRuns()
	} else {
		finished, running, more = t.filteredRuns()
	}
	more = more || len(finished)+len(running) > app.MaxBars
	if more && t.fillBins() {
		finished = nil
	}
	t.Cut = more && !t.Binned() || len(running) > app.MaxBars
	running = running[:min(len(running), app.MaxBars)]
	finished = finished[:min(len(finished), app.MaxBars-len(running))]
	t.fillBars(append(running, finished...))
}

// startedRuns returns the newest started runs of the window, and one more than fit.
func (t *timelineReader) startedRuns() []app.ProcessRun {
	scan := t.dialect.scanStatus(app.Started).and("started_at < ?", t.Until.UnixMilli())
	return t.readRuns(scan.RunsSQL(false), scan.Args(allIDs, app.MaxBars+1)...)
}

// EndedSQL returns the query for the runs that finished at or after one time and before another, the last
// ones first. Its arguments are the times in milliseconds, and a limit.
func (d Dialect) EndedSQL() string {
	return "SELECT id, started_at FROM " + d.runsBy("process_runs_by_end") + `
		WHERE finished_at <> 0 AND finished_at >= ? AND finished_at < ? ORDER BY finished_at DESC LIMIT ?`
}

// EndedLaterSQL returns the query for the runs that were running at a time and have finished. Its arguments
// are the time in milliseconds, how many of the runs that finished first after it are looked at, the time
// again, and a limit.
func (d Dialect) EndedLaterSQL() string {
	return "SELECT id FROM (SELECT id, started_at FROM " + d.runsBy("process_runs_by_end") + `
			WHERE finished_at <> 0 AND finished_at >= ? ORDER BY finished_at LIMIT ?) AS later
		WHERE started_at > 0 AND started_at < ? LIMIT ?`
}

// finishedRuns returns the runs that ran in the window and have finished, those that finished in it first,
// and whether there are more.
func (t *timelineReader) finishedRuns() (runs []app.ProcessRun, more bool) {
	ids, more := t.endedInWindow()
	if !more && !t.Live {
		var later []int64
		until := t.Until.UnixMilli()
		t.all(&later, t.dialect.EndedLaterSQL(), until, timelineScan, until, app.MaxBars+1)
		ids = append(ids, later...)
	}
	more = more || len(ids) > app.MaxBars
	return t.readRuns(t.dialect.RunsByIDSQL(), JSONArray(ids[:min(len(ids), app.MaxBars)])), more
}

// endedInWindow returns the runs that finished in the window, the last one first, and whether there are more.
// It omits runs that never started, of which there may be a million: they are cancelled at once.
func (t *timelineReader) endedInWindow() (ids []int64, more bool) {
	for _, limit := range []int{app.MaxBars + 1, timelineScan} {
		var ended []struct {
			ID        int64 `db:"id"`
			StartedAt int64 `db:"started_at"`
		}
		t.all(&ended, t.dialect.EndedSQL(), t.From.UnixMilli(), t.Until.UnixMilli(), limit)
		ids = ids[:0]
		for _, run := range ended {
			if run.StartedAt > 0 {
				ids = append(ids, run.ID)
			}
		}
		more = len(ended) == limit
		if !more || len(ids) > app.MaxBars {
			break
		}
	}
	return ids, more
}

// filteredRuns returns the newest runs of the filter that ran in the window: those that have finished, those
// that have not, and whether there are more.
func (t *timelineReader) filteredRuns() (finished, running []app.ProcessRun, more bool) {
	before := allIDs.Before
	if !t.Live {
		before = after(t.firstIDSince(t.Until.UnixMilli() + minSlack.Milliseconds()))
	}
	list := t.list(t.Query.Filter, app.Started, app.Completed, app.Failed, app.Cancelled)
	newest, _ := list.runs(IDRange{Before: before}, false, timelineFiltered)
	for _, run := range newest {
		switch {
		case run.StartedAt.IsZero() || !run.StartedAt.Before(t.Until):
		case run.Status == app.Started:
			running = append(running, run)
		case !run.FinishedAt.Before(t.From):
			finished = append(finished, run)
		}
	}
	if n := len(newest); n == timelineFiltered {
		oldest := newest[n-1]
		more = oldest.Status == app.Started || !oldest.FinishedAt.Before(t.From)
	}
	return finished, running, more
}

// timelineBinsSQL returns the number of runs that finished, by bin and kind. Its arguments are the length of
// a bin and of a step, the window, all in milliseconds, and a kind twice, or "" for all.
const timelineBinsSQL = `SELECT bin, kind, CAST(sum(completed) AS bigint) AS completed,
		CAST(sum(failed) AS bigint) AS failed, CAST(sum(cancelled) AS bigint) AS cancelled
	FROM (SELECT at / ? AS bin, kind, completed, failed, cancelled FROM rollups
		WHERE step = ? AND at >= ? AND at < ? AND (kind = ? OR '' = ?)) AS ended
	GROUP BY bin, kind ORDER BY bin, kind`

// fillBins reads the bins of the window, and reports whether there are any: the stored statistics may no
// longer cover it.
func (t *timelineReader) fillBins() bool {
	bin, step := t.Query.BinStep()
	if t.From.Before(t.db.Now().Add(-keptFor(step))) {
		return false
	}
	var found []struct {
		Bin  int64
		Kind string
		app.Counters
	}
	millis := bin.Milliseconds()
	from := t.From.Truncate(bin).UnixMilli()
	kind := t.Query.Filter.Kind
	t.all(&found, timelineBinsSQL, millis, step.Milliseconds(), from, t.Until.UnixMilli(), kind, kind)
	for _, row := range found {
		one := app.TimelineBin{At: FromMillis(row.Bin * millis), Kind: row.Kind, Counters: row.Counters}
		if one.Counters = one.OfStatus(t.Query.Filter); one.Finished() > 0 {
			t.Bins = append(t.Bins, one)
		}
	}
	if t.Binned() {
		t.Bin = bin
	}
	return t.Binned()
}

// fillBars adds the attempts of runs to the timeline.
func (t *timelineReader) fillBars(runs []app.ProcessRun) {
	histories := t.histories(runs)
	for _, run := range runs {
		t.AddBars(run.Bars(histories[run.ID]))
	}
	if n := len(t.Bars); n > app.MaxBars {
		t.Bars, t.Cut = t.Bars[n-app.MaxBars:], true
	}
}

// historiesSQL returns the query for the history of runs. Its arguments are the JSONArray of their ids and a
// limit.
func (d Dialect) historiesSQL() string {
	return "SELECT run_id, " + eventColumns + " FROM run_events WHERE run_id IN " + d.IntArray +
		" ORDER BY run_id DESC, version LIMIT ?"
}

// histories returns the history of those runs whose attempts it tells.
func (t *timelineReader) histories(runs []app.ProcessRun) map[int64][]app.Event {
	var ids []int64
	for _, run := range runs {
		if run.NeedsHistory() {
			ids = append(ids, run.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var found []struct {
		eventRow
		Run int64 `db:"run_id"`
	}
	t.all(&found, t.dialect.historiesSQL(), JSONArray(ids), timelineEvents)
	histories := map[int64][]app.Event{}
	for _, row := range found {
		histories[row.Run] = append(histories[row.Run], row.app())
	}
	return histories
}
