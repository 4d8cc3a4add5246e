package browser

import (
	"testing"

	"github.com/chromedp/chromedp/kb"

	"runboard/board"
	"runboard/e2e/harness"
)

// A browser that restored the page from its back/forward cache would show it with a closed socket. The server
// forbids that with no-store; in any case, the page must be current and live.
func TestHistory_BackShowsACurrentLivePage(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	p := harness.StartProgram(t, func(c *board.Config) { c.Workers = 5 }, kind)
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 3)
	harness.CountsAre(t, e, map[string]any{"started": 3})
	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	tab.until("the runs are started", states+` === "started,started,started"`)
	tab.click(`nav.pages a[href="/process_runs/failures"]`)
	tab.until("another page is open",
		`location.pathname === "/process_runs/failures" && document.readyState === "complete"`)
	tab.untilLive()
	open()
	harness.CountsAre(t, e, map[string]any{"completed": 3})
	evaluate[bool](tab, `history.back(), true`)
	tab.until("the list is back",
		`location.pathname === "/process_runs" && document.readyState === "complete"`)
	tab.until("it is right", states+` === "completed,completed,completed"`)
	tab.untilLive()
	harness.StartRuns(e, 2)
	tab.untilRows(5)
}

// openListOfThree opens a list of three runs.
func openListOfThree(t *testing.T) *tab {
	t.Helper()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", ""))
	harness.StartRuns(harness.NewExpect(t, p), 3)
	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	return tab
}

// openAnotherListAndGoBack opens another view of the list, whose address htmx adds to the history, and goes
// back.
func (p *tab) openAnotherListAndGoBack() {
	p.t.Helper()
	p.click("#filter_completed")
	p.untilSocket("/process_runs/live?status=completed")
	evaluate[bool](p, "history.back(), true")
	p.untilSocket("/process_runs/live")
}

// Back between two views of the list swaps the body of the page, which has its scripts.
func TestHistory_BackRunsNoScriptAgain(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	tab := openListOfThree(t)
	evaluate[bool](tab, "window.firstHTMX = htmx, true")
	tab.openAnotherListAndGoBack()
	tab.until("everything is loaded",
		`performance.getEntriesByType("resource").every(({ responseEnd }) => responseEnd > 0)`)
	if !evaluate[bool](tab, "htmx === window.firstHTMX && window.notReloaded") {
		t.Error("htmx runs again, or the page was loaded again")
	}
	if n := evaluate[int](tab, `document.querySelectorAll("body script").length`); n != 0 {
		t.Errorf("the restored page has %d scripts", n)
	}
}

// What the scripts have set up once is set up again for the elements that Back brings.
func TestHistory_BackKeepsHelpAndNotices(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	tab := openListOfThree(t)
	tab.openAnotherListAndGoBack()
	tab.until("the help is offered", `!document.querySelector("#help").hidden`)
	tab.click("#help")
	tab.until("the help is open", `document.querySelector("#shortcuts").open`)
	tab.press(kb.Escape)
	tab.until("the help is closed", `!document.querySelector("#shortcuts").open`)
	tab.click("#start button")
	tab.until("the notice can be closed", `document.querySelector("#notice p button.close") !== null`)
	if !evaluate[bool](tab, "window.notReloaded") {
		t.Error("the page was loaded again")
	}
}
