package sqlite

import "runboard/db/query"

const dropRollups = `DELETE FROM rollups WHERE step = ? AND at < ?`

// node is the node of all rollups: there is one process.
const node = 0

// saveRollups saves the collected statistics and deletes the expired rows.
func (tx *transaction) saveRollups(rollups *query.Rollups) error {
	if err := rollups.Save(tx, node); err != nil {
		return err
	}
	for step, before := range query.ExpiredRollups(tx.now) {
		if err := tx.Exec(dropRollups, step, before); err != nil {
			return err
		}
	}
	return nil
}
