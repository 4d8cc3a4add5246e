package cluster

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"runboard/db/pgtest"
	"runboard/e2e/harness"
)

// fillRuns makes the table of runs larger than a file of the write-ahead log, and so that only new pages take
// new runs.
const fillRuns = `
	ALTER TABLE process_runs SET (fillfactor = 10, autovacuum_enabled = false);
	INSERT INTO process_runs (id, kind, status, version, attempt, crashes, fencing_token, error, created_at,
		updated_at, finished_at, job)
		SELECT nextval('process_run_ids'), 'filler', 2, 2, 1, 0, 1, '', 1, 1, 1, 0
			FROM generate_series(1, 12000)`

// The disk of the server is full for a while: no run can be created, and everything else goes on.
func TestNodes_SurviveAFullDiskOfTheServer(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	server := cluster.URL()
	var nodes []*harness.Process
	for range 2 {
		node := harness.StartNode(t, server, "--delay-min", "0s", "--delay-max", "50ms",
			"--failure-rate", "0")
		node.AllowErrors = true
		nodes = append(nodes, node)
	}
	database := connect(t, server)
	if _, err := database.Exec(fillRuns); err != nil {
		t.Fatal(err)
	}
	clients := []*harness.CrashClient{{Number: 0}, {Number: 1}, {Number: 2}}
	stop := postTo(nodes, clients[:2])
	nodes[0].UntilStarted(1)
	size := harness.NumberIn(t, database, "SELECT pg_relation_size('process_runs')")
	cluster.LimitFiles(size + 100*8192 + 4096) // the table grows meanwhile
	for _, node := range nodes {
		harness.Eventually(t, "runs cannot be created", func() error {
			if err := clients[2].Post(node); err == nil || !strings.Contains(err.Error(), "503") {
				return fmt.Errorf("the answer is %v", err)
			}
			return nil
		})
		harness.Eventually(t, "a node says that it cannot serve",
			node.AnswersUp(http.StatusServiceUnavailable))
		if err := node.Get("/process_runs", nil); err != nil {
			t.Errorf("the list cannot be read: %v", err)
		}
	}
	if log := nodes[0].Log.String(); !strings.Contains(log, "SQLSTATE 53100") {
		t.Errorf("the server did not report a full disk: %s", log)
	}
	cluster.NoLimit()
	for _, node := range nodes {
		harness.Eventually(t, "a node has come back by itself", node.AnswersUp(http.StatusOK))
	}
	stop()
	var wanted int64
	for i, c := range clients {
		c.Repeat(nodes[i%2])
		c.CheckAcknowledged(nodes[(i+1)%2])
		wanted += int64(c.Counted)
	}
	if _, err := database.Exec("DELETE FROM process_runs WHERE kind = 'filler'"); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "all runs are completed", func() error {
		counts := nodes[0].List("/process_runs").Counts
		if counts["completed"] != wanted || counts["created"]+counts["started"] != 0 {
			return fmt.Errorf("%d runs were acknowledged, and the counts are %v", wanted, counts)
		}
		return nil
	})
	checkHistory(t, server)
}
