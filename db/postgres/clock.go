package postgres

import (
	"context"

	"runboard/app"
	"runboard/db/query"
)

var rescheduleRuns = query.SQL(`WITH late AS (UPDATE process_runs
		SET scheduled_at = $1 + scheduled_at - updated_at, updated_at = $1, version = version + 1
		WHERE status = :created AND scheduled_at > $1 AND updated_at > $1 + $2 RETURNING id, job, scheduled_at),
	jobs AS (UPDATE river_job SET scheduled_at = to_timestamp(late.scheduled_at / 1000.0) FROM late
		WHERE river_job.id = late.job AND state = 'scheduled')
	SELECT id FROM late`)

// repairScheduled restarts the delay of created runs, and of their jobs, whose delay began in the future. The
// clock was set back, and otherwise they would wait longer by the difference. The clocks of nodes differ by
// less than stepBack.
func (s *Store) repairScheduled(ctx context.Context) error {
	err := s.write(ctx, func(tx *transaction) error {
		var rescheduled []int64
		err := tx.SelectContext(tx.ctx, &rescheduled, rescheduleRuns, tx.now.UnixMilli(),
			stepBack.Milliseconds())
		tx.noNotify = len(rescheduled) == 0
		return err
	})
	if err != nil && app.CodeOf(err) != app.CodeUnavailable {
		s.options.Log.Error("runs could not be rescheduled after the clock was set back", "error", err)
	}
	return err
}
