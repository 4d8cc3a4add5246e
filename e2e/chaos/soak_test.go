package chaos

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"runboard/e2e/harness"
)

var (
	soakTime    = flag.Duration("soak", 10*time.Second, "how long the program is under mixed load")
	soakSockets = flag.Int("soak-sockets", 200, "how many sockets watch meanwhile")
)

// use has the resources that the server holds.
type use struct{ memory, goroutines, files, wal float64 }

// useOf reads the metrics of the server and the size of its write-ahead log.
func useOf(b *harness.Process) (u use) {
	b.T.Helper()
	response, err := harness.Client.Get(b.URL + "/metrics")
	if err != nil {
		b.T.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	for name, into := range map[string]*float64{
		"process_resident_memory_anon_bytes": &u.memory, "go_goroutines": &u.goroutines,
		"process_open_fds": &u.files,
	} {
		found := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(text)
		if found == nil {
			b.T.Fatalf("there is no %s", name)
		}
		*into, _ = strconv.ParseFloat(string(found[1]), 64)
	}
	if info, err := os.Stat(b.File() + "-wal"); err == nil {
		u.wal = float64(info.Size())
	}
	return u
}

func (u use) String() string {
	return fmt.Sprintf("%.1f MB, %.0f goroutines, %.0f files, write-ahead log %.1f MB", u.memory/1e6,
		u.goroutines, u.files, u.wal/1e6)
}

// middle returns the median of each field.
func middle(uses []use) (m use) {
	of := func(field func(*use) *float64) {
		var values []float64
		for i := range uses {
			values = append(values, *field(&uses[i]))
		}
		slices.Sort(values)
		*field(&m) = values[len(values)/2]
	}
	of(func(u *use) *float64 { return &u.memory })
	of(func(u *use) *float64 { return &u.goroutines })
	of(func(u *use) *float64 { return &u.files })
	of(func(u *use) *float64 { return &u.wal })
	return m
}

// Requests of users and programs; %d is replaced by the ID of a run.
var (
	soakReads = []string{
		"/process_runs", "/process_runs?status=failed", "/process_runs?before=%d",
		"/process_runs?after=%d&status=completed", "/process_runs?q=disk",
		"/process_runs?since=1m&kind=simulated", "/process_runs/%d", "/process_runs/%d/status",
		"/process_runs/%d/log", "/process_runs/failures",
		"/process_runs/statistics", "/process_runs.ndjson?before=%d", "/process_runs.csv?status=failed",
		"/process_runs/bulk?operation=retry&scope=all&status=failed",
	}
	soakWrites = []string{
		"/process_runs count=1", "/process_runs count=10", "/process_runs count=20", "/process_runs count=20",
		"/process_runs count=0",
		"/process_runs/%d/cancel", "/process_runs/%d/retry", "/process_runs/%d/delete",
		"/process_runs/bulk operation=retry&scope=selected&id=%d",
		"/process_runs/bulk operation=delete&scope=all&status=cancelled",
	}
	soakViews = []string{
		"/process_runs/live", "/process_runs/live", "/process_runs/live?status=failed",
		"/process_runs/live?kind=simulated", "/process_runs/live?q=error",
		"/process_runs/live?before=%d", "/process_runs/%d/live", "/process_runs/failures/live",
		"/process_runs/statistics/live",
	}
)

// some returns a random text, with the ID of a recent run for %d. The run may no longer exist.
func some(texts []string, newest int64) string {
	return strings.ReplaceAll(texts[rand.IntN(len(texts))], "%d",
		fmt.Sprint(max(1, newest-rand.Int64N(1000))))
}

// ask makes random requests until ctx ends. Answers with a 4xx status are allowed, because a run may no
// longer exist or may have changed.
func ask(ctx context.Context, b *harness.Process) {
	for newest := int64(1); ctx.Err() == nil; time.Sleep(rand.N(20 * time.Millisecond)) {
		method, path, form := http.MethodGet, some(soakReads, newest), ""
		var into any
		var made harness.ListJSON
		if rand.IntN(3) == 0 {
			method = http.MethodPost
			if path, form, _ = strings.Cut(some(soakWrites, newest), " "); path == "/process_runs" {
				into = &made
			}
		}
		if err := b.Do(method, path, form, into); err != nil && !strings.Contains(err.Error(), ": 4") {
			b.T.Errorf("%s %s: %v", path, form, err)
		}
		if len(made.ProcessRuns) > 0 {
			newest = made.ProcessRuns[0].ID
		}
	}
}

// look opens random sockets, one after the other, until ctx ends, and reads each for a while.
func look(ctx context.Context, b *harness.Process) {
	for ctx.Err() == nil {
		address := "ws" + strings.TrimPrefix(b.URL, "http") + some(soakViews, 1000)
		conn, _, err := websocket.DefaultDialer.DialContext(ctx, address, nil)
		if ctx.Err() != nil {
			return
		} else if err != nil {
			b.T.Errorf("a socket cannot be opened: %v", err)
			return
		}
		while, cancel := context.WithTimeout(ctx, rand.N(min(*soakTime/2, 2*time.Minute)))
		harness.ReadUntil(while, conn, func(string) {})
		cancel()
	}
}

// watchUse samples the resources of the server until ctx ends.
func watchUse(ctx context.Context, b *harness.Process) (uses []use) {
	for ; ctx.Err() == nil; time.Sleep(*soakTime / 100) {
		uses = append(uses, useOf(b))
	}
	return uses
}

// Under mixed load of any duration (make soak), the server neither fails nor grows. The test compares memory
// only after a run long enough for it to settle.
func TestMixedLoad_LeavesNothingBehind(t *testing.T) {
	t.Parallel()
	b := harness.StartProcess(t, "--delay-min", "0s", "--delay-max", "20ms", "--failure-rate", "0.3",
		"--keep-max", "5000",
		"--post-rate", "0", "--upgrade-rate", "0", "--max-sockets-per-address", fmt.Sprint(2**soakSockets))
	b.Post(20)
	b.WaitUntilDone(20)
	before := useOf(b)
	ctx, stop := context.WithCancel(t.Context()) // a deadline could fail a dial before ctx.Err reports it
	defer stop()
	defer time.AfterFunc(*soakTime, stop).Stop()
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() { ask(ctx, b) })
	}
	for range *soakSockets {
		load.Go(func() { look(ctx, b) })
	}
	uses := watchUse(ctx, b)
	load.Wait()
	fifth := len(uses) / 5
	early, late := middle(uses[fifth:2*fifth]), middle(uses[4*fifth:])
	t.Logf("before:     %v\nearly:      %v\nlate:       %v", before, early, late)
	if *soakTime >= 5*time.Minute &&
		(late.memory > 1.2*early.memory || late.goroutines > 1.2*early.goroutines ||
			late.files > 1.2*early.files) {
		t.Error("memory or open files keep growing")
	}
	if late.wal > 64e6 {
		t.Errorf("the write-ahead log is %.0f bytes long", late.wal)
	}
	harness.Eventually(t, "everything is released", func() error {
		if after := useOf(b); after.goroutines > before.goroutines+10 || after.files > before.files+5 {
			return fmt.Errorf("before: %v, now: %v", before, after)
		}
		return nil
	})
}
