package cluster

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"runboard/db/pgtest"
	"runboard/e2e/harness"
)

var soakTime = flag.Duration("soak", 20*time.Second, "how long three nodes are under mixed load and faults")

// watched is the number of sockets on each node. A third of them watches one of the first runs each.
const watched = 9

// soak is three nodes under mixed load, behind an address of their server that can be cut.
type soak struct {
	t         *testing.T
	server    *pgtest.Cluster
	forwarder *harness.Forwarder
	url       string // of the database, through the forwarder
	nodes     []*harness.Process
	clients   []*harness.CrashClient
	stop      chan struct{}
	load      sync.WaitGroup
	notes     string // see harness.NotesVariable

	mu     sync.Mutex
	counts map[string]int // of requests and faults, by what they are
}

// Three nodes start, cancel, retry, pause and limit runs while they are killed, stopped and restarted, and
// while their connections and their server end. Afterwards no run is lost or finished twice, no limit was
// exceeded, and every socket is right. make soak-cluster does so for ten minutes.
func TestSoak_HistoryIsRight(t *testing.T) {
	t.Parallel()
	s := newSoak(t)
	first := fmt.Sprintf("kind=note&count=%d", watched)
	if err := s.nodes[0].Do(http.MethodPost, "/process_runs", first, nil); err != nil {
		t.Fatal(err)
	}
	watching := openWatchers(t, s.nodes, watched)
	s.startLoad()
	began := time.Now()
	for time.Since(began) < *soakTime {
		time.Sleep(rand.N(2 * time.Second))
		s.fault(*soakTime - time.Since(began))
	}
	close(s.stop)
	s.load.Wait()
	began = time.Now()
	s.settle()
	t.Logf("all runs had finished %v after the load", time.Since(began).Round(time.Second))
	watching.checkAndClose(s.nodes[0])
	checkHistory(t, s.url)
	s.checkRuns()
	harness.ReadNotes(t, s.notes)
	for _, what := range slices.Sorted(maps.Keys(s.counts)) {
		t.Logf("%6d %s", s.counts[what], what)
	}
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	dir, server := t.TempDir(), pgtest.Start(t)
	s := &soak{
		t: t, server: server, forwarder: harness.Forward(t, server.Socket()),
		stop: make(chan struct{}), notes: filepath.Join(dir, "notes"), counts: map[string]int{},
	}
	s.url = behind(t, server.URL(), s.forwarder)
	kinds := filepath.Join(dir, "kinds.yaml")
	lock := filepath.Join(dir, "lock")
	if err := os.WriteFile(kinds, fmt.Appendf(nil, exclusive, lock), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		node := harness.NewNode(t, s.url, "--kinds", kinds, "--max-crashes", "1000", "--drain-timeout", "1s")
		node.UseTestBinary, node.AllowErrors = true, true
		node.Env = []string{harness.NotesVariable + "=" + s.notes, harness.PaceVariable + "=100ms"}
		node.Start("127.0.0.1:0")
		s.nodes = append(s.nodes, node)
	}
	return s
}

// startLoad starts the clients: some create runs with idempotency keys and repeat unanswered requests, the
// others change runs and kinds.
func (s *soak) startLoad() {
	for i, kind := range []string{"note", "note", "exclusive"} {
		client := &harness.CrashClient{Number: i, Kind: kind}
		s.clients = append(s.clients, client)
		pause := []time.Duration{200 * time.Millisecond, 200 * time.Millisecond, 2 * time.Second}[i]
		s.load.Go(func() {
			for ; !harness.IsOver(s.stop); time.Sleep(rand.N(pause)) {
				s.count("create runs", client.Post(s.node()))
			}
		})
	}
	for range 3 {
		s.load.Go(func() {
			for ; !harness.IsOver(s.stop); time.Sleep(rand.N(100 * time.Millisecond)) {
				s.change(s.node())
			}
		})
	}
}

// node returns a random node.
func (s *soak) node() *harness.Process { return s.nodes[rand.IntN(len(s.nodes))] }

// count counts a request that was answered, or one that was refused or cut.
func (s *soak) count(what string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.counts[what]++
	case strings.Contains(err.Error(), ": 4"): // such as the cancellation of a run that has finished
		s.counts[what+", refused"]++
	default:
		s.counts[what+", failed"]++
	}
}

// changes are requests that change runs and kinds; %d is the ID of a recent run.
var changes = []struct{ what, path, form string }{
	{"cancel a run", "/process_runs/%d/cancel", ""},
	{"cancel a run", "/process_runs/%d/cancel", ""},
	{"retry a run", "/process_runs/%d/retry", ""},
	{"retry a run", "/process_runs/%d/retry", ""},
	{"retry failed runs in bulk", "/process_runs/bulk", "operation=retry&scope=all&status=failed&kind=note"},
	{"cancel runs in bulk", "/process_runs/bulk", "operation=cancel&scope=selected&id=%d"},
	{"pause a kind", "/kinds/note/pause", ""},
	{"resume a kind", "/kinds/note/resume", ""},
	{"resume a kind", "/kinds/note/resume", ""},
	{"pause a kind", "/kinds/exclusive/pause", ""},
	{"resume a kind", "/kinds/exclusive/resume", ""},
	{"resume a kind", "/kinds/exclusive/resume", ""},
}

