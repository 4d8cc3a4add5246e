package cluster

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/jmoiron/sqlx"

	"runboard/db/pgtest"
	"runboard/e2e/harness"
)

// startNoteNode starts a node with the kind "note", whose runs take up to 300 ms and sometimes fail.
func startNoteNode(t *testing.T, server, notes string, args ...string) *harness.Process {
	t.Helper()
	node := harness.NewNode(t, server, args...)
	node.UseTestBinary, node.Env = true,
		[]string{harness.NotesVariable + "=" + notes, harness.PaceVariable + "=300ms"}
	node.Start("127.0.0.1:0")
	return node
}

// connect connects to the database of the nodes.
func connect(t *testing.T, server string) *sqlx.DB {
	t.Helper()
	database, err := sqlx.Connect("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = database.Close() })
	return database
}

// watchers are sockets on several nodes. When a node is lost, its sockets reconnect to the next, as behind a
// load balancer.
type watchers struct {
	t     *testing.T
	all   sync.WaitGroup
	close func()

	mu      sync.Mutex
	screens []*watcher
}

type watcher struct {
	path string
	harness.Screen
}

// openWatchers opens n sockets on each node: for the list, the failed runs, and single runs.
func openWatchers(t *testing.T, nodes []*harness.Process, n int) *watchers {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watchers{t: t, close: cancel}
	for at := range nodes {
		for i := range n {
			path := []string{"/process_runs/live", "/process_runs/live?status=failed",
				fmt.Sprintf("/process_runs/%d/live", 1+i)}[i%3]
			one := &watcher{path: path, Screen: harness.Screen{}}
			w.screens = append(w.screens, one)
			w.all.Go(func() { w.watch(ctx, nodes, at, one) })
		}
	}
	return w
}

func (w *watchers) watch(ctx context.Context, nodes []*harness.Process, at int, one *watcher) {
	dialer := &websocket.Dialer{ReadBufferSize: 4096, WriteBufferSize: 256,
		HandshakeTimeout: harness.Patience}
	for ; ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		url := "ws" + strings.TrimPrefix(nodes[at%len(nodes)].URL, "http") + one.path
		conn, _, err := dialer.DialContext(ctx, url, nil)
		if err != nil {
			at++
			continue
		}
		harness.ReadUntil(ctx, conn, func(frame string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			one.Apply(w.t, frame)
		})
	}
}

// checkAndClose waits until every socket shows the runs of its view as node lists them, and closes all
// sockets.
func (w *watchers) checkAndClose(node *harness.Process) {
	w.t.Helper()
	views := map[string][]harness.RunJSON{}
	for _, one := range w.screens {
		if _, known := views[one.path]; known {
			continue
		}
		path := strings.TrimSuffix(strings.Replace(one.path, "/live", "", 1), "/live")
		if strings.HasPrefix(path, "/process_runs/") {
			var run harness.RunJSON
			if err := node.Get(path, &run); err != nil {
				w.t.Fatal(err)
			}
			views[one.path] = []harness.RunJSON{run}
		} else {
			views[one.path] = node.List(path).ProcessRuns
		}
	}
	for _, one := range w.screens {
		harness.Eventually(w.t, "a socket of "+one.path+" is right", func() error {
			w.mu.Lock()
			defer w.mu.Unlock()
			return one.shows(views[one.path])
		})
	}
	w.close()
	w.all.Wait()
}

// shows returns nil if the screen has the status and version of each run.
func (o *watcher) shows(runs []harness.RunJSON) error {
	for _, run := range runs {
		if cell := o.Screen[fmt.Sprint(run.ID)]; cell.Status != run.Status ||
			cell.Version != int(run.Version) {
			return fmt.Errorf("the screen has %+v for run %+v", cell, run)
		}
	}
	return nil
}

