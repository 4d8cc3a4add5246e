package cluster

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"runboard/board"
	"runboard/db/pgtest"
	"runboard/e2e/harness"
)

func TestNodes_SocketSeesChangesOfOtherNodes(t *testing.T) {
	t.Parallel()
	server := pgtest.URL(t)
	here, there := harness.StartProgram(t, harness.OnDatabase(server)),
		harness.StartProgram(t, harness.OnDatabase(server))
	seen, socket := harness.Screen{}, harness.Watch(t, here, "/process_runs/live")
	seesAll := func(runs int) {
		t.Helper()
		harness.NewExpect(t, there).POST("/process_runs").WithFormField("count", "5").Expect()
		harness.Eventually(t, "all runs are shown as completed", func() error {
			seen.Apply(t, socket.Expect().TextMessage().Body().Raw())
			if n := seen.Count("completed"); n < runs {
				return fmt.Errorf("%d are", n)
			}
			return nil
		})
	}
	seesAll(5)

	// After losing its LISTEN connection, the node must see later changes and those made meanwhile.
	database := connect(t, server)
	const listeners = "FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'listen%'"
	if n := harness.NumberIn(t, database, "SELECT count(pg_terminate_backend(pid)) "+listeners); n == 0 {
		t.Fatal("no node listens")
	}
	seesAll(10)
}

// dropNotifications makes the notifications of changes go nowhere, as if each were lost.
const dropNotifications = `CREATE FUNCTION public.pg_notify(text, text) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		IF $1 <> 'runboard_changes' THEN PERFORM pg_catalog.pg_notify($1, $2); END IF;
	END $$`

// A change without a notification reaches the sockets of another node in about a second. Each change follows
// what the socket showed last, so the tick of five seconds alone would show one in five seconds.
func TestNodes_SocketSeesChangesWithoutNotification(t *testing.T) {
	t.Parallel()
	const changes, limit = 4, 15 * time.Second
	server := pgtest.URL(t)
	if _, err := connect(t, server).Exec(dropNotifications); err != nil {
		t.Fatal(err)
	}
	address := server + "&search_path=public,pg_catalog"
	works := harness.StartProgram(t, harness.OnDatabase(address))
	shows := harness.StartProgram(t, func(c *board.Config) { c.DatabaseURL, c.Role = address, "web" })
	seen, socket := harness.Screen{}, harness.Watch(t, shows, "/process_runs/live")
	began := time.Now()
	for n := range changes {
		harness.NewExpect(t, works).POST("/process_runs").WithFormField("count", "1").Expect()
		for seen.Count("completed") <= n {
			seen.Apply(t, socket.Expect().TextMessage().Body().Raw())
		}
	}
	took := time.Since(began)
	t.Logf("a change was shown in %v on average", took/changes)
	if took > limit {
		t.Errorf("%d changes were shown after %v", changes, took)
	}
}

// The PostgreSQL server stops and returns under load.
func TestNodes_RecoverWithTheDatabaseServer(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	server := cluster.URL()
	var nodes []*harness.Process
	for range 2 {
		node := harness.StartNode(t, server, "--delay-min", "0s", "--delay-max", "50ms", "--failure-rate",
			"0", "--run-timeout", "5s", "--max-crashes", "10")
		node.AllowErrors = true
		nodes = append(nodes, node)
	}
	clients := []*harness.CrashClient{{Number: 0}, {Number: 1}}
	stop := postTo(nodes, clients)
	for range 2 {
		nodes[0].UntilStarted(1)
		cluster.Stop()
		for _, node := range nodes {
			harness.Eventually(t, "a node says that it cannot serve",
				node.AnswersUp(http.StatusServiceUnavailable))
		}
		cluster.Restart()
		for _, node := range nodes {
			harness.Eventually(t, "a node has come back by itself", node.AnswersUp(http.StatusOK))
		}
	}
	stop()
	var wanted int64
	for i, c := range clients {
		c.Repeat(nodes[i])
		c.CheckAcknowledged(nodes[1-i])
		wanted += int64(c.Counted)
	}
	nodes[0].WaitUntilDone(wanted)
}

