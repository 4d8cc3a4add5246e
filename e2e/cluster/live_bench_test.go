package cluster

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/jmoiron/sqlx"

	"runboard/db/pgtest"
	"runboard/e2e/harness"
)

// BenchmarkLive_BetweenNodes measures how long it takes from the creation of a run on one node until a socket
// of another node shows it, or a newer one, while both nodes work on the runs and commit about a thousand
// changes a second. The goal is a p99 of 250 ms.
//
//	go test -tags sqlite_fts5 -run '^$' -bench Live_BetweenNodes -benchtime 1x ./e2e/cluster
func BenchmarkLive_BetweenNodes(b *testing.B) {
	const runs, pause = 10, 30 * time.Millisecond // a thousand changes a second: three for each run
	server := pgtest.URL(b)
	var nodes []*harness.Process
	for range 2 {
		nodes = append(nodes, harness.StartNode(b, server,
			"--delay-min", "0s", "--delay-max", "0s", "--failure-rate", "0"))
	}
	shown := watchNewest(b, nodes[1])
	for b.Loop() {
		began := time.Now()
		for tick := time.NewTicker(pause); time.Since(began) < 20*time.Second; <-tick.C {
			nodes[0].Post(runs)
		}
		b.ReportMetric(3*float64(harness.TotalOf(nodes[0]))/time.Since(began).Seconds(), "changes/s")
	}
	last := nodes[0].Post(1)[0].ID
	nodes[0].WaitUntilDone(last)
	waits := waitsUntilShown(b, server, shown(last))
	b.ReportMetric(float64(waits[len(waits)/2].Milliseconds()), "p50-ms")
	b.ReportMetric(float64(waits[len(waits)*99/100].Milliseconds()), "p99-ms")
}

// newestShown is the ID of the newest run that a socket showed, and when it did.
type newestShown struct {
	id int64
	at time.Time
}

var rowPattern = regexp.MustCompile(`<tr id="process_run_(\d+)"`)

// watchNewest opens a socket for the list. The result waits until it has shown the run with the ID last,
// closes it, and returns what it showed as the newest runs.
func watchNewest(b *testing.B, node *harness.Process) func(last int64) []newestShown {
	b.Helper()
	url := "ws" + strings.TrimPrefix(node.URL, "http") + "/process_runs/live"
	conn, _, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var shown []newestShown
	var reading sync.WaitGroup
	var newest atomic.Int64
	reading.Go(func() {
		harness.ReadUntil(ctx, conn, func(frame string) {
			first := rowPattern.FindStringSubmatch(frame) // the newest is first
			if first == nil {
				return
			}
			if id, err := strconv.ParseInt(first[1], 10, 64); err == nil && id > newest.Load() {
				shown = append(shown, newestShown{id, time.Now()})
				newest.Store(id)
			}
		})
	})
	return func(last int64) []newestShown {
		b.Helper()
		harness.Eventually(b, "the newest run is shown", func() error {
			if id := newest.Load(); id < last {
				return fmt.Errorf("the newest is %d", id)
			}
			return nil
		})
		cancel()
		reading.Wait()
		return shown
	}
}

// waitsUntilShown returns how long each run took from its creation, by the clock of the server, until it or a
// newer one was shown, the shortest time first.
func waitsUntilShown(b *testing.B, server string, shown []newestShown) (waits []time.Duration) {
	b.Helper()
	database, err := sqlx.Connect("pgx", server)
	if err != nil {
		b.Fatal(err)
	}
	defer database.Close()
	var runs []struct {
		ID        int64
		CreatedAt int64 `db:"created_at"`
	}
	if err := database.Select(&runs, "SELECT id, created_at FROM process_runs ORDER BY id"); err != nil {
		b.Fatal(err)
	}
	for _, run := range runs {
		i, _ := slices.BinarySearchFunc(shown, run.ID, func(s newestShown, id int64) int {
			return int(s.id - id)
		})
		if i == len(shown) {
			b.Fatalf("run %d was never shown", run.ID)
		}
		waits = append(waits, shown[i].at.Sub(time.UnixMilli(run.CreatedAt)))
	}
	slices.Sort(waits)
	return waits
}
