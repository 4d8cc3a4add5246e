package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"runboard/e2e/harness"
)

const (
	selectedRuns = `[...document.querySelectorAll("#process_runs input:checked")].
		map((box) => box.value).join()`
	confirmText   = `document.getElementById("confirm").textContent`
	selectionText = `document.getElementById("selected_count").textContent`
)

// chooseAll selects all runs that match the list.
func (p *tab) chooseAll() {
	p.t.Helper()
	p.click("#select_matching")
}

func TestBulk_RetriesSelectedRuns(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 30)
	harness.CountsAre(t, e, map[string]any{"failed": 30})
	tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(1000, 700))
	tab.untilLive()

	const all = `((button) => button.hidden ? "" : button.textContent)(document.getElementById("select_matching"))`
	tab.until("all runs are counted", all+` === "Select all 30 runs"`)
	tab.click("#filter_failed")
	tab.until("matching runs are counted", all+` === "Select all 30 matching"`)
	tab.click("#filter_completed")
	tab.until("no run matches", all+` === ""`)
	tab.click("#filter_all")
	tab.until("all runs are counted", all+` === "Select all 30 runs"`)
	tab.untilSocket("/process_runs/live")
	tab.untilLive()
	tab.selectRun(28)
	tab.selectRun(24, chromedp.ButtonModifiers(8)) // with Shift
	tab.selectRun(26)
	if got := evaluate[string](tab, selectedRuns); got != "28,27,25,24" {
		t.Fatalf("selected runs are %s", got)
	}
	if got := evaluate[string](tab, selectionText); got != "4 selected" {
		t.Errorf("the form says %q", got)
	}
	tab.click(`#bulk button[value=retry]`)
	tab.until("the confirmation opens", confirmText+`.includes("Retry 4 selected runs?")`)
	tab.click("#confirm [data-dismiss]")
	tab.until("the cancel button closes the dialog",
		confirmText+` === "" && location.search === "" && !document.getElementById("confirm").open`)
	tab.click(`#bulk button[value=retry]`)
	tab.until("the confirmation opens", confirmText+`.includes("Retry 4 selected runs?")`)
	tab.click("#confirm button[type=submit]")
	tab.until("the notice says how it ended",
		noticeText+`.startsWith("4 runs queued again.") && !document.getElementById("confirm").open`)
	tab.until("the notice links to the bulk run",
		`document.querySelector("#notice a").getAttribute("href") === "/process_runs/31"`)
	tab.until("nothing is selected", selectionText+` === "" && `+selectedRuns+` === ""`)
	for _, run := range []int{24, 25, 27, 28} {
		harness.Eventually(t, "they have been tried again", func() error {
			version := e.GET("/process_runs/{id}", run).WithTransformer(harness.AcceptJSON).Expect().JSON().
				Object().Value("version").Number().Raw()
			if version != 6 { // twice created, started and failed
				return fmt.Errorf("run %d is of version %v", run, version)
			}
			return nil
		})
	}
	if n := tab.socketsSoFar(); n != 4 { // one for each list shown
		t.Errorf("%d sockets were opened", n)
	}
}

// untilRow waits until a run is the first in the list.
func (p *tab) untilRow(run int) {
	p.t.Helper()
	p.until("the newest is there", fmt.Sprintf("%s === %d", firstRow, run))
}

func TestBulk_AllMatchingWithoutScript(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"),
		harness.WorkThat("mail", "connection timed out"))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "import", 30)
	harness.StartRunsOf(e, "mail", 5)
	harness.CountsAre(t, e, map[string]any{"failed": 35})
	tab := newTab(t)
	call(tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	tab.do(chromedp.Navigate(p.URL + "/process_runs?status=failed&q=disk"))
	tab.do(chromedp.Click(".bulkfold > summary"))
	tab.do(chromedp.SetValue("#bulk select", "all"), chromedp.Click("#bulk button[value=delete]"))
	tab.until("the confirmation page opens",
		`document.querySelector("h1").textContent === "Delete runs" &&
			document.body.textContent.includes("Delete 30 failed runs?")`)
	tab.do(chromedp.Click("#confirm button[type=submit]"))
	tab.until("it is the run's page", `location.pathname === "/process_runs/36"`)
	harness.UntilStatus(t, e, "/process_runs/36", "completed")
	harness.CountsAre(t, e, map[string]any{"failed": 5, "completed": 1})
}

// A notice goes after some seconds, but not while it waits for the answer that says how the work ended.
func TestBulk_NoticeOutlastsASlowAnswer(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 4)
	harness.CountsAre(t, e, map[string]any{"failed": 4})
	tab := openTab(t, p.URL+"/process_runs?status=failed")
	tab.untilLive()
	evaluate[bool](tab, `(() => {
		const fetch = window.fetch.bind(window);
		const later = () => new Promise((resolve) => setTimeout(resolve, 7000));
		window.fetch = (address, options) =>
			/\/bulk\/\d/.test(address) ? later().then(() => fetch(address, options)) :
				fetch(address, options);
	})() ?? true`)
	tab.click("#select_all")
	tab.click("#bulk button[value=retry]")
	tab.until("the confirmation opens", dialogOpen)
	tab.click("#confirm button[type=submit]")
	tab.until("the notice says how it ended", noticeText+`.includes("4 runs queued again.")`)
}
