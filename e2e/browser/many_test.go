package browser

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"runboard/e2e/harness"
)

const (
	tickedIDs = `[...document.querySelectorAll("#process_runs input:checked")].map((box) => box.value).join()`
	asked     = `document.getElementById("confirm").textContent`
	noticed   = `document.getElementById("notice").innerText`
	selection = `document.getElementById("selected_count").textContent`
)

// tick clicks the checkbox of a run, perhaps with a modifier key.
func (p *tab) tick(run int, options ...chromedp.MouseOption) {
	p.t.Helper()
	point := evaluate[[]float64](p, fmt.Sprintf(`(() => {
		const box = document.querySelector("#process_run_%d input");
		box.scrollIntoView({block: "center"});
		const place = box.getBoundingClientRect();
		return [place.x + place.width / 2, place.y + place.height / 2];
	})()`, run))
	p.do(chromedp.MouseClickXY(point[0], point[1], options...))
}

// chooseAll selects all runs that match the list.
func (p *tab) chooseAll() {
	p.t.Helper()
	p.do(chromedp.SetValue("#bulk_scope", "all"))
	evaluate[bool](p, `document.getElementById("bulk_scope").dispatchEvent(new Event("change", {bubbles: true}))`)
}

func TestTickedRunsAreTriedAgainWhenOneSaysYes(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 30)
	harness.CountsAre(t, e, map[string]any{"failed": 30})
	tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(1000, 700))
	tab.untilLive()

	const all = `document.querySelector("#bulk option[value=all]").text`
	tab.until("all are counted", all+` === "All 30 runs"`)
	tab.click("#filter_failed")
	tab.until("all that match are counted", all+` === "All 30 matching"`)
	tab.click("#filter_completed")
	tab.until("none is", all+` === "All 0 matching"`)
	tab.click("#filter_all")
	tab.until("all are counted", all+` === "All 30 runs"`)
	tab.untilSocket("/process_runs/live")
	tab.untilLive()
	tab.tick(28)
	tab.tick(24, chromedp.ButtonModifiers(8)) // with Shift
	tab.tick(26)
	if got := evaluate[string](tab, tickedIDs); got != "28,27,25,24" {
		t.Fatalf("ticked are %s", got)
	}
	if got := evaluate[string](tab, selection); got != "4 selected" {
		t.Errorf("the form speaks of %q", got)
	}
	tab.click(`#bulk button[value=retry]`)
	tab.until("it is asked", asked+`.includes("Retry 4 selected runs?")`)
	tab.click("#confirm [data-dismiss]")
	tab.until("no is an answer", asked+` === "" && location.search === "" && !document.getElementById("confirm").open`)
	tab.click(`#bulk button[value=retry]`)
	tab.until("it is asked", asked+`.includes("Retry 4 selected runs?")`)
	tab.click("#confirm button[type=submit]")
	tab.until("it is said", noticed+`.includes("Retrying runs. Details: run #31.") && !document.getElementById("confirm").open`)
	tab.until("nothing is selected", selection+` === "" && `+tickedIDs+` === ""`)
	for _, run := range []int{24, 25, 27, 28} {
		harness.Eventually(t, "they have been tried again", func() error {
			version := e.GET("/process_runs/{id}", run).WithTransformer(harness.AcceptJSON).Expect().JSON().Object().Value("version").Number().Raw()
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

func TestWhatIsTickedStaysSoWhileAllChanges(t *testing.T) {
	t.Parallel()
	kind, open := harness.Gate("gate")
	p := harness.StartProgram(t, nil, kind)
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 30)
	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	tab.tick(27)
	tab.do(chromedp.KeyEvent("j"), chromedp.KeyEvent("x")) // selects the next row
	tab.do(chromedp.Evaluate[chromedp.Void](`document.activeElement.blur()`))
	if got := evaluate[string](tab, tickedIDs); got != "27,26" {
		t.Fatalf("ticked are %s", got)
	}
	harness.StartRuns(e, 3)
	tab.until("new runs wait", `document.getElementById("new_runs").textContent === "3 new runs"`)
	e.POST("/process_runs/27/cancel").Expect().Status(http.StatusSeeOther)
	tab.until("a cell changes", `!document.getElementById("process_run_27_status").textContent.includes("created")`)
	tab.click("#new_runs")
	tab.untilRow(33)
	if got := evaluate[string](tab, tickedIDs); got != "27,26" {
		t.Errorf("with new runs, ticked are %s", got)
	}
	tab.click("#select_all")
	tab.until("all are ticked", `document.querySelectorAll("#process_runs input:checked").length === 25`)
	tab.click("#select_all")
	tab.until("none is", tickedIDs+` === ""`)
	open()
	harness.WaitUntilDone(t, e)
}

// untilRow waits until a run is the first in the list.
func (p *tab) untilRow(run int) {
	p.t.Helper()
	p.until("the newest is there", fmt.Sprintf("%s === %d", firstRow, run))
}

func TestAllThatMatchAreActedOnWithoutScript(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"), harness.WorkThat("mail", "nobody is there"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 30)
	e.POST("/process_runs").WithFormField("count", 5).WithFormField("kind", "mail").Expect().Status(http.StatusSeeOther)
	harness.CountsAre(t, e, map[string]any{"failed": 35})
	tab := newTab(t)
	call(tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	tab.do(chromedp.Navigate(p.URL + "/process_runs?status=failed&q=disk"))
	tab.do(chromedp.SetValue("#bulk select", "all"), chromedp.Click("#bulk button[value=delete]"))
	tab.until("a page asks", `document.querySelector("h1").textContent === "Delete runs" && document.body.textContent.includes("Delete 30 failed runs?")`)
	tab.do(chromedp.Click("#confirm button[type=submit]"))
	tab.until("it is the run's page", `location.pathname === "/process_runs/36"`)
	harness.UntilStatus(t, e, "/process_runs/36", "completed")
	harness.CountsAre(t, e, map[string]any{"failed": 5, "completed": 1})
}
