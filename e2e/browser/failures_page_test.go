package browser

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"

	"runboard/e2e/harness"
)

// Follows a user without prior knowledge: from a failed run to all runs with the same error, and to retrying
// them.
func TestFailures_RetryAllOfAGroup(t *testing.T) {
	t.Parallel()
	p := harness.Failing(t, nil)
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "mail", 40)
	harness.StartRunsOf(e, "import", 3)
	harness.CountsAre(t, e, map[string]any{"failed": 43})
	tab := openTab(t, p.URL+"/process_runs?status=failed", chromedp.EmulateViewport(1000, 800))
	tab.untilLive()
	tab.click("#process_run_40 a")
	tab.until("it is the run's page", `location.pathname === "/process_runs/40"`)
	// The first frame replaces the link, so a click by the mouse may miss the one that was found.
	tab.until("similar failures are offered", `[document.querySelector('a[href*="failure="]')].some((link) =>
		link && (link.click(), true))`)
	tab.until("all runs with the error are listed",
		`document.getElementById("matches")?.textContent === "40 runs with this error" &&
		document.querySelector("a.chip.pattern")?.textContent.includes("connect to #: refused")`)
	tab.untilLive()
	tab.chooseAll()
	tab.click("#bulk button[value=retry]")
	tab.until("the confirmation opens", confirmText+`.includes("Retry 40 runs?")`)
	tab.click("#confirm button[type=submit]")
	tab.until("the notice appears", noticeText+`.startsWith("40 runs queued again.")`)
	harness.UntilStatus(t, e, "/process_runs/44", "completed")
	e.GET("/process_runs/44").WithTransformer(harness.AcceptJSON).Expect().JSON().Object().
		HasValue("message", "40 runs queued again")
	tab.until("they fail again", `document.getElementById("matches").textContent === "40 runs with this error" &&
		document.querySelector("#process_runs td[data-version]")?.dataset.version === "6"`)
}

func TestFailures_AreLive(t *testing.T) {
	t.Parallel()
	p := harness.Failing(t, nil)
	e := harness.NewExpect(t, p)
	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	tab.do(chromedp.Click(`nav.pages a[href$=failures]`))
	tab.until("there is none", `document.getElementById("failures")?.textContent.includes("No failed runs.")`)
	tab.untilLive()
	const ordered = `document.querySelector(".order").checkVisibility()`
	if evaluate[bool](tab, ordered) {
		t.Error("an order is offered for no failures")
	}
	harness.StartRunsOf(e, "mail", 3)
	tab.until("there is one", `document.querySelector("#failures .groups a")?.textContent === "3 runs"`)
	if !evaluate[bool](tab, ordered) {
		t.Error("the first failure brings no order")
	}
	harness.StartRunsOf(e, "import", 5)
	tab.until("there are two, the larger first", `[...document.querySelectorAll("#failures .pattern summary")].map((one) => one.textContent).join() ===
		"no customer # exit 1,connect to #: refused exit 2"`)
	e.POST(harness.BulkPath).
		WithForm(map[string]any{"operation": "delete", "scope": "all", "kind": "import"}).Expect().
		Status(http.StatusSeeOther)
	tab.until("one run is gone", `document.querySelectorAll("#failures .pattern").length === 1`)
	if n := tab.socketsSoFar(); n != 2 { // one for each page
		t.Errorf("%d sockets were opened", n)
	}
}
