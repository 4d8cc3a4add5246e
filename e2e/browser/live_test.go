package browser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"runboard/board"
	"runboard/e2e/harness"
	"runboard/jobs"
)

// button selects the button that starts ten runs.
const button = "main form button"

func TestBoard_TwoTabsSeeEveryChange(t *testing.T) {
	t.Parallel()
	b := harness.StartProcess(t, harness.InSteps...)
	tabs := []*tab{openTab(t, b.URL+"/process_runs"), openTab(t, b.URL+"/process_runs")}
	for _, p := range tabs {
		p.untilLive()
		p.untilRows(0)
	}
	tabs[0].click(button)
	for _, p := range tabs {
		p.untilRows(10)
	}
	b.WaitUntilDone(10)
	for i, p := range tabs {
		p.untilTrue(b, "/process_runs")
		checkStatesSeen(t, p, 10)
		p.checkRequests([][]string{{"GET /process_runs", "POST /process_runs"}, {"GET /process_runs"}}[i]...)
		if n := p.socketsSoFar(); n != 1 {
			t.Errorf("the page opened %d sockets", n)
		}
	}
}

// checkStatesSeen checks that the page showed every status of the first runs, in order. Delays must be long
// enough that no two changes of a run share a frame.
func checkStatesSeen(t *testing.T, p *tab, runs int) {
	t.Helper()
	seen := p.statesSeen()
	if len(seen) != runs {
		t.Errorf("the cells %v were seen instead of those of %d runs", seen, runs)
	}
	for id := range runs {
		states := seen[fmt.Sprintf("process_run_%d_status", id+1)]
		if !slices.Equal(states, []string{"1 created", "2 started", "3 completed"}) &&
			!slices.Equal(states, []string{"1 created", "2 started", "3 failed"}) {
			t.Errorf("run %d was seen as %v", id+1, states)
		}
	}
}

// gate is a kind whose runs work until it is open.
type gate struct {
	testing.TB
	file string
}

// newGate returns a closed gate, and the flags of a board with its kind.
func newGate(t testing.TB) (g gate, flags []string) {
	g = gate{t, filepath.Join(t.TempDir(), "open")}
	return g,
		[]string{"--command", fmt.Sprintf(`gate=/bin/sh -c 'until test -e %s; do sleep 0.05; done'`, g.file)}
}

// post creates runs.
func (g gate) post(b *harness.Process, count int) {
	g.Helper()
	if err := b.Do(http.MethodPost, "/process_runs", fmt.Sprintf("kind=gate&count=%d", count),
		nil); err != nil {
		g.Fatal(err)
	}
}

func (g gate) open() {
	g.Helper()
	if err := os.WriteFile(g.file, nil, 0o600); err != nil {
		g.Fatal(err)
	}
}

func TestBoard_RecoversFromServerRestart(t *testing.T) {
	t.Parallel()
	gate, args := newGate(t)
	b := harness.StartProcess(t, args...)
	tabs := []*tab{openTab(t, b.URL+"/process_runs"), openTab(t, b.URL+"/process_runs")}
	for _, p := range tabs {
		p.expectProblems(lostServer)
		p.untilLive()
	}
	gate.post(b, 10)
	for _, p := range tabs {
		p.until("the run is started", `document.querySelectorAll("td[data-status=started]").length > 0`)
	}
	b.Kill()
	for _, p := range tabs {
		p.untilNotLive()
	}
	gate.open()
	b.Restart()
	b.WaitUntilDone(10)
	for _, p := range tabs {
		p.untilLive()
		p.untilTrue(b, "/process_runs")
		p.untilSocket("/process_runs/live")
		p.checkRequests("GET /process_runs")
		checkVersionsRose(t, p)
	}
}

