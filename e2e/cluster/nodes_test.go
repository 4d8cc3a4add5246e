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

// notingNode starts a node with the kind "note", whose runs take up to 300 ms and sometimes fail.
func notingNode(t *testing.T, server, notes string, args ...string) *harness.Process {
	t.Helper()
	node := harness.NewNode(t, server, args...)
	node.Itself, node.Env = true, []string{harness.NotesVariable + "=" + notes, harness.PaceVariable + "=300ms"}
	node.Start("127.0.0.1:0")
	return node
}

// inside connects to the database of the nodes.
func inside(t *testing.T, server string) *sqlx.DB {
	t.Helper()
	database, err := sqlx.Connect("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = database.Close() })
	return database
}

// allDone waits until a node reports total runs, all of them final.
func allDone(t *testing.T, node *harness.Process, total int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.RescuePatience)
	defer cancel()
	var counts map[string]int64
	for ; ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		var page harness.ListJSON
		if err := node.Get("/process_runs", &page); err != nil {
			continue
		}
		counts = page.Counts
		if counts["completed"]+counts["failed"]+counts["cancelled"] == total && counts["created"]+counts["started"] == 0 {
			return
		}
	}
	t.Fatalf("waited in vain for %d runs to be done: %v", total, counts)
}

// onlookers are sockets on several nodes. When a node is lost, its sockets reconnect to the next, as behind a
// load balancer.
type onlookers struct {
	t     *testing.T
	all   sync.WaitGroup
	leave func()

	mu      sync.Mutex
	screens []*onlooker
}

type onlooker struct {
	path string
	harness.Screen
}

// lookOn opens n sockets on each node: of the list, of the failed runs, and of single runs.
func lookOn(t *testing.T, nodes []*harness.Process, n int) *onlookers {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	o := &onlookers{t: t, leave: cancel}
	for at := range nodes {
		for i := range n {
			path := []string{"/process_runs/live", "/process_runs/live?status=failed", fmt.Sprintf("/process_runs/%d/live", 1+i)}[i%3]
			one := &onlooker{path: path, Screen: harness.Screen{}}
			o.screens = append(o.screens, one)
			o.all.Go(func() { o.watch(ctx, nodes, at, one) })
		}
	}
	return o
}

func (o *onlookers) watch(ctx context.Context, nodes []*harness.Process, at int, one *onlooker) {
	dialer := &websocket.Dialer{ReadBufferSize: 4096, WriteBufferSize: 256, HandshakeTimeout: harness.Patience}
	for ; ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		url := "ws" + strings.TrimPrefix(nodes[at%len(nodes)].URL, "http") + one.path
		conn, _, err := dialer.DialContext(ctx, url, nil)
		if err != nil {
			at++
			continue
		}
		harness.ReadUntil(ctx, conn, func(frame string) {
			o.mu.Lock()
			defer o.mu.Unlock()
			one.Apply(o.t, frame)
		})
	}
}

// endRight waits until every socket shows the runs of its view as node lists them, and closes all sockets.
func (o *onlookers) endRight(node *harness.Process) {
	o.t.Helper()
	views := map[string][]harness.RunJSON{}
	for _, one := range o.screens {
		if _, known := views[one.path]; known {
			continue
		}
		path := strings.TrimSuffix(strings.Replace(one.path, "/live", "", 1), "/live")
		if strings.HasPrefix(path, "/process_runs/") {
			var run harness.RunJSON
			if err := node.Get(path, &run); err != nil {
				o.t.Fatal(err)
			}
			views[one.path] = []harness.RunJSON{run}
		} else {
			views[one.path] = node.List(path).ProcessRuns
		}
	}
	for _, one := range o.screens {
		harness.Eventually(o.t, "a socket of "+one.path+" is right", func() error {
			o.mu.Lock()
			defer o.mu.Unlock()
			return one.shows(views[one.path])
		})
	}
	o.leave()
	o.all.Wait()
}

