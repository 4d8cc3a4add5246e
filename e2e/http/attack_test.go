package http

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gavv/httpexpect/v2"

	"runboard/board"
	"runboard/e2e/harness"
)

// attacks are the actions of bad clients after the upgrade, until stop is closed.
var attacks = map[string]func(conn *net.TCPConn, stop <-chan struct{}){
	"slow": func(conn *net.TCPConn, stop <-chan struct{}) {
		for one := make([]byte, 1); !harness.IsOver(stop); time.Sleep(20 * time.Millisecond) {
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

// repeat writes the same bytes again and again, as fast as the server reads them.
func repeat(bytes string) func(*net.TCPConn, <-chan struct{}) {
	return func(conn *net.TCPConn, stop <-chan struct{}) {
		for !harness.IsOver(stop) {
			_ = conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			if _, err := conn.Write([]byte(bytes)); err != nil && !strings.Contains(err.Error(), "timeout") {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// socketsOf returns the metric with the number of open sockets.
func socketsOf(e *httpexpect.Expect) string {
	return regexp.MustCompile(`runboard_sockets (\d+)`).FindString(e.GET("/metrics").Expect().Body().Raw())
}

// wellBehaved are sockets that read their frames.
type wellBehaved struct {
	sockets []*httpexpect.Websocket
	screens []harness.Screen
	runs    int
}

// delay returns the median time from the request to create a run until all sockets show that it is completed.
func (w *wellBehaved) delay(t *testing.T, e *httpexpect.Expect) time.Duration {
	t.Helper()
	var delays []time.Duration
	for range 15 {
		began := time.Now()
		e.POST("/process_runs").WithFormField("count", 1).Expect().Status(http.StatusSeeOther)
		w.runs++
		for i, ws := range w.sockets {
			for w.screens[i].Count("completed") < w.runs {
				w.screens[i].Apply(t, ws.Expect().TextMessage().Body().Raw())
			}
		}
		delays = append(delays, time.Since(began))
		time.Sleep(rand.N(50 * time.Millisecond)) // so that rounds do not all start right after a frame
	}
	slices.Sort(delays)
	return delays[len(delays)/2]
}

// held returns the memory that the process uses, in MiB.
func held() float64 {
	runtime.GC()
	runtime.GC() // only the second one frees the content of pools
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc+stats.StackInuse) / (1 << 20)
}

// attack starts a hundred clients for each of the attacks, and returns when all are connected.
func attack(t *testing.T, addr string, stop <-chan struct{}) (attackers *sync.WaitGroup) {
	t.Helper()
	attackers = &sync.WaitGroup{}
	var connected sync.WaitGroup
	for _, attack := range attacks {
		for range 100 {
			connected.Add(1)
			attackers.Go(func() {
				conn, err := harness.RawSocket(addr, "/process_runs/live")
				connected.Done()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				attack(conn, stop)
			})
		}
	}
	connected.Wait()
	return attackers
}

// The test is not parallel, because it counts goroutines and measures time and memory.
func TestAttack_DelaysNoReaderAndLeavesNothing(t *testing.T) {
	harness.SkipOnPostgres(t)
	p := harness.StartProgram(t,
		func(c *board.Config) { c.UpgradeRate, c.MaxSocketsPerAddress, c.Workers = 0, 2000, 4 },
		harness.WorkThat("job", ""))
	e := harness.NewExpect(t, p)
	good := &wellBehaved{
		sockets: []*httpexpect.Websocket{harness.Watch(t, p, "/process_runs/live"),
			harness.Watch(t, p, "/process_runs/live?status=completed")},
		screens: []harness.Screen{{}, {}},
	}
	alone := good.delay(t, e)
	before, memory := runtime.NumGoroutine(), held()
	stop := make(chan struct{})
	attackers := attack(t, p.Addr, stop)
	beside, most := good.delay(t, e), held()
	close(stop)
	attackers.Wait()
	harness.Eventually(t, "only the sockets of users are left", func() error {
		if got := socketsOf(e); got != "runboard_sockets 2" {
			return fmt.Errorf("it says %s", got)
		}
		return nil
	})
	http.DefaultClient.CloseIdleConnections()
	harness.Eventually(t, "their goroutines have ended", func() error {
		if now := runtime.NumGoroutine(); now > before+10 { // the server keeps some idle workers for a while
			return fmt.Errorf("there were %d before and are now %d", before, now)
		}
		return nil
	})
	harness.Eventually(t, "their memory is released", func() error {
		if now := held(); now > memory+4 {
			return fmt.Errorf("memory was %.1f MiB, then %.1f, and is now %.1f", memory, most, now)
		}
		return nil
	})
	t.Logf("a run was shown after %v alone, and after %v during the attack; %.1f, %.1f, and then %.1f MiB",
		alone, beside, memory, most, held())
	// A server that waited for a client which does not read would wait for five seconds. Half of that is the
	// allowance for the attackers, which run in the same process: on a machine with eight times too much load
	// they have taken more than a second.
	if beside > alone+2500*time.Millisecond {
		t.Errorf("a run was shown after %v alone, but after %v during the attack", alone, beside)
	}
}

// A thousand subscribers join and leave at random while runs change. Each may see only runs of its own view.
func TestSockets_SeeOnlyTheirOwnView(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t,
		func(c *board.Config) { c.UpgradeRate, c.MaxSocketsPerAddress, c.Workers = 0, 2000, 4 },
		harness.WorkThat("good", ""), harness.WorkThat("bad", "no ink"))
	e := harness.NewExpect(t, p)
	addr := p.Addr
	views := map[string]*regexp.Regexp{ // matches what the view must not show
		"/process_runs/7/live":               regexp.MustCompile(`id="process_run_(?:[1-68-9]|\d\d+)_status"`),
		"/process_runs/live?status=failed":   regexp.MustCompile(`data-status="(?:created|started|completed|cancelled)"`),
		"/process_runs/live?kind=good":       regexp.MustCompile(`>no ink<`),
		"/process_runs/live?before=5":        regexp.MustCompile(`id="process_run_(?:[5-9]|\d\d+)_status"`),
		"/process_runs/failures/live":        regexp.MustCompile(`id="process_run_`),
		"/process_runs/statistics/live":      regexp.MustCompile(`id="process_run_`),
		"/process_runs/live?status=finished": regexp.MustCompile(`hx-partial|<td`), // there is no such status
	}
	harness.StartRunsOf(e, "good", 10)
	var visitors sync.WaitGroup
	limit := make(chan struct{}, 100) // concurrent visits
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
			harness.StartRunsOf(e, []string{"good", "bad"}[rand.N(2)], 1+rand.N(5))
		}
	}
	visitors.Wait()
	harness.WaitUntilDone(t, e)
}

// visit reads the frames of a socket for a moment, leaves in a random way, and returns what it read.
func visit(t *testing.T, addr, path string) string {
	conn, err := harness.RawSocket(addr, path)
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
	_, _ = bufio.NewReader(conn).WriteTo(&seen) // until the read deadline
	return seen.String()
}
