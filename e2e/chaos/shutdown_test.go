package chaos

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"runboard/e2e/harness"
)

// everySocket returns the paths of a thousand sockets, of lists, pages and runs.
func everySocket(runs int) (paths []string) {
	for i := range 1000 {
		switch i % 4 {
		case 0:
			paths = append(paths, fmt.Sprintf("/process_runs/%d/live", 1+i%runs))
		case 1:
			paths = append(paths, "/process_runs/live?status=started")
		case 2:
			paths = append(paths, "/process_runs/statistics/live")
		default:
			paths = append(paths, "/process_runs/live")
		}
	}
	return paths
}

func TestShutdown_ClosesSocketsAndRequeuesRuns(t *testing.T) {
	t.Parallel()
	const drain = 300 * time.Millisecond
	b := harness.StartProcess(t, "--command", "slow=/bin/sleep 98765", "--workers", "20", "--run-timeout",
		"1h", "--drain-timeout", drain.String(),
		"--upgrade-rate", "0", "--max-sockets-per-address", "2000")
	if err := b.Do(http.MethodPost, "/process_runs", "count=25&kind=slow", nil); err != nil {
		t.Fatal(err)
	}
	b.UntilStarted(20)
	paths := everySocket(25)
	codes := closeCodes(t, b, paths...)
	slow, err := net.Dial("tcp", strings.TrimPrefix(b.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if _, err := slow.Write([]byte("POST /process_runs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 8\r\n")); err != nil {
		t.Fatal(err) // the rest of the request is never sent
	}
	began := time.Now()
	b.Signal(syscall.SIGTERM)
	got := map[int]int{}
	for range paths {
		got[<-codes]++
	}
	if got[websocket.CloseServiceRestart] != len(paths) {
		t.Errorf("the sockets were closed with codes %v", got)
	}
	if status := b.Wait(); status != 0 {
		t.Errorf("the exit status is %d", status)
	}
	if took := time.Since(began); took > drain+5*time.Second {
		t.Errorf("it took %v", took)
	}
	db := openFile(t, b.File())
	if n := harness.NumberIn(t, db,
		"SELECT count(*) FROM process_runs WHERE status = 0 AND crashes = 0 AND attempt = 0"); n != 25 {
		t.Errorf("%d of 25 runs are requeued", n)
	}
	if n := harness.CountRunning(t, "sleep 98765"); n != 0 {
		t.Errorf("%d commands still run", n)
	}
}

func TestShutdown_LetsRunsFinish(t *testing.T) {
	t.Parallel()
	b := harness.StartProcess(t, harness.InSteps...)
	closed := closeCodes(t, b, "/process_runs/live", "/process_runs/live?status=failed", "/process_runs/live")
	b.Post(10)
	b.UntilAllStarted()
	b.Signal(syscall.SIGTERM)
	if status := b.Wait(); status != 0 {
		t.Errorf("the exit status is %d", status)
	}
	for range 3 {
		if code := <-closed; code != websocket.CloseServiceRestart {
			t.Errorf("a socket was closed with %d", code)
		}
	}
	if _, err := os.Stat(b.File() + "-wal"); err == nil { // a copy of the file alone would lack its content
		t.Error("the write-ahead log is left behind")
	}
	db := openFile(t, b.File())
	if n := harness.NumberIn(t, db, "SELECT count(*) FROM process_runs WHERE status IN (2, 3)"); n != 10 {
		t.Errorf("%d of 10 runs finished", n)
	}
}

func TestShutdown_RequeuesUnfinishedRuns(t *testing.T) {
	t.Parallel()
	b := harness.StartProcess(t, "--delay-min", "0s", "--delay-max", "10m", "--run-timeout", "1h",
		"--workers", "1000", "--drain-timeout", "200ms")
	closed := closeCodes(t, b, "/process_runs/live")
	b.Post(1000)
	b.UntilStarted(1)
	b.Signal(syscall.SIGTERM)
	if status := b.Wait(); status != 0 {
		t.Errorf("the exit status is %d", status)
	}
	if code := <-closed; code != websocket.CloseServiceRestart {
		t.Errorf("the socket was closed with %d", code)
	}
	db := openFile(t, b.File())
	if n := harness.NumberIn(t, db, "SELECT count(*) FROM process_runs WHERE status = 1"); n != 0 {
		t.Errorf("%d runs are left started", n)
	}
	if n := harness.NumberIn(t, db,
		"SELECT count(*) FROM process_runs WHERE status = 0 AND version = 3"); n == 0 {
		t.Error("no run was requeued")
	}
	if n := harness.NumberIn(t, db,
		"SELECT count(*) FROM process_runs WHERE status = 0 AND (attempt <> 0 OR crashes <> 0)"); n != 0 {
		t.Errorf("%d runs lost an attempt by a shutdown", n)
	}
}

// closeCodes opens a socket for each path, and returns a channel with their close codes.
func closeCodes(t *testing.T, b *harness.Process, paths ...string) <-chan int {
	t.Helper()
	codes := make(chan int, len(paths))
	var reading sync.WaitGroup
	t.Cleanup(reading.Wait)
	for _, path := range paths {
		conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(b.URL, "http")+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		reading.Go(func() {
			for {
				if _, _, err := conn.ReadMessage(); err != nil {
					code := -1
					if closed, ok := err.(*websocket.CloseError); ok {
						code = closed.Code
					}
					codes <- code
					return
				}
			}
		})
	}
	return codes
}

func TestShutdown_SecondSIGTERMIsImmediate(t *testing.T) {
	t.Parallel()
	// The runs take five minutes on average, and the drain timeout would let them: only the second signal
	// ends the process.
	b := harness.StartProcess(t, "--delay-min", "0s", "--delay-max", "10m", "--run-timeout", "1h",
		"--workers", "1000", "--drain-timeout", "1h")
	b.Post(1000)
	b.UntilStarted(2)
	started := b.List("/process_runs?status=started").ProcessRuns
	b.Signal(syscall.SIGTERM)
	harness.Eventually(t, "it begins to shut down", func() error {
		if text := b.Log.String(); !strings.Contains(text, "shutting down") {
			return fmt.Errorf("the log is %s", text)
		}
		return nil
	})
	b.Signal(syscall.SIGTERM)
	if status := b.Wait(); status != 1 {
		t.Errorf("the exit status is %d", status)
	}
	b.Restart() // all runs must still exist
	if n := harness.TotalOf(b); n != 1000 {
		t.Errorf("there are %d runs instead of 1000", n)
	}
	for _, run := range started {
		now := struct{ Crashes int }{-1}
		if err := b.Get(fmt.Sprint("/process_runs/", run.ID), &now); err != nil || now.Crashes != 0 {
			t.Errorf("run %d has a crash: %+v, %v", run.ID, now, err)
		}
	}
	if strings.Contains(b.Log.String(), "interrupted by a crash") {
		t.Error("the next start takes the shutdown for a crash")
	}
}