// checkVersionsRose checks that the page never replaced a cell with an older one.
func checkVersionsRose(t *testing.T, p *tab) {
	t.Helper()
	for cell, states := range p.statesSeen() {
		last := 0
		for _, state := range states {
			var version int
			if _, err := fmt.Sscan(state, &version); err != nil || version <= last {
				t.Errorf("%s was seen as %v", cell, states)
				break
			}
			last = version
		}
	}
}

func TestBoard_RecoversFromCutSocket(t *testing.T) {
	t.Parallel()
	gate, args := newGate(t)
	b := harness.StartProcess(t, args...)
	wire := startWire(t, strings.TrimPrefix(b.URL, "http://"))
	p := openTab(t, "http://"+wire.addr()+"/process_runs")
	p.expectProblems(lostServer)
	p.untilLive()
	gate.post(b, 10)
	p.until("the run is started", `document.querySelectorAll("td[data-status=started]").length > 0`)
	wire.cut()
	p.untilNotLive()
	gate.open()
	gate.post(b, 5)
	b.WaitUntilDone(15)
	p.untilRows(10) // the page cannot know of the change
	wire.repair()
	p.untilLive()
	p.untilTrue(b, "/process_runs")
	p.untilSocket("/process_runs/live")
	p.checkRequests("GET /process_runs")
	checkVersionsRose(t, p)
}

func TestFilter_GainsAndLosesRunsLive(t *testing.T) {
	t.Parallel()
	b := harness.StartProcess(t, append(harness.InSteps, "--failure-rate", "1")...)
	failed, started := openTab(t, b.URL+"/process_runs?status=failed"),
		openTab(t, b.URL+"/process_runs?status=started")
	failed.untilLive()
	started.untilLive()
	b.Post(3)
	failed.untilRows(3)
	started.untilRows(0)
	failed.untilTrue(b, "/process_runs?status=failed")
	started.untilTrue(b, "/process_runs?status=started")
	for id := range 3 {
		cell := fmt.Sprintf("process_run_%d_status", id+1)
		if states := started.statesSeen()[cell]; !slices.Equal(states, []string{"2 started"}) {
			t.Errorf("among the started ones, %s was seen as %q", cell, states)
		}
		if states := failed.statesSeen()[cell]; !slices.Equal(states, []string{"3 failed"}) {
			t.Errorf("among the failed ones, %s was seen as %q", cell, states)
		}
	}
	failed.checkRequests("GET /process_runs?status=failed")
	started.checkRequests("GET /process_runs?status=started")
}

func TestPager_OlderPageStays(t *testing.T) {
	t.Parallel()
	b := harness.StartProcess(t, harness.AtOnce...)
	b.Post(60)
	b.WaitUntilDone(60)
	const path = "/process_runs?before=36"
	p := openTab(t, b.URL+path)
	p.untilLive()
	before := evaluate[shownBoard](p, readBoard)
	if n := len(before.Runs); n != 25 || before.Runs[0].ID != 35 {
		t.Fatalf("the page begins with %d runs: %v", n, before.Runs)
	}
	b.Post(10)
	p.until("the new runs are counted", `document.getElementById("count_all").textContent === "70"`)
	b.WaitUntilDone(70)
	p.untilTrue(b, path)
	if after := evaluate[shownBoard](p, readBoard); !slices.Equal(after.Runs, before.Runs) {
		t.Errorf("the rows are %v instead of %v", after.Runs, before.Runs)
	}
	p.checkRequests("GET " + path)
}

