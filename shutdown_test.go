package main

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/fasthttp/websocket"
)

// everySocket is a thousand of them, on lists and on runs.
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

func TestAShutdownTakesLeaveOfAThousandSocketsAndTwentyRuns(t *testing.T) {
	t.Parallel()
	b := startBinary(t, "--command", "slow=/bin/sleep 98765", "--workers", "20", "--run-timeout", "1h", "--drain-timeout", "300ms",
		"--upgrade-rate", "0", "--max-sockets-per-address", "2000")
	if err := b.do(http.MethodPost, "/process_runs", "count=25&kind=slow", nil); err != nil {
		t.Fatal(err)
	}
	b.untilStarted(20)
	paths := everySocket(25)
	codes := closeCodes(t, b, paths...)
	slow, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if _, err := slow.Write([]byte("POST /process_runs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 8\r\n")); err != nil {
		t.Fatal(err) // and the rest never comes
	}
	b.signal(syscall.SIGTERM)
	got := map[int]int{}
	for range paths {
		got[<-codes]++
	}
	if got[websocket.CloseServiceRestart] != len(paths) {
		t.Errorf("they were closed with %v", got)
	}
	if status := b.wait(); status != 0 {
		t.Errorf("the exit status is %d", status)
	}
	db := openFile(t, b.database)
	if n := number(t, db, "SELECT count(*) FROM process_runs WHERE status = 0 AND crashes = 0 AND attempt = 0"); n != 25 {
		t.Errorf("%d of 25 runs wait to be done", n)
	}
	if n := running(t, "sleep 98765"); n != 0 {
		t.Errorf("%d processes go on", n)
	}
}