// Nodes restart one after the other while the others work. Clients get no wrong answer, and no interruption
// counts as a crash. One run works until all nodes have restarted, so at least one of them interrupts it.
func TestNodes_RollingRestartLosesNothing(t *testing.T) {
	t.Parallel()
	server, restarted := pgtest.URL(t), filepath.Join(t.TempDir(), "restarted")
	long := fmt.Sprintf(`long=/bin/sh -c 'until test -e %s; do sleep 0.05; done'`, restarted)
	args := []string{
		"--delay-min", "0s", "--delay-max", "100ms", "--failure-rate", "0", "--drain-timeout", "50ms",
		"--command", long,
	}
	nodes := []*harness.Process{harness.StartNode(t, server, args...), harness.StartNode(t, server, args...),
		harness.StartNode(t, server, args...)}
	if err := nodes[0].Do(http.MethodPost, "/process_runs", "kind=long&count=1", nil); err != nil {
		t.Fatal(err)
	}
	nodes[0].UntilStarted(1)
	stop, posting, clients := make(chan struct{}), sync.WaitGroup{}, make([]*harness.CrashClient, 3)
	for i := range clients {
		clients[i] = &harness.CrashClient{Number: i}
		// a restarted node keeps its address
		addresses := []*harness.Process{nodes[i].In(t), nodes[(i+1)%3].In(t)}
		posting.Go(func() {
			for n := 0; !harness.IsOver(stop); time.Sleep(10 * time.Millisecond) {
				if clients[i].Post(addresses[n%2]) != nil {
					n++ // repeats the request at the other node
				}
			}
		})
	}
	for _, node := range nodes {
		node.UntilStarted(2)
		node.Signal(syscall.SIGTERM)
		if status := node.Wait(); status != 0 {
			t.Errorf("a node ended with %d", status)
		}
		node.Restart()
	}
	if err := os.WriteFile(restarted, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	close(stop)
	posting.Wait()
	wanted := int64(1) // the long run
	for _, c := range clients {
		c.Repeat(nodes[0])
		c.CheckAcknowledged(nodes[0])
		wanted += int64(c.Counted)
	}
	nodes[0].WaitUntilDone(wanted)
	database := connect(t, server)
	if n := harness.NumberIn(t, database,
		"SELECT count(*) FROM process_runs WHERE crashes > 0 OR status <> 2"); n != 0 {
		t.Errorf("%d of %d runs have crashes or are not completed", n, wanted)
	}
	if harness.NumberIn(t, database, "SELECT count(*) FROM run_events WHERE note LIKE 'interrupted%'") == 0 {
		t.Error("no run was interrupted by a restart")
	}
}

// One node writes and the other shows it, both through a pooler that keeps a connection for each client.
func TestNodes_WorkThroughPgBouncer(t *testing.T) {
	t.Parallel()
	pooled := pgtest.StartPooler(t, pgtest.URL(t), "session")
	works := harness.StartNode(t, pooled, "--delay-min", "0s", "--delay-max", "0s")
	shows := harness.StartProgram(t, func(c *board.Config) { c.DatabaseURL, c.Role = pooled, "web" })
	seen, socket := harness.Screen{}, harness.Watch(t, shows, "/process_runs/live")
	works.Post(20)
	works.WaitUntilDone(20)
	for seen.Count("completed")+seen.Count("failed") < 20 {
		seen.Apply(t, socket.Expect().TextMessage().Body().Raw())
	}
	through := harness.NumberIn(t, connect(t, pooled), `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = 'runboard'`)
	if through < 4 {
		t.Errorf("the nodes have %d connections", through)
	}
}

// migrateFurther does to the schema what a node of a newer version does: it ends the connections of the
// others.
const migrateFurther = `
	SELECT count(pg_terminate_backend(pid)) FROM pg_locks
		WHERE locktype = 'advisory' AND objsubid = 2 AND objid = 1 AND mode = 'ShareLock'
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
	INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)`

// A node whose schema another version has migrated ends at once, with its commands, and does not start again.
func TestNodes_OlderOneStopsAfterMigration(t *testing.T) {
	t.Parallel()
	begun := filepath.Join(t.TempDir(), "begun")
	server, script := pgtest.URL(t), fmt.Sprintf(`long=/bin/sh -c 'echo $$ >>%s; exec sleep 600'`, begun)
	old := harness.StartNode(t, server, "--command", script)
	old.AllowErrors = true
	if err := old.Do(http.MethodPost, "/process_runs", "kind=long&count=1", nil); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "the command runs", func() error { return hasLines(begun, 1) })
	if _, err := connect(t, server).Exec(migrateFurther); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if status := old.Wait(); status != 1 {
		t.Errorf("the node ended with %d", status)
	}
	t.Logf("the node ended after %v", time.Since(began).Round(100*time.Millisecond))
	const reason = "was migrated by another version of Runboard (schema 99, this one knows"
	if !strings.Contains(old.Log.String(), reason) {
		t.Errorf("the log is %s", old.Log.String())
	}
	if pid, err := strconv.Atoi(linesOf(begun)[0]); err != nil || syscall.Kill(pid, 0) == nil {
		t.Errorf("the command %d still runs: %v", pid, err)
	}
	again := harness.Command(t, "--addr", "127.0.0.1:0", "--database-url", server)
	said, err := again.CombinedOutput()
	if err == nil || again.ProcessState.ExitCode() != 1 ||
		!strings.Contains(string(said), "a newer version of Runboard") {
		t.Errorf("the node starts with %v: %s", err, said)
	}
}
