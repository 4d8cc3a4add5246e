package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gavv/httpexpect/v2"

	"runboard/app"
)

// upgrade opens a socket by hand, so that it can be ill-treated.
func upgrade(addr, path string) (*net.TCPConn, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	tcp := conn.(*net.TCPConn)
	_ = tcp.SetReadBuffer(1)
	_, err = fmt.Fprintf(tcp, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n", path, addr)
	return tcp, err
}

// attacks are what bad clients do once they are connected, until stop is closed.
var attacks = map[string]func(conn *net.TCPConn, stop <-chan struct{}){
	"slow": func(conn *net.TCPConn, stop <-chan struct{}) {
		for one := make([]byte, 1); !over(stop); time.Sleep(20 * time.Millisecond) {
			if _, err := conn.Read(one); err != nil {
				return
			}
		}
	},
	"silent":    func(_ *net.TCPConn, stop <-chan struct{}) { <-stop },
	"flooding":  repeat("\x81\x85\x00\x00\x00\x00hello"),
	"pinging":   repeat("\x89\x80\x00\x00\x00\x00"),
	"fragments": repeat("\x01\x81\x00\x00\x00\x00a"),
	"oversized": repeat("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00"),
	"not closed": func(conn *net.TCPConn, stop <-chan struct{}) {
		_, _ = conn.Write([]byte("\x81\x80\x00\x00\x00\x00"))
		<-stop
	},
	"vanishing": func(conn *net.TCPConn, _ <-chan struct{}) { _ = conn.SetLinger(0) },
}

func over(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}

// repeat sends the same again and again, as fast as it is taken.
func repeat(bytes string) func(*net.TCPConn, <-chan struct{}) {
	return func(conn *net.TCPConn, stop <-chan struct{}) {
		for !over(stop) {
			_ = conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			if _, err := conn.Write([]byte(bytes)); err != nil && !strings.Contains(err.Error(), "timeout") {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// socketsOf is how many sockets the program says are open.
func socketsOf(e *httpexpect.Expect) string {
	return regexp.MustCompile(`runboard_sockets (\d+)`).FindString(e.GET("/metrics").Expect().Body().Raw())
}

// It is not parallel: it counts goroutines.
func TestClientsThatBehaveBadlyHoldNobodyUpAndLeaveNothing(t *testing.T) {
	p := startProgram(t, func(c *app.Config) { c.UpgradeRate, c.MaxSocketsPerAddress, c.Workers = 0, 2000, 4 }, workThat("job", ""))
	e := newExpect(t, p)
	good := []*httpexpect.Websocket{watch(t, p, "/process_runs/live"), watch(t, p, "/process_runs/live?status=completed")}
	before := runtime.NumGoroutine()
	stop := make(chan struct{})
	var attackers sync.WaitGroup
	for _, attack := range attacks {
		for range 100 {
			attackers.Go(func() {
				conn, err := upgrade(p.listener.Addr().String(), "/process_runs/live")
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				attack(conn, stop)
			})
		}
	}
	for range 5 {
		e.POST("/process_runs").WithFormField("count", 5).Expect().Status(http.StatusSeeOther)
		time.Sleep(rand.N(50 * time.Millisecond)) // so that there are frames to be slow with
	}
	for _, ws := range good {
		for seen := (screen{}); seen.count("completed") < 25; {
			seen.apply(t, ws.Expect().TextMessage().Body().Raw())
		}
	}
	close(stop)
	attackers.Wait()
	eventually(t, "only the good ones are left", func() error {
		if got := socketsOf(e); got != "runboard_sockets 2" {
			return fmt.Errorf("it says %s", got)
		}
		return nil
	})
	http.DefaultClient.CloseIdleConnections()
	eventually(t, "no goroutine is left of them", func() error {
		if now := runtime.NumGoroutine(); now > before+10 { // the server keeps a few of its workers for a while
			return fmt.Errorf("there were %d and are %d", before, now)
		}
		return nil
	})
}

// A thousand come and go at random while runs change. Each may see only what its own view allows.
func TestWhoeverComesAndGoesSeesOnlyItsOwnView(t *testing.T) {
	t.Parallel()
	p := startProgram(t, func(c *app.Config) { c.UpgradeRate, c.MaxSocketsPerAddress, c.Workers = 0, 2000, 4 },
		workThat("good", ""), workThat("bad", "no ink"))
	e := newExpect(t, p)
	addr := p.listener.Addr().String()
	views := map[string]*regexp.Regexp{ // what must not be seen
		"/process_runs/7/live":               regexp.MustCompile(`id="process_run_(?:[1-68-9]|\d\d+)_status"`),
		"/process_runs/live?status=failed":   regexp.MustCompile(`data-status="(?:created|started|completed|cancelled)"`),
		"/process_runs/live?kind=good":       regexp.MustCompile(`>no ink<`),
		"/process_runs/live?before=5":        regexp.MustCompile(`id="process_run_(?:[5-9]|\d\d+)_status"`),
		"/process_runs/failures/live":        regexp.MustCompile(`id="process_run_`),
		"/process_runs/statistics/live":      regexp.MustCompile(`id="process_run_`),
		"/process_runs/live?status=finished": regexp.MustCompile(`hx-partial|<td`), // there is none such
	}
	start(e, "good", 10)
	var visitors sync.WaitGroup
	limit := make(chan struct{}, 100) // at once
	for range 1000 / len(views) {
		for path, foreign := range views {
			visitors.Go(func() {
				limit <- struct{}{}
				defer func() { <-limit }()
				seen := visit(t, addr, path)
				if found := foreign.FindString(seen); found != "" {
					t.Errorf("%s shows %s", path, found)
				}
			})
		}
		if rand.N(10) == 0 {
			start(e, []string{"good", "bad"}[rand.N(2)], 1+rand.N(5))
		}
	}
	visitors.Wait()
	settled(t, e)
}

// visit reads what a socket is sent for a moment, and leaves in one way or another.
func visit(t *testing.T, addr, path string) string {
	conn, err := upgrade(addr, path)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer conn.Close()
	if rand.N(2) == 0 {
		_ = conn.SetLinger(0)
	}
	_ = conn.SetReadDeadline(time.Now().Add(rand.N(400 * time.Millisecond)))
	var seen strings.Builder
	_, _ = bufio.NewReader(conn).WriteTo(&seen) // until its time is over
	return seen.String()
}
