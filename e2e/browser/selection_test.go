package browser

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"runboard/e2e/harness"
)

// selectRun clicks the checkbox of a run, perhaps with a modifier key.
func (p *tab) selectRun(run int, options ...chromedp.MouseOption) {
	p.t.Helper()
	point := evaluate[[]float64](p, fmt.Sprintf(`(() => {
		const box = document.querySelector("#process_run_%d input");
		box.scrollIntoView({block: "center"});
		const place = box.getBoundingClientRect();
		return [place.x + place.width / 2, place.y + place.height / 2];
	})()`, run))
	p.do(chromedp.MouseClickXY(point[0], point[1], options...))
}

func TestSelection_SurvivesUpdates(t *testing.T) {
	t.Parallel()
	kind, open := harness.Gate("gate")
	p := harness.StartProgram(t, nil, kind)
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 30)
	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	tab.selectRun(27)
	tab.do(chromedp.KeyEvent("j"), chromedp.KeyEvent("x")) // selects the next row
	tab.do(chromedp.Evaluate[chromedp.Void](`document.activeElement.blur()`))
	if got := evaluate[string](tab, selectedRuns); got != "27,26" {
		t.Fatalf("selected runs are %s", got)
	}
	harness.StartRuns(e, 3)
	tab.until("new runs are held back", `document.getElementById("new_runs").textContent === "3 new runs"`)
	e.POST("/process_runs/27/cancel").Expect().Status(http.StatusSeeOther)
	tab.until("a cell changes",
		`!document.getElementById("process_run_27_status").textContent.includes("created")`)
	tab.click("#new_runs")
	tab.untilRow(33)
	if got := evaluate[string](tab, selectedRuns); got != "27,26" {
		t.Errorf("with new runs, selected runs are %s", got)
	}
	tab.click("#select_all")
	tab.until("all are selected", `document.querySelectorAll("#process_runs input:checked").length === 25`)
	tab.click("#select_all")
	tab.until("no run matches", selectedRuns+` === ""`)
	open()
	harness.WaitUntilDone(t, e)
}

func TestSelection_SpansPagesAndNewRuns(t *testing.T) {
	t.Parallel()
	kind, open := harness.Gate("gate")
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"), kind)
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "import", 60)
	harness.CountsAre(t, e, map[string]any{"failed": 60})
	tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(1000, 700))
	tab.untilLive()
	tab.selectRun(60)
	tab.selectRun(56, chromedp.ButtonModifiers(8)) // with Shift
	is := func(what, words string) {
		t.Helper()
		tab.until(what, fmt.Sprintf(`%s === %q`, selectionText, words))
		tab.until(what+", and acted on", `document.getElementById("bulk_scope").value === "selected"`)
	}
	is("five are selected", "5 selected")
	for range 2 {
		harness.StartRunsOf(e, "gate", 15)
	}
	tab.until("new runs are held back", `document.getElementById("new_runs").textContent === "25+ new runs"`)
	tab.click("#new_runs")
	tab.untilRow(90)
	is("with new runs", "5 selected, 5 on other pages")
	tab.click("#page_older")
	tab.untilRow(65)
	is("on the page before", "5 selected")
	tab.until("they are marked", selectedRuns+` === "60,59,58,57,56"`)
	tab.click("#page_older")
	tab.untilRow(40)
	tab.selectRun(33)
	is("one more", "6 selected, 5 on other pages")
	tab.click("#page_newer")
	tab.untilRow(65)
	evaluate[bool](tab, "history.back(), true")
	tab.untilRow(40)
	is("after going back", "6 selected, 5 on other pages")
	tab.until("it is marked", selectedRuns+` === "33"`)
	evaluate[bool](tab, "history.forward(), true")
	tab.untilRow(65)
	is("after going forward", "6 selected, 1 on other pages")
	tab.do(chromedp.Reload())
	tab.untilLive()
	is("after a reload", "6 selected, 1 on other pages")
	tab.do(chromedp.Navigate(p.URL + "/process_runs?status=failed"))
	tab.untilLive()
	is("in another list", "6 selected, 1 on other pages")
	tab.click("#bulk button[value=retry]")
	tab.until("the confirmation opens", dialogOpen+` && `+confirmText+`.includes("Retry 6 selected")`)
	tab.press(kb.Escape)
	tab.click("#clear_selection")
	is("none is left", "")
	tab.until("there is no target", noTarget)
	tab.chooseAll()
	tab.click("#filter_all")
	tab.untilRow(90)
	tab.until("another list resets the choice of all runs", noTarget)
	open()
	harness.WaitUntilDone(t, e)
}

