package browser

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"runboard/e2e/harness"
)

// linesShown evaluates to the texts of the log lines on the page.
const linesShown = `[...document.querySelectorAll("#log .lines > [data-offset]")].
	map((line) => line.textContent)`

// untilLines waits until the log on the page has exactly the lines from first to last, in order.
func (p *tab) untilLines(first, last int) {
	p.t.Helper()
	p.until(fmt.Sprintf("the page has the lines %d to %d", first, last), fmt.Sprintf(
		`((lines) => lines.length === %[2]d - %[1]d + 1 &&
			lines.every((line, i) => line === "line " + (i + %[1]d)))(%[3]s)`, first, last, linesShown))
}

// untilLast waits until the log on the page ends with a line, without gaps and duplicates.
func (p *tab) untilLast(last int) {
	p.t.Helper()
	p.until(fmt.Sprintf("the page has the lines up to %d", last), fmt.Sprintf(
		`((lines) => lines.length > 0 && lines.every((line, i) => line === "line " + (i + 1 + %d - lines.length)))(%s)`, last, linesShown))
}

// firstShown evaluates to the number of the first line on the page.
const firstShown = `Number(document.querySelector("#log a[data-line]").dataset.line)`

const atEnd = `((log) => log.scrollHeight - log.scrollTop - log.clientHeight < 30)(document.getElementById("log"))`

func TestLog_ShowsLinesWhileRunning(t *testing.T) {
	t.Parallel()
	gate := filepath.Join(t.TempDir(), "gate")
	p := harness.StartProgram(t, nil, harness.Commands(t, fmt.Sprintf(
		`job=sh -c 'echo "<b>one</b>"; echo two >&2; echo progress: 40%% copying; while [ ! -e %s ]; do sleep 0.05; done; echo end'`, gate))...)
	harness.StartRun(harness.NewExpect(t, p), "job")
	tabs := []*tab{openTab(t, p.URL+"/process_runs/1"), openTab(t, p.URL+"/process_runs/1")}
	for _, tab := range tabs {
		tab.untilLive()
		tab.until("the lines are there",
			linesShown+`.toSorted().join() === "<b>one</b>,progress: 40% copying,two"`)
		tab.until("the second one is an error",
			`document.querySelector("#log [data-stream=stderr]")?.textContent === "two"`)
		tab.until("the bar has moved",
			`document.querySelector("#process_run_1_progress progress").value === 40`)
		tab.until("the progress appears",
			`document.getElementById("process_run_1_progress").innerText.includes("40% · copying")`)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tab := range tabs {
		tab.until("the last line is there", linesShown+`.at(-1) === "end"`)
		tab.until("the run is completed", shows("1", "completed"))
	}
}

func TestRunPage_StartCancelAndRetry(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil,
		harness.Commands(t, `backup=sh -c 'echo working; exec sleep 1000'`, "report=true")...)
	board := openTab(t, p.URL+"/kinds/backup")
	board.untilLive()
	for count, label := range map[int]string{2: "Start 2 runs", 1: "Start 1 run"} {
		board.setCount(count)
		board.until("the button says how many",
			fmt.Sprintf(`document.querySelector("#start button").textContent === %q`, label))
	}
	board.setCount(1)
	board.click("#start button")
	board.untilRows(1)
	board.follow("#process_run_1 a")
	board.untilLive()
	board.until("it works", linesShown+`.join() === "working"`)
	board.click(cancelOnPage)
	board.until("the run is cancelled", shows("1", "cancelled"))
	board.do(chromedp.Sleep(time.Second)) // otherwise the page takes it for a double click
	board.click(retryOnPage)
	board.until("it works again", linesShown+`.join() === "working,attempt 1 of 1,working"`)
	board.do(chromedp.Sleep(time.Second))
	board.click(cancelOnPage)
	board.until("the run is cancelled again", shows("1", "cancelled"))
}

// atTheEnd opens the page of a working run with forty log lines. The last one is visible.
func atTheEnd(t *testing.T) (work *harness.Steps, reader *tab) {
	t.Helper()
	work = harness.NewSteps("job")
	p := harness.StartProgram(t, nil, work.Kind)
	harness.StartRun(harness.NewExpect(t, p), "job")
	work.Write(40)
	reader = openTab(t, p.URL+"/process_runs/1")
	reader.untilLive()
	reader.untilLines(1, 40)
	reader.until("the end is visible", atEnd)
	return work, reader
}

