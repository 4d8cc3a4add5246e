package query

import (
	"context"
	"time"

	"runboard/app"
)

// Shared texts about the sizes of logs. Triggers keep the table, see the migrations.
const (
	logBytes    = `SELECT CAST(coalesce(sum(bytes), 0) AS bigint) FROM log_sizes`
	oldestLogs  = `SELECT run_id, bytes FROM log_sizes WHERE finished_at > 0 ORDER BY finished_at, run_id LIMIT ?`
	trimmedText = "The log was dropped to make room for newer ones.\n"
)

// DropLogs drops logs of runs, some of them or a part of the first one, in a short time: others' writes may wait for it. It
// returns how many it dropped, and which are left for the next call.
type DropLogs func(ctx context.Context, runs []int64) (dropped int, left []int64, err error)

// TrimLogs has drop drop the logs of the runs that finished first, until all logs together have at most limit bytes, none are
// left or ctx ends. It rests in between for as long as each call took. No limit is 0. over reports whether they still have
// more: then other runs must finish first.
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

// logsOver reports whether all logs together have more than limit bytes, and returns some of the runs whose logs must go.
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

// TrimmedPart is what takes the place of a log that is dropped and whose last part was p, so that the log still says what
// it was and where it ends. It is false when the log had less text than that.
func (p LogPart) TrimmedPart() (LogPart, bool) {
	if p.Stop <= int64(len(trimmedText)) {
		return LogPart{}, false
	}
	part := LogPart{Start: p.Stop, Stop: p.Stop, Part: p.Part + 1}
	part.take([]app.LogLine{{Stream: app.Notes, Text: trimmedText}}, partSize)
	return part, true
}
