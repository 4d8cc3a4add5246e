package sqlite

import (
	"context"
	"math"
	"time"

	"runboard/app"
	"runboard/db/query"
)

// keepsLog exempts the log of a run from trimming: the run is not finished, or its log has been trimmed.
const keepsLog = `UPDATE log_sizes SET finished_at = 0 WHERE run_id = ?`

// TrimLogs deletes the logs of the runs that finished first, until all logs together are within MaxLogBytes,
// none is left or ctx ends. It returns how many logs it deleted.
func (s *Store) TrimLogs(ctx context.Context) (int, error) {
	dropped, _, err := s.Reader.TrimLogs(ctx, s.options.MaxLogBytes, s.dropLogs)
	return dropped, err
}

// trimLogs trims the logs if one has grown since the last call, or if the last call failed or had to leave
// them too large until more runs finish.
func (s *Store) trimLogs(ctx context.Context) {
	if !s.logged.Swap(false) {
		return
	}
	n, over, err := s.Reader.TrimLogs(ctx, s.options.MaxLogBytes, s.dropLogs)
	if over || err != nil {
		s.logged.Store(true) // the next call tries again
	}
	if err != nil && ctx.Err() == nil {
		s.options.Log.Error("old logs cannot be dropped", "error", err)
	} else if n > 0 {
		s.options.Log.Info("old logs were dropped: all together had more than --max-log-bytes", "runs", n)
	}
}

// dropLogs is a query.DropFunc.
func (s *Store) dropLogs(ctx context.Context, runs []int64) (dropped int, left []int64, err error) {
	// The writer owns the results until do succeeds, because it may call this twice.
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

// trimLog replaces the log of a finished run by a line that says so, unless the log is shorter than that. If
// until passes before, it deletes only a part and unfinished is true. It keeps the log of a run that is not
// finished.
func (tx *transaction) trimLog(run int64, until time.Time) (unfinished bool, err error) {
	var row query.Run
	found, err := tx.find(tx.findRun, &row, run)
	if err != nil {
		return false, err
	}
	if !found || !app.Status(row.Status).Final() { // the run was retried or deleted
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
		if err := tx.writePart(row.App(), part); err != nil {
			return false, err
		}
	}
	return false, tx.exec(tx.keepsLog, run)
}
