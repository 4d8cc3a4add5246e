package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"runboard/db/pgtest"
	"runboard/e2e/harness"
)

// wrongFor is how long a page may show an old state in a rolling restart: two seconds are promised, and the
// machine may be busy.
const wrongFor = 10 * time.Second

// Nodes restart one after the other behind nginx, configured as in compose.yaml, while clients start runs,
// read pages and watch a run that changes all the time. No request fails, and no page is wrong for long.
func TestNodes_RollingRestartBehindLoadBalancer(t *testing.T) {
	t.Parallel()
	server := pgtest.URL(t)
	var nodes []*harness.Process
	for range 3 {
		nodes = append(nodes, harness.StartNode(t, server, "--demo", "--command", "held=/bin/true",
			"--delay-min", "0s", "--delay-max", "100ms", "--failure-rate", "0", "--drain-timeout", "1s"))
	}
	balancer := harness.Balance(t, nodes)
	run := heldRun(t, balancer)
	stop, load := make(chan struct{}), sync.WaitGroup{}
	clients := make([]*harness.CrashClient, 3)
	for i := range clients {
		clients[i] = &harness.CrashClient{Number: i, Kind: "simulated"}
		load.Go(func() { postAndRead(balancer, clients[i], stop) })
	}
	changed := &versions{}
	load.Go(func() { toggle(balancer, run, changed, stop) })
	shown, closeSockets := watchRun(balancer, run, 6)
	for _, node := range nodes {
		node.UntilStarted(1)
		node.Signal(syscall.SIGTERM)
		if status := node.Wait(); status != 0 {
			t.Errorf("a node ended with %d", status)
		}
		node.Restart()
	}
	close(stop)
	load.Wait()
	for i := range shown {
		checkShown(t, changed, shown[i])
	}
	closeSockets()
	wanted := int64(0)
	for _, c := range clients {
		c.CheckAcknowledged(balancer)
		wanted += int64(c.Counted)
	}
	if err := balancer.Do(http.MethodPost, "/kinds/held/resume", "", nil); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "all runs are done", func() error {
		if counts := balancer.List("/process_runs").Counts; counts["created"]+counts["started"] != 0 {
			return fmt.Errorf("the counts are %v", counts)
		}
		return nil
	})
	if total := harness.TotalOf(balancer); total != wanted+1 {
		t.Errorf("there are %d runs instead of %d", total, wanted+1)
	}
	checkHistory(t, server)
	const crashed = "SELECT count(*) FROM process_runs WHERE crashes > 0"
	if n := harness.NumberIn(t, connect(t, server), crashed); n != 0 {
		t.Errorf("%d runs have crashes", n)
	}
}

// heldRun creates a run of a paused kind, so that it changes only by commands.
func heldRun(t *testing.T, node *harness.Process) int64 {
	t.Helper()
	if err := node.Do(http.MethodPost, "/kinds/held/pause", "", nil); err != nil {
		t.Fatal(err)
	}
	var created harness.ListJSON
	if err := node.Do(http.MethodPost, "/process_runs", "kind=held&count=1", &created); err != nil {
		t.Fatal(err)
	}
	return created.ProcessRuns[0].ID
}

// postAndRead creates runs and reads pages until stop is closed. No request may fail.
func postAndRead(node *harness.Process, client *harness.CrashClient, stop <-chan struct{}) {
	paths := []string{"/process_runs", "/process_runs?status=failed", "/process_runs/1", "/kinds"}
	for ; !harness.IsOver(stop); time.Sleep(10 * time.Millisecond) {
		if err := client.Post(node); err != nil {
			node.T.Errorf("runs cannot be started: %v", err)
			return
		}
		for _, path := range paths {
			if err := node.Get(path, nil); err != nil {
				node.T.Errorf("%s cannot be read: %v", path, err)
			}
		}
	}
}

// versions has the versions of a run, and since when each has been there. It is safe for concurrent use.
type versions struct {
	mu    sync.Mutex
	known []versionAt
}

type versionAt struct {
	version int64
	at      time.Time
}

func (v *versions) add(version int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.known = append(v.known, versionAt{version, time.Now()})
}

// since returns when a version, or a newer one, was there.
func (v *versions) since(version int64) (at time.Time, found bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, known := range v.known {
		if known.version >= version {
			return known.at, true
		}
	}
	return time.Time{}, false
}

// toggle cancels and retries a run until stop is closed. No request may fail.
func toggle(node *harness.Process, run int64, changed *versions, stop <-chan struct{}) {
	for n := 0; !harness.IsOver(stop); n++ {
		var now harness.RunJSON
		path := fmt.Sprintf("/process_runs/%d/%s", run, []string{"cancel", "retry"}[n%2])
		if err := node.Do(http.MethodPost, path, "", &now); err != nil {
			node.T.Errorf("%s: %v", path, err)
			return
		}
		changed.add(now.Version)
		time.Sleep(50 * time.Millisecond)
	}
}

// watchRun opens n sockets for a run until the caller calls closeAll. It returns what each shows.
func watchRun(node *harness.Process, run int64, n int) (shown []*versions, closeAll func()) {
	ctx, cancel := context.WithCancel(node.T.Context())
	var watching sync.WaitGroup
	for range n {
		one := &versions{}
		shown = append(shown, one)
		watching.Go(func() { keepWatching(ctx, node, run, one) })
	}
	return shown, func() {
		cancel()
		watching.Wait()
	}
}

// keepWatching keeps a socket for a run open, as its page does, until ctx ends.
func keepWatching(ctx context.Context, node *harness.Process, run int64, shown *versions) {
	url := fmt.Sprintf("ws%s/process_runs/%d/live", strings.TrimPrefix(node.URL, "http"), run)
	seen := harness.Screen{}
	for ; ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		conn, _, err := websocket.DefaultDialer.DialContext(ctx, url, nil)
		if err != nil {
			continue // a browser tries again, too
		}
		harness.ReadUntil(ctx, conn, func(frame string) {
			seen.Apply(node.T, frame)
			shown.add(int64(seen[fmt.Sprint(run)].Version))
		})
	}
}

// checkShown checks that each change was shown in time.
func checkShown(t *testing.T, changed, shown *versions) {
	t.Helper()
	var worst time.Duration
	for _, change := range changed.known {
		var at time.Time
		harness.Eventually(t, fmt.Sprintf("version %d is shown", change.version), func() (err error) {
			var found bool
			if at, found = shown.since(change.version); !found {
				err = errors.New("it is not")
			}
			return err
		})
		worst = max(worst, at.Sub(change.at))
	}
	t.Logf("%d changes were shown, the latest after %v", len(changed.known), worst.Round(time.Millisecond))
	if worst > wrongFor || len(changed.known) == 0 {
		t.Errorf("a page was wrong for %v", worst)
	}
}