// Three nodes do 3,000 runs while 300 sockets watch, and the test kills one of the nodes meanwhile.
func TestNodes_KilledOneLosesNothing(t *testing.T) {
	t.Parallel()
	const runs = 3000
	server, notes := pgtest.URL(t), filepath.Join(t.TempDir(), "notes")
	var nodes []*harness.Process
	for range 3 {
		nodes = append(nodes, startNoteNode(t, server, notes, "--run-timeout", "5s", "--max-crashes", "10"))
	}
	for i := range runs / 100 {
		nodes[i%3].Post(100)
	}
	watching := openWatchers(t, nodes, 100)
	nodes[0].UntilStarted(1)
	harness.Eventually(t, "some runs are completed", func() error {
		if n := nodes[0].List("/process_runs").Counts["completed"]; n < runs/20 {
			return fmt.Errorf("%d runs are completed", n)
		}
		return nil
	})
	nodes[1].Kill()
	began := time.Now()
	nodes[0].WaitUntilDone(runs)
	t.Logf("%d runs were done %v after the end of a node", runs, time.Since(began).Round(time.Second))
	watching.checkAndClose(nodes[2])

	database := connect(t, server)
	if n := harness.NumberIn(t, database, "SELECT count(*) FROM process_runs WHERE crashes > 0"); n == 0 {
		t.Error("the killed node had no run")
	}
	if n := harness.NumberIn(t, database,
		"SELECT count(*) FROM (SELECT FROM run_events WHERE status IN (2, 3) GROUP BY run_id HAVING count(*) <> 1) twice"); n != 0 {
		t.Errorf("%d runs did not end exactly once", n)
	}
	for id, work := range harness.ReadNotes(t, notes).Begun {
		if crashes := harness.NumberIn(t, database, "SELECT crashes FROM process_runs WHERE id = $1",
			id); work > 1+int(crashes) {
			t.Errorf("run %d was begun %d times, with %d crashes", id, work, crashes)
		}
	}
}

// A node that was paused until another node has rescued its run must not change the run any more.
func TestNodes_PausedOneIsFenced(t *testing.T) {
	t.Parallel()
	server := pgtest.URL(t)
	args := []string{"--failure-rate", "0", "--run-timeout", "10s"}
	sleeper := harness.StartNode(t, server, append(args, "--delay-min", "8s", "--delay-max", "8s")...)
	sleeper.AllowErrors = true // its pending database requests time out
	id := sleeper.Post(1)[0].ID
	sleeper.UntilStarted(1)
	sleeper.Signal(syscall.SIGSTOP) // long before the work ends
	other := harness.StartNode(t, server, append(args, "--delay-min", "0s", "--delay-max", "0s")...)
	other.WaitUntilDone(1)
	var before, after harness.RunJSON
	path := fmt.Sprint("/process_runs/", id)
	if err := other.Get(path, &before); err != nil || before.Status != "completed" {
		t.Fatalf("the run on the other node is %+v, %v", before, err)
	}
	sleeper.Signal(syscall.SIGCONT)
	harness.Eventually(t, "the late result is dropped", func() error {
		if !strings.Contains(sleeper.Log.String(), "a stale result is dropped") {
			return fmt.Errorf("the log is %s", sleeper.Log.String())
		}
		return nil
	})
	if err := other.Get(path, &after); err != nil || after != before {
		t.Errorf("the run is %+v instead of %+v: %v", after, before, err)
	}
}

// Each node works only on its own kinds. Runs that a web node accepts go to other nodes.
func TestNodes_WorkOnlyOnTheirKinds(t *testing.T) {
	t.Parallel()
	server := pgtest.URL(t)
	calm := []string{"--delay-min", "0s", "--delay-max", "0s", "--failure-rate", "0"}
	pages := harness.StartNode(t, server,
		append(calm, "--role", "web", "--demo", "--command", "greet=/bin/echo hello", "--command",
			"part=/bin/echo bye")...)
	harness.StartNode(t, server, append(calm, "--role", "worker")...)
	for _, kind := range []string{"greet", "part", "simulated"} {
		if err := pages.Do("POST", "/process_runs", "count=3&kind="+kind, nil); err != nil {
			t.Fatal(err)
		}
	}
	doneOf := func(kind string, status string) func() error {
		return func() error {
			page := pages.List("/process_runs?kind=" + kind)
			if slices.ContainsFunc(page.ProcessRuns,
				func(run harness.RunJSON) bool { return run.Status != status }) ||
				len(page.ProcessRuns) != 3 {
				return fmt.Errorf("the runs are %+v", page.ProcessRuns)
			}
			return nil
		}
	}
	harness.Eventually(t, "the simulated runs are done", doneOf("simulated", "completed"))
	if err := doneOf("greet", "created")(); err != nil {
		t.Errorf("a node worked on a kind that it does not have: %v", err)
	}
	harness.StartNode(t, server, append(calm, "--role", "worker", "--command", "greet=/bin/echo hello")...)
	harness.Eventually(t, "the greetings are done", doneOf("greet", "completed"))
	if err := doneOf("part", "created")(); err != nil {
		t.Errorf("a node worked on a kind that it does not have: %v", err)
	}
}
