package query

import (
	"context"
	"math"
	"time"

	"runboard/app"
)

// Queries for the sizes of logs. Triggers maintain the table log_sizes, see the migrations.
const (
	logBytesSQL   = `SELECT CAST(coalesce(sum(bytes), 0) AS bigint) FROM log_sizes`
	oldestLogsSQL = `SELECT run_id, bytes FROM log_sizes
		WHERE finished_at > 0 ORDER BY finished_at, run_id LIMIT ?`
)

// TrimLogs calls drop with the runs that finished first, until all logs together have at most limit bytes or
// ctx ends. A limit of 0 is no limit. It returns the number of dropped logs. over reports that the logs are
// still too large, because no other run with a log has finished.
func (r *Reader) TrimLogs(
	ctx context.Context, limit int64, drop DropFunc,
) (dropped int, over bool, err error) {
	for limit > 0 && ctx.Err() == nil {
		runs, over, err := r.excessLogs(forLong(ctx), limit)
		if err != nil || len(runs) == 0 {
			return dropped, over, err
		}
		n, err := drop.all(ctx, runs)
		dropped += n
		if err != nil {
			return dropped, true, err
		}
	}
	return dropped, false, nil
}

// excessLogs reports whether all logs together exceed limit bytes, and returns some of the runs whose logs
// must go.
func (r *Reader) excessLogs(ctx context.Context, limit int64) (runs []int64, over bool, err error) {
	err = r.read(ctx, func(s *snapshot) {
		var total int64
		s.get(&total, logBytesSQL)
		over = total > limit
		if !over {
			return
		}
		var oldest []struct {
			Run   int64 `db:"run_id"`
			Bytes int64 `db:"bytes"`
		}
		s.all(&oldest, oldestLogsSQL, pruneBatch)
		for _, log := range oldest {
			if total <= limit {
				break
			}
			runs = append(runs, log.Run)
			total -= log.Bytes
		}
	})
	return runs, over, err
}

// KeepLog exempts the log of a run from trimming until the run finishes again.
func KeepLog(w Writer, run int64) error {
	return w.Exec(`UPDATE log_sizes SET finished_at = 0 WHERE run_id = $1`, run)
}

// TrimLog replaces the log of a finished run at a time by a line that says so, and keeps that.
func TrimLog(w Writer, run app.ProcessRun, at time.Time) error {
	last := NoPart
	if _, err := w.Find(&last, lastPartSQL, run.ID); err != nil {
		return err
	}
	count, err := countLines(w, run.ID)
	if err != nil {
		return err
	}
	if err := w.DropLog(run.ID, math.MaxInt64); err != nil {
		return err
	}
	if part, worth := last.TrimmedPart(count, at); worth {
		if err := writePart(w, run, part); err != nil {
			return err
		}
	}
	return KeepLog(w, run.ID)
}
