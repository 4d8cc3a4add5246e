package sqlite

import (
	"context"
	"math"
	"time"

	"runboard/app"
	"runboard/db/query"
)

// keepsLog has the log of a run stay, or what was put in its place.
const keepsLog = `UPDATE log_sizes SET finished_at = 0 WHERE run_id = ?`

// TrimLogs drops the logs of the runs that finished first, until all logs together are as small as they must be or ctx
// ends. It returns how many it dropped.
func (s *Store) TrimLogs(ctx context.Context) (int, error) {
	dropped, _, err := s.Board.TrimLogs(long(ctx), s.options.MaxLogBytes, s.dropLogs)
	return dropped, err
}

// trimLogs trims the logs when something has been written to one, or had to wait for runs to finish.
func (s *Store) trimLogs(ctx context.Context) {
	if !s.logged.Swap(false) {
		return
	}
	n, over, err := s.Board.TrimLogs(long(ctx), s.options.MaxLogBytes, s.dropLogs)
	if over || err != nil {
		s.logged.Store(true) // the next time tries again
	}
	if err != nil && ctx.Err() == nil {
		s.options.Log.Error("old logs cannot be dropped", "error", err)
	} else if n > 0 {
		s.options.Log.Info("old logs were dropped: all together had more than --max-log-bytes", "runs", n)
	}
}

// dropLogs implements rows.DropLogs.
func (s *Store) dropLogs(ctx context.Context, runs []int64) (dropped int, left []int64, err error) {
	// The results are the writer's until do succeeds: it may begin anew.
	err = s.writer.do(ctx, func(tx *transaction) error {
		dropped, left = 0, runs
		for until := time.Now().Add(pruneTime); len(left) > 0 && time.Now().Before(until); left = left[1:] {
			unfinished, err := tx.trimLog(left[0], until)
			if err != nil || unfinished {
				return err
			}
			dropped++
		}
		return nil
	})
	return dropped, left, err
}

// trimLog drops the log of a run, if that is finished, or as much of it as there is time for; then unfinished is true.
func (tx *transaction) trimLog(run int64, until time.Time) (unfinished bool, err error) {
	var row query.Run
	found, err := tx.find(tx.findRun, &row, run)
	if err != nil {
		return false, err
	}
	if !found || !app.Status(row.Status).Final() { // it is being tried again
		return false, tx.exec(tx.keepsLog, run)
	}
	tx.changed = true
	if short, err := tx.trimRunLog(run, until); err != nil || !short {
		return err == nil, err
	}
	last := query.NoPart
	if _, err := tx.find(tx.lastPart, &last, run); err != nil {
		return false, err
	}
	if err := tx.dropLog(run, math.MaxInt64); err != nil {
		return false, err
	}
	if part, worth := last.TrimmedPart(); worth {
		if err := tx.writePart(row.App(), part, false); err != nil {
			return false, err
		}
	}
	return false, tx.exec(tx.keepsLog, run)
}