func TestLog_ReaderAtTheEndStaysThere(t *testing.T) {
	t.Parallel()
	work, tab := atTheEnd(t)
	work.Write(40)
	tab.untilLines(1, 80)
	tab.until("the end is visible", atEnd+` && document.getElementById("log_follow").hidden`)

	// When the user scrolls up, the log stops following, and a button leads back to its end.
	evaluate[bool](tab, `document.getElementById("log").scrollTop = 100, true`)
	tab.until("the button to the end appears", `!document.getElementById("log_follow").hidden`)
	work.Write(40)
	tab.untilLines(1, 120)
	if top := evaluate[float64](tab, `document.getElementById("log").scrollTop`); top != 100 {
		t.Errorf("the reader was moved to %v", top)
	}
	tab.click("#log_follow")
	tab.until("the end is visible", atEnd+` && document.getElementById("log_follow").hidden`)
	close(work.Asked)
	tab.until("the run is completed", shows("1", "completed"))
}

// The browser estimates the height of lines outside the viewport. When it learns the real height, it may
// report that as scrolling.
func TestLog_TallLinesKeepFollowing(t *testing.T) {
	t.Parallel()
	work, tab := atTheEnd(t)
	if !evaluate[bool](tab, `((log) => {
		const gap = document.createElement("pre");
		gap.textContent = "\n".repeat(30);
		log.firstElementChild.append(gap);
		log.dispatchEvent(new Event("scroll"));
		return document.getElementById("log_follow").hidden;
	})(document.getElementById("log"))`) {
		t.Error("it takes the reader for one who has left the end")
	}
	tab.until("the end is visible", atEnd)
	work.Write(1)
	tab.untilLines(1, 41)
	tab.until("the end is still visible", atEnd)
	close(work.Asked)
}

func TestLog_FetchesOnlyMissingLines(t *testing.T) {
	t.Parallel()
	work := harness.NewSteps("job")
	p := harness.StartProgram(t, nil, work.Kind)
	harness.StartRun(harness.NewExpect(t, p), "job")
	work.Write(10)
	wire := startWire(t, strings.TrimPrefix(p.URL, "http://"))
	tab := openTab(t, "http://"+wire.addr()+"/process_runs/1")
	tab.expectProblems(lostServer)
	tab.untilLive()
	tab.untilLines(1, 10)
	last := 10
	for _, missed := range []int{1, 50, 1500, 0} { // fits a frame; needs a request; needs several
		wire.cut()
		tab.untilNotLive()
		work.Write(missed)
		wire.repair()
		tab.untilLive()
		last = work.Write(1)
		tab.untilLast(last)
	}
	tab.untilLines(1, last)
	close(work.Asked)
	tab.until("the run is completed", shows("1", "completed"))
}

func TestLog_FloodLeavesThePageSmooth(t *testing.T) {
	t.Parallel()
	work := harness.NewSteps("job")
	p := harness.StartProgram(t, nil, work.Kind)
	harness.StartRun(harness.NewExpect(t, p), "job")
	tab := openTab(t, p.URL+"/process_runs/1")
	tab.untilLive()
	last := 0
	for range 20 {
		last = work.Write(2000)
	}
	tab.untilLast(last)
	if n := evaluate[int](tab, linesShown+".length"); n > 4000 {
		t.Errorf("the page keeps %d lines", n)
	}
	// Scrolling up loads the earlier lines, and the last ones go when there are too many.
	first := evaluate[int](tab, firstShown)
	evaluate[bool](tab, `document.getElementById("log").scrollTop = 0, true`)
	tab.until("there are earlier lines", fmt.Sprintf(`%s < %d`, firstShown, first))
	tab.click("#log_follow")
	tab.untilLast(last)
	close(work.Asked)
	tab.until("the run is completed", shows("1", "completed"))
}

func TestLog_WorksWithoutScript(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.Commands(t, `job=sh -c 'echo one; echo two'`)...)
	e := harness.NewExpect(t, p)
	harness.UntilStatus(t, e, harness.StartRun(e, "job"), "completed")
	page := e.GET("/process_runs/1").Expect().Status(http.StatusOK).Body()
	page.Contains(`aria-label="Line 1"></a>one</div><div id="L2" data-offset="4"`).
		Contains(`href="/process_runs/1/log?plain=1">Raw log</a>`)
}