func TestSelection_OfAnotherPageIsDeleted(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "import", 60)
	harness.CountsAre(t, e, map[string]any{"failed": 60})
	tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(1000, 700))
	tab.untilLive()
	tab.click("#page_older")
	tab.untilRow(35)
	tab.selectRun(30)
	tab.selectRun(28)
	tab.click("#page_newest")
	tab.untilRow(60)
	tab.until("two are selected", selectionText+` === "2 selected, 2 on other pages"`)
	tab.click("#bulk button[value=delete]")
	tab.until("the confirmation opens", dialogOpen+` && `+confirmText+`.includes("Delete 2 selected runs?")`)
	tab.click("#confirm button[type=submit]")
	tab.until("afterwards none is selected", selectionText+` === ""`)
	e.GET("/process_runs/29").Expect().Status(http.StatusOK)
	for _, id := range []int{30, 28} {
		harness.Eventually(t, "the run is deleted", func() error {
			status := e.GET("/process_runs/{id}", id).Expect().Raw().StatusCode
			if status != http.StatusNotFound {
				return fmt.Errorf("run %d is answered with %d", id, status)
			}
			return nil
		})
	}
	harness.CountsAre(t, e, map[string]any{"failed": 58})
}

func TestSelection_ShowsItsLimit(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 525)
	harness.CountsAre(t, e, map[string]any{"failed": 525})
	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	evaluate[bool](tab,
		`sessionStorage.setItem("runboard-selected",
			JSON.stringify(Array.from({length: 490}, (_, i) => String(i + 1)))), true`)
	tab.do(chromedp.Reload())
	tab.untilLive()
	tab.until("all are selected", selectionText+` === "490 selected, 490 on other pages"`)
	tab.click("#select_all")
	tab.until("ten more are selected",
		selectionText+`.startsWith("500 selected, 490 on other pages, no more than 500 can be selected")`)
	if n := evaluate[int](tab, `document.querySelectorAll("#process_runs input:checked").length`); n != 10 {
		t.Errorf("%d boxes are checked", n)
	}
	tab.click("#bulk button[value=retry]")
	tab.until("the confirmation opens", dialogOpen+` && `+confirmText+`.includes("Retry 500 selected runs?")`)
	tab.click("#confirm button[type=submit]")
	tab.until("the notice appears", noticeText+`.includes("500 runs queued again.")`)
	harness.UntilStatus(t, e, "/process_runs/526", "completed")
	e.GET("/process_runs/526").WithTransformer(harness.AcceptJSON).Expect().JSON().Object().
		HasValue("message", "500 runs queued again")
}

func TestSelection_BarLeavesTheRowVisible(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 30)
	harness.CountsAre(t, e, map[string]any{"failed": 30})
	tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(360, 700))
	tab.untilLive()
	evaluate[bool](tab,
		`scrollTo(0, document.querySelector("#process_run_20").
			getBoundingClientRect().bottom - innerHeight), true`)
	point := evaluate[[]float64](tab,
		`((place) => [place.x + place.width / 2, place.y + place.height / 2])(document.querySelector("#process_run_20 input").getBoundingClientRect())`)
	tab.do(chromedp.MouseClickXY(point[0], point[1]))
	tab.until("the run is selected", selectionText+` === "1 selected"`)
	tab.until("the bar is below it",
		`document.querySelector("#process_run_20").
			getBoundingClientRect().bottom <= document.getElementById("bulk").
			getBoundingClientRect().top + 1`)
}