// change makes a random request of changes.
func (s *soak) change(node *harness.Process) {
	var page harness.ListJSON
	if err := node.Get("/process_runs", &page); err != nil || len(page.ProcessRuns) == 0 {
		return
	}
	run := fmt.Sprint(page.ProcessRuns[rand.IntN(len(page.ProcessRuns))].ID)
	c := changes[rand.IntN(len(changes))]
	path, form := strings.ReplaceAll(c.path, "%d", run), strings.ReplaceAll(c.form, "%d", run)
	s.count(c.what, node.Do(http.MethodPost, path, form, nil))
}

// fault makes something fail, and repairs it. A node that stops for half a minute is lost; that fits only
// into a longer test.
func (s *soak) fault(left time.Duration) {
	node := s.node()
	pause := rand.N(2 * time.Second)
	switch n := rand.IntN(7); n {
	case 0:
		node.Kill()
		time.Sleep(pause)
		node.Restart()
		s.count("FAULT: a node is killed", nil)
	case 1:
		node.Signal(syscall.SIGTERM)
		node.Wait()
		node.Restart()
		s.count("FAULT: a node is restarted", nil)
	case 2, 3:
		if n == 3 && left > time.Minute {
			pause = 20*time.Second + rand.N(10*time.Second)
			s.count("FAULT: a node is stopped until it is lost", nil)
		}
		node.Signal(syscall.SIGSTOP)
		time.Sleep(pause)
		node.Signal(syscall.SIGCONT)
		s.count("FAULT: a node is stopped", nil)
	case 4:
		s.forwarder.Cut()
		s.count("FAULT: all connections are cut", nil)
	case 5:
		database := connect(s.t, s.url)
		ended := harness.NumberIn(s.t, database, `SELECT count(pg_terminate_backend(pid))
			FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.3`)
		_ = database.Close()
		s.counts["connections ended by the server"] += int(ended)
		s.count("FAULT: the server ends connections", nil)
	default:
		s.server.Stop()
		time.Sleep(pause)
		s.server.Restart()
		s.count("FAULT: the server crashes", nil)
	}
}

// settle waits until all nodes serve, all requests are answered and all runs have finished.
func (s *soak) settle() {
	for i, node := range s.nodes {
		harness.Eventually(s.t, fmt.Sprintf("node %d serves", i), node.AnswersUp(http.StatusOK))
	}
	for _, kind := range []string{"note", "exclusive"} {
		harness.Eventually(s.t, kind+" is resumed", func() error {
			return s.nodes[0].Do(http.MethodPost, "/kinds/"+kind+"/resume", "", nil)
		})
	}
	for i, client := range s.clients { // checkRuns counts what they were acknowledged
		harness.Eventually(s.t, "all requests are answered", func() error { return client.Post(s.nodes[i]) })
	}
	deadline := time.Now().Add(harness.RescuePatience + *soakTime)
	for {
		counts := s.nodes[0].List("/process_runs").Counts
		if counts["created"]+counts["started"] == 0 {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the counts are %v", counts)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// checkRuns checks that every run that was asked for is there once, and that no two of the exclusive kind
// went on at the same time.
func (s *soak) checkRuns() {
	database := connect(s.t, s.url)
	wanted := map[string]int64{"note": watched}
	for _, client := range s.clients {
		wanted[client.Kind] += int64(client.Counted)
	}
	for kind, want := range wanted {
		n := harness.NumberIn(s.t, database, "SELECT count(*) FROM process_runs WHERE kind = $1", kind)
		if n != want {
			s.t.Errorf("there are %d runs of %s, and %d were acknowledged", n, kind, want)
		}
		s.counts["runs of "+kind] = int(n)
	}
	var failures []string
	err := database.Select(&failures, `SELECT format('run %s: %s', id, error) FROM process_runs
		WHERE kind = 'exclusive' AND status = 3`)
	if err := errors.Join(err, errorOf(failures)); err != nil {
		s.t.Error(err)
	}
	for what, query := range map[string]string{
		"crashes":  "SELECT coalesce(sum(crashes), 0) FROM process_runs",
		"changes":  "SELECT sum(version) FROM process_runs",
		"requeues": "SELECT count(*) FROM run_events WHERE note LIKE 'interrupted%'",
	} {
		s.counts[what] = int(harness.NumberIn(s.t, database, query))
	}
}

func errorOf(failures []string) error {
	if len(failures) == 0 {
		return nil
	}
	return fmt.Errorf("%d runs of the exclusive kind failed, first %s", len(failures), failures[0])
}
