package browser

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"runboard/board"
	"runboard/e2e/harness"
	"runboard/jobs"
)

// firstRow evaluates to the ID of the topmost run on the page.
const firstRow = `Number(document.querySelector("#process_runs tr[id]").id.split("_").pop())`

func TestFreeze_HoldsNewRowsWhileReading(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	p := harness.StartProgram(t, func(c *board.Config) { c.Workers = 1000 }, kind)
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 30)
	for name, read := range map[string]string{
		"scrolled": `scrollTo(0, document.querySelector("#process_run_%d").
			getBoundingClientRect().top + scrollY)`,
		"selected":        `getSelection().selectAllChildren(document.querySelector("#process_run_%d .badge"))`,
		"has focus":       `document.querySelector("#process_run_%d a").focus()`,
		"one is selected": `document.querySelector("#process_run_%d input").click()`,
		"unused":          ``,
	} {
		tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(1000, 600))
		tab.untilLive()
		tab.untilRows(25)
		first := evaluate[int](tab, firstRow)
		if read != "" {
			evaluate[bool](tab, fmt.Sprintf(read, first-3)+", true")
		}
		harness.StartRuns(e, 12)
		if read == "" {
			tab.until("the new runs are there", fmt.Sprintf("%s === %d", firstRow, first+12))
			continue
		}
		tab.until("the bar for new runs appears",
			`!document.getElementById("new_runs").hidden &&
				document.getElementById("new_runs").textContent === "12 new runs"`)
		if now := evaluate[int](tab, firstRow); now != first {
			t.Errorf("%s: the first row was %d and is %d", name, first, now)
		}
		tab.click("#new_runs")
		tab.until("the new runs appear",
			fmt.Sprintf(`%s === %d && document.getElementById("new_runs").hidden`, firstRow, first+12))
		if n := tab.socketsSoFar(); n != 1 {
			t.Errorf("%s: %d sockets were opened", name, n)
		}
	}
	open()
	harness.WaitUntilDone(t, e)
}

func TestFreeze_UpdatesCells(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	p := harness.StartProgram(t, nil, kind)
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 5)
	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	tab.untilRows(5)
	evaluate[bool](tab, `document.querySelector("#process_run_3 a").focus(), true`)
	harness.StartRuns(e, 5)
	tab.until("the bar for new runs appears",
		`document.getElementById("new_runs").textContent === "5 new runs"`)
	open()
	tab.until("the cells change",
		`[...document.querySelectorAll("#process_runs td[data-status]")].
			every((cell) => cell.dataset.status === "completed")`)
	tab.untilRows(5)
	tab.until("the focus is where it was", `document.activeElement.innerText === "#3"`)
}

const states = `[...document.querySelectorAll("#process_runs td[data-status]")].
	map((cell) => cell.dataset.status).join()`

// The rows that a user reads stay, and their cells stay current even when the runs have left the list.
func TestFreeze_UpdatesDetachedRows(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	p := harness.StartProgram(t, func(c *board.Config) { c.Workers = 1000 }, kind)
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 3)
	harness.CountsAre(t, e, map[string]any{"started": 3})
	all, started := openTab(t, p.URL+"/process_runs"), openTab(t, p.URL+"/process_runs?status=started")
	for _, tab := range []*tab{all, started} {
		tab.untilLive()
		tab.untilRows(3)
		tab.selectRun(2)
	}
	harness.StartRuns(e, 30)
	all.until("the bar says that there are more",
		`document.getElementById("new_runs").textContent === "25+ new runs"`)
	open()
	harness.CountsAre(t, e, map[string]any{"completed": 33})
	for _, tab := range []*tab{all, started} {
		tab.until("detached rows are current", states+` === "completed,completed,completed"`)
		if got := evaluate[string](tab, selectedRuns); got != "2" {
			t.Errorf("selected runs are %q", got)
		}
	}
	e.POST("/process_runs/3/delete").Expect().Status(http.StatusSeeOther)
	all.until("deleted rows disappear", states+` === "completed,completed"`)
	started.until("the bar for new runs appears",
		`document.getElementById("new_runs").textContent === "List changed"`)
	started.click("#new_runs")
	started.until("the list is current",
		`document.querySelector("#process_runs .empty") !== null &&
			document.getElementById("new_runs").hidden`)
}

// A later page does not insert new runs; it shows how many there are.
func TestFreeze_OlderPageCountsNewRuns(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("job", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 30)
	harness.WaitUntilDone(t, e)
	for query, newest := range map[string]string{"before=6": "", "q=disk&before=6": "?q=disk"} {
		tab := openTab(t, p.URL+"/process_runs?"+query)
		tab.untilLive()
		first := evaluate[int](tab, "Number(document.querySelector('#count_all').textContent)")
		harness.StartRuns(e, 12)
		tab.until("the bar for new runs appears",
			`!document.getElementById("new_runs").hidden &&
				document.getElementById("new_runs").textContent === "12 new runs"`)
		tab.untilRows(5)
		tab.click("#new_runs")
		tab.until("the new runs appear",
			fmt.Sprintf(`%s === %d && location.search === %q && document.getElementById("new_runs").hidden`,
				firstRow, first+12, newest))
		harness.WaitUntilDone(t, e)
	}
}

