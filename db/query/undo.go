package query

import (
	"context"
	"fmt"

	"runboard/app"
)

// UndoBulk implements app.Store.
func (b *BulkActions) UndoBulk(
	ctx context.Context, bulkRun int64, key string,
) (run app.ProcessRun, kept int64, err error) {
	var ids []int64
	err = b.reader.read(forLong(ctx), func(s *snapshot) { ids, kept = s.undoable(bulkRun) })
	if err != nil {
		return run, 0, err
	}
	if len(ids) == 0 {
		const text = "Nothing can be undone: the runs that run #%d cancelled were running, or changed since."
		return run, kept, app.Errorf(app.CodeConflict, text, bulkRun)
	}
	action := app.BulkAction{Operation: app.BulkRetry, IDs: ids, Undo: bulkRun}
	run, err = b.CreateBulkAction(ctx, action, key)
	return run, kept, err
}

// undoable returns the runs that a bulk run cancelled before they were started and that have not changed
// since, and the number of the other runs that it changed.
func (s *snapshot) undoable(bulkRun int64) (ids []int64, others int64) {
	var row bulkRow
	var created int64
	if !s.get(&row, bulkRowSQL, bulkRun) || !s.get(&created, createdAtSQL, bulkRun) {
		s.fail(NotFound(bulkRun))
		return nil, 0
	}
	progress, err := row.progress()
	s.fail(err)
	switch {
	case progress.Operation != app.BulkCancel:
		s.fail(app.Errorf(app.CodeConflict, "Only cancellations can be undone."))
	case progress.Done > app.MaxUndone:
		const text = "Too many runs to undo: at most %d can be undone."
		s.fail(app.Errorf(app.CodeConflict, text, app.MaxUndone))
	}
	for _, run := range s.candidates(progress.BulkAction, created) {
		if s.err == nil && s.undoes(bulkRun, run) {
			ids = append(ids, run.ID)
		}
	}
	return ids, progress.Done - int64(len(ids))
}

const createdAtSQL = "SELECT created_at FROM process_runs WHERE id = ?"

// candidates returns the cancelled runs that a bulk action may have cancelled since a time in milliseconds.
// For a filter, it looks at enteredLimit of the newest runs.
func (s *snapshot) candidates(action app.BulkAction, since int64) []app.ProcessRun {
	if len(action.IDs) > 0 {
		return s.readRuns(s.dialect.RunsByIDSQL(), JSONArray(action.IDs))
	}
	action.Filter.Filtered = false // it may be for the runs that were created
	l := s.bulkList(action, app.Cancelled)
	if l.walks() {
		l.require("finished_at >= ?", since)
		runs, _ := l.runs(allIDs, false, app.MaxUndone)
		return runs
	}
	var runs []app.ProcessRun
	for _, scan := range l.scans {
		statement := fmt.Sprintf("SELECT %s FROM (%s) AS process_runs WHERE finished_at >= ? "+
			"ORDER BY id DESC LIMIT ?", Columns, scan.RunsSQL(false))
		args := append(scan.Args(l.all, enteredLimit), since, app.MaxUndone)
		runs = append(runs, s.readRuns(statement, args...)...)
	}
	return runs
}

// undoes reports whether a run is as a bulk run left it when it cancelled it.
func (s *snapshot) undoes(bulkRun int64, run app.ProcessRun) bool {
	is, err := Undoes(s.ctx, s.q, app.BulkAction{Undo: bulkRun}, run)
	s.fail(err)
	return is
}

// Undoes reports whether a run is as the bulk run that the action undoes left it. It is true for other
// actions.
func Undoes(ctx context.Context, q Queryer, action app.BulkAction, run app.ProcessRun) (is bool, err error) {
	if action.Undo == 0 {
		return true, nil
	}
	const statement = "SELECT EXISTS (SELECT 1 FROM run_events WHERE run_id = ? AND version = ? AND note = ?)"
	err = Get(ctx, q, &is, statement, run.ID, run.Version, app.NoteCancelledBy(action.Undo))
	return is && run.Status == app.Cancelled, err
}

// CheckVersion fails with CodeConflict if a run to undo has another version than after its cancellation.
func CheckVersion(run app.ProcessRun, version int64) error {
	if run.Version == version && run.Status == app.Cancelled {
		return nil
	}
	const text = "Run #%d has changed since: its cancellation cannot be undone."
	return app.Errorf(app.CodeConflict, text, run.ID)
}
