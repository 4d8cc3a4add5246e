package sqlite

import "runboard/db/query"

const (
	dropRollups = `DELETE FROM rollups WHERE step = ? AND at < ?`
	// dropSamples keeps the newest expired sample, which says how many runs waited until the next one.
	dropSamples = `DELETE FROM waiting_samples WHERE step = ?1 AND at <
		(SELECT max(at) FROM waiting_samples WHERE step = ?1 AND at < ?2)`
)

// node is the node of all rollups: there is one process.
const node = 0

// saveRollups saves the collected statistics and deletes the expired rows.
func (tx *transaction) saveRollups(rollups *query.Rollups) error {
	if err := rollups.Save(tx, node, tx.now); err != nil {
		return err
	}
	for _, expired := range query.ExpiredRollups(tx.now) {
		for _, drop := range []string{dropRollups, dropSamples} {
			if err := tx.Exec(drop, expired.Step, expired.Before); err != nil {
				return err
			}
		}
	}
	return nil
}