func TestRunPage_FollowsItsRun(t *testing.T) {
	t.Parallel()
	turn := make(chan struct{})
	program := harness.StartProgram(t, func(c *board.Config) { c.Workers = 1 },
		jobs.Kind{Name: "turns", Work: func(ctx context.Context, _ *jobs.Run) error {
			select {
			case <-turn:
				return errors.New("the printer is on fire")
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}})
	harness.StartRuns(harness.NewExpect(t, program), 2) // the second run waits until its page is open
	p := openTab(t, program.URL+"/process_runs/2")
	p.untilLive()
	p.untilSocket("/process_runs/2/live")
	for _, status := range []string{"started", "failed"} {
		turn <- struct{}{}
		p.until("the run is "+status,
			`document.getElementById("process_run_2_status").dataset.status === "`+status+`"`)
	}
	if states := p.statesSeen()["process_run_2_status"]; !slices.Equal(states,
		[]string{"1 created", "2 started", "3 failed"}) {
		t.Errorf("the run was seen as %v", states)
	}
	p.until("the error is there, once",
		`document.querySelector("#process_run_2_problem .message").innerText === "the printer is on fire"`)
	p.checkRequests("GET /process_runs/2")
}

func TestCells_OlderDoesNotReplaceNewer(t *testing.T) {
	t.Parallel()
	b := harness.StartProcess(t, append(harness.AtOnce, "--failure-rate", "0")...)
	p := openTab(t, b.URL+"/process_runs")
	p.untilLive()
	b.Post(2) // they arrive after the first frame, which the page always applies
	p.untilRows(2)
	b.WaitUntilDone(2)
	p.untilTrue(b, "/process_runs")
	feed := func(version int, status string) {
		t.Helper()
		evaluate[bool](p, fmt.Sprintf(`htmx.swap({sourceElement: document.getElementById("live"), swap: "none", text:
			'<td id="process_run_1_status" data-status="%[2]s" data-version="%[1]d" hx-swap-oob="outerMorph">%[2]s</td>' +
			'<td id="process_run_1_message" hx-swap-oob="outerMorph">version %[1]d</td>' +
			'<td id="process_run_2_status" data-status="cancelled" data-version="%[3]d" hx-swap-oob="outerMorph">cancelled</td>'}), true`,
			version, status, 10+version))
		p.until("the other cell of the frame is on the page", fmt.Sprintf(
			`document.getElementById("process_run_2_status").dataset.version === "%d"`, 10+version))
	}
	state := func() string {
		return evaluate[string](p, `(({dataset, textContent}) => dataset.version + " " + dataset.status + " " + textContent.split(" ")[0])
			(document.getElementById("process_run_1_status"))`)
	}
	feed(1, "created")
	feed(2, "started")
	if is := state(); is != "3 completed completed" {
		t.Errorf("after older cells the cell is %q", is)
	}
	const message = `document.getElementById("process_run_1_message").textContent`
	if is := evaluate[string](p, message); is != "" {
		t.Errorf("with an older status, the message is %q", is)
	}
	feed(4, "created")
	if is := state() + " " + evaluate[string](p, message); is != "4 created created version 4" {
		t.Errorf("after newer cells the cells are %q", is)
	}
}

// wire is a proxy between browser and server whose connections a test can cut.
type wire struct {
	t        *testing.T
	listener net.Listener
	target   string
	mu       sync.Mutex
	broken   bool
	ends     []net.Conn
}

func startWire(t *testing.T, target string) *wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, listener: listener, target: target}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			browser, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { w.carry(browser) })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); w.cut(); running.Wait() })
	return w
}

func (w *wire) addr() string { return w.listener.Addr().String() }

// carry copies bytes both ways until one end closes or the test cuts the wire.
func (w *wire) carry(browser net.Conn) {
	defer browser.Close()
	server, err := net.Dial("tcp", w.target)
	if err != nil {
		return
	}
	defer server.Close()
	w.mu.Lock()
	broken := w.broken
	w.ends = append(w.ends, browser, server)
	w.mu.Unlock()
	if broken {
		return
	}
	var running sync.WaitGroup
	for _, way := range [][2]net.Conn{{browser, server}, {server, browser}} {
		running.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			_ = browser.Close()
			_ = server.Close()
		})
	}
	running.Wait()
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = true
	for _, end := range w.ends {
		_ = end.Close()
	}
	w.ends = nil
}

func (w *wire) repair() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = false
}
