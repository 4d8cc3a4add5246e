package cluster

import (
	"fmt"
	"testing"

	"runboard/e2e/harness"
)

// wrongs are queries that count what must not be when all runs have finished. A run may finish again after a
// retry. A job ends a moment after its run. The progress of a bulk run raises its version, and is not in its
// history.
var wrongs = map[string]string{
	"runs that are not final": `SELECT count(*) FROM process_runs WHERE status IN (0, 1)`,
	"runs whose versions do not rise by one": `SELECT count(*) FROM process_runs
		WHERE kind NOT LIKE '% runs' AND (version <> 1 + (SELECT count(*) FROM run_events WHERE run_id = id) OR
		version <> greatest(1, (SELECT max(version) FROM run_events WHERE run_id = id)))`,
	"changes without the one before": `SELECT count(*) FROM run_events AS later
		JOIN process_runs ON id = run_id AND kind NOT LIKE '% runs'
		WHERE later.version > 2 AND NOT EXISTS
			(SELECT FROM run_events WHERE run_id = later.run_id AND version = later.version - 1)`,
	"changes of finished runs that are no retry": `SELECT count(*) FROM run_events AS earlier
		JOIN run_events AS later ON later.run_id = earlier.run_id AND later.version = earlier.version + 1
		WHERE earlier.status >= 2 AND (earlier.status = 2 OR later.status <> 0)`,
	"runs that finish otherwise than their history": `SELECT count(*) FROM process_runs WHERE status <>
		(SELECT status FROM run_events WHERE run_id = id ORDER BY version DESC LIMIT 1)`,
	"counts that differ from the rows": `SELECT count(*) FROM status_counts WHERE n <>
		(SELECT count(*) FROM process_runs WHERE process_runs.status = status_counts.status)`,
	"jobs without a run that waits": `SELECT count(*) FROM river_job
		WHERE kind LIKE 'run:%' AND state IN ('available', 'pending', 'running', 'scheduled', 'retryable')`,
}

// checkHistory checks the history of all runs, after all of them have finished.
func checkHistory(t *testing.T, server string) {
	t.Helper()
	database := connect(t, server)
	for what, query := range wrongs {
		harness.Eventually(t, "there are no "+what, func() error {
			if n := harness.NumberIn(t, database, query); n != 0 {
				return fmt.Errorf("there are %d", n)
			}
			return nil
		})
	}
}