// storm returns a kind whose runs report progress more often than the server saves it.
func storm() jobs.Kind {
	return jobs.Kind{Name: "storm", Work: func(ctx context.Context, run *jobs.Run) error {
		pace := time.NewTicker(50 * time.Millisecond)
		defer pace.Stop()
		for i := 0; ; i++ {
			run.Progress(i%100, fmt.Sprint("step ", i))
			select {
			case <-pace.C:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}}
}

// Forty runs report progress five times a second each, and each update replaces a cell in the list.
func TestBoard_StormKeepsUserInput(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, func(c *board.Config) { c.Workers, c.DrainTimeout = 40, 0 }, storm())
	harness.StartRuns(harness.NewExpect(t, p), 40)
	tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(1000, 500))
	tab.untilLive()
	tab.untilRows(25)
	tab.selectRun(31)
	tab.selectRun(33)
	tab.click("#bulk button[value=cancel]")
	tab.until("the confirmation opens", confirmText+`.includes("Cancel 2 selected runs?")`)
	evaluate[bool](tab, `window.changes = 0, new MutationObserver((all) => window.changes += all.length).observe(
		document.getElementById("process_runs"), {subtree: true, childList: true,
		characterData: true}), true`)
	tab.until("many cells have changed", "window.changes > 500")
	if !evaluate[bool](tab,
		`document.getElementById("confirm").open && document.activeElement.textContent === "Keep them"`) {
		t.Error("the question is lost")
	}
	tab.press(kb.Escape)
	tab.do(chromedp.Focus(chromedp.CSS("#search_text")))
	tab.press("words that")
	evaluate[bool](tab, `scrollTo(0, 5), window.changes = 0, true`)
	tab.until("many cells have changed", "window.changes > 500")
	tab.press(" one types")
	for what, is := range map[string]string{
		"the focus":     `document.activeElement.id === "search_text"`,
		"the words":     `document.getElementById("search_text").value === "words that one types"`,
		"the scroll":    `scrollY === 5`,
		"the selection": selectedRuns + ` === "33,31"`,
	} {
		if !evaluate[bool](tab, is) {
			t.Errorf("%s is lost", what)
		}
	}
	evaluate[bool](tab,
		`document.activeElement.blur(), getSelection().
			selectAllChildren(document.querySelector("#process_run_30 th")), window.changes = 0, true`)
	tab.until("many cells have changed", "window.changes > 500")
	if text := evaluate[string](tab, `getSelection().toString().trim()`); text != "#30" {
		t.Errorf("the selection is %q instead of #30", text)
	}
}

// A tab shows the present list, so nothing is behind any more.
func TestPause_CountsAnewAfterAnotherTab(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	e := harness.NewExpect(t, p)
	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	tab.click("#pause")
	harness.StartRuns(e, 2)
	const label = `document.getElementById("pause").textContent`
	tab.until("updates are behind", `/ [1-9]\d* updates? behind/.test(`+label+`)`)
	tab.click("#filter_completed")
	tab.untilSocket("/process_runs/live?status=completed")
	tab.until("the list is that of the tab",
		`document.querySelector("#filter_completed[aria-current]") !== null`)
	if got := evaluate[string](tab, label); !strings.Contains(got, "0 updates behind") {
		t.Errorf("after another tab the button says %q", got)
	}
	tab.click("#pause")
	tab.until("it is live again", label+` === "Pause updates"`)
}

func TestPause_StopsAndResumesUpdates(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("job", ""))
	e := harness.NewExpect(t, p)
	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	tab.untilRows(0)
	tab.click("#pause")
	harness.StartRuns(e, 3)
	harness.WaitUntilDone(t, e)
	// Relative times must stand still, too: the next second would replace this text.
	evaluate[bool](tab,
		`document.getElementById("process_runs").insertAdjacentHTML("beforeend",
			'<tr><td><time data-relative="ago" datetime="2026-01-01T00:00:00Z">then</time></td></tr>'), true`)
	tab.until("the button counts what is missed",
		`/^Resume \(\d+ s, [1-9]\d* updates? behind\)$/.test(document.getElementById("pause").textContent)`)
	tab.untilRows(0)
	tab.until("the button counts seconds",
		`/\(([3-9]|\d\d+) s/.test(document.getElementById("pause").textContent)`)
	if now := evaluate[string](tab,
		`document.querySelector("#process_runs time").textContent`); now != "then" {
		t.Errorf("a time counts on while the page is paused: %q", now)
	}
	tab.click("#pause")
	tab.untilRows(3)
	tab.until("updates resume",
		`document.getElementById("pause").textContent === "Pause updates" &&
			document.getElementById("count_completed").textContent === "3"`)
	harness.StartRuns(e, 2)
	tab.untilRows(5)
}
