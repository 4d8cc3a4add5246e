package query

import (
	"context"
	"time"

	"runboard/app"
)

// Queries for the sizes of logs. Triggers maintain the table log_sizes, see the migrations.
const (
	logBytes    = `SELECT CAST(coalesce(sum(bytes), 0) AS bigint) FROM log_sizes`
	oldestLogs  = `SELECT run_id, bytes FROM log_sizes WHERE finished_at > 0 ORDER BY finished_at, run_id LIMIT ?`
	trimmedText = "The log was dropped to make room for newer ones.\n"
)

// DropLogs drops the logs of some of the runs, or at least a part of the first log. It must be short, because
// other writes may wait for it. It returns how many logs it dropped, and the rest for the next call.
type DropLogs func(ctx context.Context, runs []int64) (dropped int, left []int64, err error)

// TrimLogs calls drop with the runs that finished first, until all logs together have at most limit bytes or
// ctx ends. After each call it pauses for as long as the call took. A limit of 0 is no limit. over reports
// that the logs are still too large, because no other run with a log has finished.
func (b *Board) TrimLogs(ctx context.Context, limit int64, drop DropLogs) (dropped int, over bool, err error) {
	for limit > 0 && ctx.Err() == nil {
		runs, over, err := b.logsOver(ctx, limit)
		if err != nil || len(runs) == 0 {
			return dropped, over, err
		}
		for len(runs) > 0 && ctx.Err() == nil {
			began := time.Now()
			n, left, err := drop(ctx, runs)
			if err != nil {
				return dropped, true, err
			}
			dropped, runs = dropped+n, left
			Pause(ctx, time.Since(began))
		}
	}
	return dropped, false, nil
}

// logsOver reports whether all logs together exceed limit bytes, and returns some of the runs whose logs must
// go.
func (b *Board) logsOver(ctx context.Context, limit int64) (runs []int64, over bool, err error) {
	err = b.Read(ctx, func(ctx context.Context, from Reader) error {
		var all int64
		if err := Get(ctx, from, &all, logBytes); err != nil || all <= limit {
			return err
		}
		over = true
		var oldest []struct {
			Run   int64 `db:"run_id"`
			Bytes int64 `db:"bytes"`
		}
		if err := Select(ctx, from, &oldest, oldestLogs, pruneLook); err != nil {
			return err
		}
		for _, log := range oldest {
			if all <= limit {
				break
			}
			runs, all = append(runs, log.Run), all-log.Bytes
		}
		return nil
	})
	return runs, over, err
}

// TrimmedPart returns the part that replaces a dropped log whose last part was p. It says that the log was
// dropped, and preserves where the log ends. It returns false if the log is not longer than this text.
func (p LogPart) TrimmedPart() (LogPart, bool) {
	if p.Stop <= int64(len(trimmedText)) {
		return LogPart{}, false
	}
	part := LogPart{Start: p.Stop, Stop: p.Stop, Part: p.Part + 1}
	part.take([]app.LogLine{{Stream: app.Notes, Text: trimmedText}}, partSize)
	return part, true
}
