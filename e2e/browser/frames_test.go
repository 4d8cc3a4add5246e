package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"runboard/board"
	"runboard/e2e/harness"
)

// listOfGate opens a list with more runs than rows, of which the given number is started.
func listOfGate(t *testing.T, started int) (tab *tab, p *harness.Program, open func()) {
	t.Helper()
	kind, open := harness.Gate("gate")
	p = harness.StartProgram(t, func(c *board.Config) { c.Workers = started }, kind)
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 40)
	harness.CountsAre(t, e, map[string]any{"started": started})
	tab = openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(1280, 800))
	tab.untilLive()
	tab.untilRows(25)
	return tab, p, open
}

// rowsAreRight is whether every part of each row names the run of the row, and no id is there twice.
const rowsAreRight = `[...document.querySelectorAll("#process_runs tr[id]")].every((row) => {
	const run = row.id.split("_").pop();
	return row.querySelector("th a").href.endsWith("/process_runs/" + run) &&
		row.querySelector("th").innerText === "#" + run && row.querySelector("input").value === run &&
		row.querySelector("button").formAction.endsWith("/process_runs/" + run + "/cancel") &&
		[...row.querySelectorAll("td[id]")].every((cell) => cell.id.startsWith("process_run_" + run + "_")) &&
		row.querySelectorAll("td[id]").length === 7;
}) && (([...ids]) => new Set(ids).size === ids.length)([...document.querySelectorAll("[id]")].
	map(({id}) => id))`

func TestFrames_ReuseRows(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	tab, p, open := listOfGate(t, 3)
	e := harness.NewExpect(t, p)
	const mark = `document.querySelectorAll("#process_runs tr[id]").
		forEach((row) => { row.old = true; }), true`
	const old = `[...document.querySelectorAll("#process_runs tr[id]")].filter((row) => row.old).length`
	for _, count := range []int{3, 30} {
		evaluate[bool](tab, mark)
		first := evaluate[int](tab, firstRow)
		harness.StartRuns(e, count)
		tab.until("the new runs are there", fmt.Sprintf("%s === %d", firstRow, first+count))
		tab.until("all parts of rows are those of their runs", rowsAreRight)
		if n := evaluate[int](tab, old); n != 25 {
			t.Errorf("after %d more runs, %d of 25 rows have the elements they had", count, n)
		}
	}
	open()
	harness.WaitUntilDone(t, e)
	tab.until("the rows show that their runs ended",
		states+` === Array(25).fill("completed").join()`)
}

// The focus must not move to another run: the next key would act on it.
func TestFrames_DoNotReuseTheRowWithTheFocus(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	tab, p, open := listOfGate(t, 3)
	defer open()
	e := harness.NewExpect(t, p)
	tab.until("the group is there", `document.querySelectorAll("#running tr[id]").length === 3`)
	evaluate[bool](tab, `(window.pinned = document.querySelector("#running_2")).querySelector("button").
		focus(), true`)
	e.POST("/process_runs/2/cancel").Expect()
	tab.until("another run takes its place",
		`!document.querySelector("#running_2") && document.querySelector("#running_4") !== null`)
	if evaluate[bool](tab, `window.pinned.isConnected`) {
		t.Error("the row with the focus shows another run")
	}
}

// Rows stay where they are while a mouse button is down, so that the release reaches the run that was
// pressed.
func TestFrames_HoldStillBetweenPressAndRelease(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	tab, p, open := listOfGate(t, 3)
	defer open()
	first := evaluate[int](tab, firstRow)
	at := evaluate[struct{ X, Y float64 }](tab, fmt.Sprintf(
		`(({x, y}) => ({x: x + 5, y: y + 5}))(document.querySelector("#process_run_%d_message").
			getBoundingClientRect())`, first))
	mouse := func(kind input.DispatchMouseEventType) {
		call(tab, input.DispatchMouseEvent, input.DispatchMouseEventParams{
			Type: kind, X: at.X, Y: at.Y, Button: input.MouseButtonLeft, ClickCount: 1,
		})
	}
	mouse(input.DispatchMouseEventTypeMousePressed)
	harness.StartRuns(harness.NewExpect(t, p), 30)
	tab.until("the bar for new runs appears", `!document.getElementById("new_runs").hidden`)
	mouse(input.DispatchMouseEventTypeMouseReleased)
	tab.until("the click opens the run that was pressed",
		fmt.Sprintf(`location.pathname === "/process_runs/%d"`, first))
}

func TestFrames_LeaveUnchangedPartsAlone(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	tab, p, open := listOfGate(t, 3)
	defer open()
	evaluate[bool](tab, `window.changed = new Set(), new MutationObserver((all) => {
		for (const {target} of all) window.changed.add(target.closest?.("[id]")?.id);
	}).observe(document.querySelector("main"), {subtree: true, childList: true, attributes: true}), true`)
	first := evaluate[int](tab, firstRow)
	harness.StartRuns(harness.NewExpect(t, p), 1)
	tab.until("the new run is there", fmt.Sprintf("%s === %d", firstRow, first+1))
	tab.until("its count is there", `window.changed.has("count_created")`)
	for _, id := range []string{"unhandled", "paused", "count_started", "count_failed", "filter_failed"} {
		if evaluate[bool](tab, fmt.Sprintf(`window.changed.has(%q)`, id)) {
			t.Errorf("#%s was swapped although it is as before", id)
		}
	}
}