// shows returns nil if the screen has the status and version of each run.
func (o *onlooker) shows(runs []harness.RunJSON) error {
	for _, run := range runs {
		if cell := o.Screen[fmt.Sprint(run.ID)]; cell.Status != run.Status || cell.Version != int(run.Version) {
			return fmt.Errorf("it shows %+v of %+v", cell, run)
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
		nodes = append(nodes, notingNode(t, server, notes, "--run-timeout", "5s", "--max-crashes", "10"))
	}
	for i := range runs / 100 {
		nodes[i%3].Post(100)
	}
	watching := lookOn(t, nodes, 100)
	nodes[0].UntilStarted(1)
	harness.Eventually(t, "a part is done", func() error {
		if n := nodes[0].List("/process_runs").Counts["completed"]; n < runs/20 {
			return fmt.Errorf("%d runs are completed", n)
		}
		return nil
	})
	nodes[1].Kill()
	began := time.Now()
	allDone(t, nodes[0], runs)
	t.Logf("%d runs were done %v after the end of a node", runs, time.Since(began).Round(time.Second))
	watching.endRight(nodes[2])

	database := inside(t, server)
	if n := harness.NumberIn(t, database, "SELECT count(*) FROM process_runs WHERE crashes > 0"); n == 0 {
		t.Error("no run was interrupted, so this has tested nothing")
	}
	if n := harness.NumberIn(t, database, "SELECT count(*) FROM (SELECT FROM run_events WHERE status IN (2, 3) GROUP BY run_id HAVING count(*) <> 1) twice"); n != 0 {
		t.Errorf("%d runs did not end exactly once", n)
	}
	for id, work := range harness.ReadNotes(t, notes).Begun {
		if crashes := harness.NumberIn(t, database, "SELECT crashes FROM process_runs WHERE id = $1", id); work > 1+int(crashes) {
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
	sleeper.Complains = true // its pending database requests time out
	id := sleeper.Post(1)[0].ID
	sleeper.UntilStarted(1)
	sleeper.Signal(syscall.SIGSTOP) // long before the work ends
	other := harness.StartNode(t, server, append(args, "--delay-min", "0s", "--delay-max", "0s")...)
	allDone(t, other, 1)
	var before, after harness.RunJSON
	path := fmt.Sprint("/process_runs/", id)
	if err := other.Get(path, &before); err != nil || before.Status != "completed" {
		t.Fatalf("the other node made this of it: %+v, %v", before, err)
	}
	sleeper.Signal(syscall.SIGCONT)
	harness.Eventually(t, "the late result is dropped", func() error {
		if !strings.Contains(sleeper.Log.String(), "a stale result is dropped") {
			return fmt.Errorf("the log is %s", sleeper.Log.String())
		}
		return nil
	})
	if err := other.Get(path, &after); err != nil || after != before {
		t.Errorf("then it is %+v and not %+v: %v", after, before, err)
	}
}

// Each node works only on its own kinds. Runs that a web node accepts go to other nodes.
func TestNodes_WorkOnlyOnTheirKinds(t *testing.T) {
	t.Parallel()
	server := pgtest.URL(t)
	calm := []string{"--delay-min", "0s", "--delay-max", "0s", "--failure-rate", "0"}
	pages := harness.StartNode(t, server, append(calm, "--role", "web", "--command", "greet=/bin/echo hello", "--command", "part=/bin/echo bye")...)
	harness.StartNode(t, server, append(calm, "--role", "worker")...)
	for _, kind := range []string{"greet", "part", "simulated"} {
		if err := pages.Do("POST", "/process_runs", "count=3&kind="+kind, nil); err != nil {
			t.Fatal(err)
		}
	}
	doneOf := func(kind string, status string) func() error {
		return func() error {
			page := pages.List("/process_runs?kind=" + kind)
			if slices.ContainsFunc(page.ProcessRuns, func(run harness.RunJSON) bool { return run.Status != status }) || len(page.ProcessRuns) != 3 {
				return fmt.Errorf("the runs are %+v", page.ProcessRuns)
			}
			return nil
		}
	}
	harness.Eventually(t, "the simulated runs are done", doneOf("simulated", "completed"))
	if err := doneOf("greet", "created")(); err != nil {
		t.Errorf("a node did what it cannot do: %v", err)
	}
	harness.StartNode(t, server, append(calm, "--role", "worker", "--command", "greet=/bin/echo hello")...)
	harness.Eventually(t, "the greetings are done", doneOf("greet", "completed"))
	if err := doneOf("part", "created")(); err != nil {
		t.Errorf("a node did what it cannot do: %v", err)
	}
}
