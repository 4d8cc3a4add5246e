package sqlite

import (
	"time"

	"runboard/app"
	"runboard/db/query"
)

const (
	findRollup = `SELECT queue_ms, run_ms FROM rollups WHERE step = ? AND at = ? AND kind = ?`
	addRollup  = `INSERT INTO rollups (step, at, kind, created, requeued, started, completed, failed, cancelled, queue_ms, run_ms)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
		ON CONFLICT DO UPDATE SET created = created + ?4, requeued = requeued + ?5, started = started + ?6,
			completed = completed + ?7, failed = failed + ?8, cancelled = cancelled + ?9, queue_ms = ?10, run_ms = ?11`
	dropRollups = `DELETE FROM rollups WHERE step = ? AND at < ?`
)

// saveRollups adds the gathered statistics to the table and deletes the expired rows.
func (tx *transaction) saveRollups(gathered *query.Rollups) error {
	for row, sum := range gathered.Rows() {
		if err := tx.saveRollup(row, sum); err != nil {
			return err
		}
	}
	for step, before := range query.ExpiredRollups(tx.now) {
		if err := tx.exec(tx.dropRollups, step, before); err != nil {
			return err
		}
	}
	return nil
}

// saveRollup adds statistics to the row of their step and kind.
func (tx *transaction) saveRollup(row query.RollupRow, more query.Rollup) error {
	var kept query.Times
	if _, err := tx.find(tx.findRollup, &kept, row.Step, row.At, row.Kind); err != nil {
		return err
	}
	kept = more.Merged(kept)
	return tx.exec(tx.addRollup, row.Step, row.At, row.Kind, more.Created, more.Requeued, more.Started,
		more.Completed, more.Failed, more.Cancelled, kept.Queue, kept.Run)
}

// recordStats adds a change of a run to the statistics of the transaction. run is the run after the change.
// For took, see query.StatsEvent.
func (tx *transaction) recordStats(run app.ProcessRun, took time.Duration) {
	tx.statsEvents = append(tx.statsEvents, query.NewStatsEvent(run, took))
}
