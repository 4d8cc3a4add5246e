package query

import "runboard/app"

// QueuedSQL returns the query for when runs were last queued again. Its argument is the JSONArray of their
// ids.
func (d Dialect) QueuedSQL() string {
	return SQL("SELECT run_id, max(at) AS at FROM run_events WHERE run_id IN " + d.IntArray +
		" AND status = :created GROUP BY run_id")
}

// fillQueued sets QueuedAt of the runs that were queued again and wait no longer. It reads the history of
// these runs, which has at most app.MaxEvents entries each.
func (s *snapshot) fillQueued(runs []app.ProcessRun) {
	var ids []int64
	for _, run := range runs {
		if run.WasQueuedAgain() {
			ids = append(ids, run.ID)
		}
	}
	if len(ids) == 0 {
		return
	}
	var found []struct {
		Run int64 `db:"run_id"`
		At  int64 `db:"at"`
	}
	s.all(&found, s.dialect.QueuedSQL(), JSONArray(ids))
	queued := map[int64]int64{}
	for _, row := range found {
		queued[row.Run] = row.At
	}
	for i, run := range runs {
		runs[i].QueuedAt = FromMillis(queued[run.ID])
	}
}
