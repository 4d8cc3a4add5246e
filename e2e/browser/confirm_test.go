package browser

import (
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"runboard/e2e/harness"
)

const (
	dialogOpen = `document.getElementById("confirm").matches("dialog:modal")`
	focusText  = `document.activeElement.textContent.trim()`
	noTarget   = `[...document.querySelectorAll("#bulk button[name=operation]")].
		every((button) => button.disabled)`
)

func TestConfirm_HeldEnterChangesNothing(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 41)
	harness.CountsAre(t, e, map[string]any{"failed": 41})
	tab := openTab(t, p.URL+"/process_runs?status=failed&q=disk", chromedp.EmulateViewport(1000, 800))
	tab.untilLive()
	tab.until("no bulk button is enabled without a selection", noTarget)
	tab.do(chromedp.Focus(chromedp.CSS("#select_matching")))
	tab.holdEnter(700 * time.Millisecond)
	if evaluate[bool](tab, dialogOpen) {
		t.Error("a held key chooses all runs and then an operation")
	}
	tab.until("all are chosen", `document.getElementById("bulk_scope").value === "all" && !(`+noTarget+`)`)
	tab.do(chromedp.Focus(chromedp.CSS("#bulk button[value=delete]")))
	tab.holdEnter(1500 * time.Millisecond)
	tab.until("the confirmation opens", dialogOpen+` && `+confirmText+`.includes("Delete 41 failed runs?")`)
	tab.until("with the filter in words",
		confirmText+`.includes("status failed") && `+confirmText+`.includes("containing “disk”")`)
	tab.until("the cancel button has the focus", focusText+` === "Keep them"`)
	tab.until("the delete button is red",
		`((color) => color[0] > 150 && color[1] < 80 &&
			color[2] < 80)(getComputedStyle(document.querySelector("#confirm button[type=submit]")).backgroundColor.match(/\d+/g).map(Number))`)
	tab.press(kb.Escape)
	tab.until("Escape closes it", `!document.getElementById("confirm").open && `+confirmText+` === ""`)
	tab.until("the focus is where it was", focusText+` === "Delete"`)
	tab.holdEnter(0)
	tab.until("the confirmation opens", dialogOpen)
	tab.press(kb.Enter)
	tab.until("a second Enter says no", `!document.getElementById("confirm").open`)
	harness.CountsAre(t, e, map[string]any{"failed": 41, "completed": 0})
	tab.holdEnter(0)
	tab.until("the confirmation opens", dialogOpen)
	tab.do(chromedp.MouseClickXY(10, 10))
	tab.until("a click beside it closes it", `!document.getElementById("confirm").open`)
	tab.holdEnter(0)
	tab.until("the confirmation opens", dialogOpen)
	tab.click("#confirm button[type=submit]")
	tab.until("the notice appears",
		noticeText+
			`.startsWith("41 runs deleted.") && !document.getElementById("confirm").open`)
	harness.CountsAre(t, e, map[string]any{"failed": 0, "completed": 1})
	tab.until("the choice is reset", noTarget)
}

// askToDelete opens a list with a failed run, and asks in the dialog whether to delete it.
func askToDelete(t *testing.T) *tab {
	t.Helper()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 1)
	harness.CountsAre(t, e, map[string]any{"failed": 1})
	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	tab.click("#select_all")
	tab.click("#bulk button[value=delete]")
	tab.until("the confirmation opens", dialogOpen)
	return tab
}

// A closed dialog keeps its content until the browser sends its close event. A change of the list in between
// must not open the dialog again.
func TestConfirm_StaysClosedWhenTheListChanges(t *testing.T) {
	t.Parallel()
	tab := askToDelete(t)
	reopened := evaluate[bool](tab, `(() => {
		const ask = document.getElementById("confirm"), list = document.getElementById("live");
		ask.close();
		list.dispatchEvent(new CustomEvent("htmx:after:swap", { bubbles: true,
		detail: { ctx: { target: list } } }));
		return ask.open;
	})()`)
	if reopened {
		t.Error("a change of the list opens the dialog again")
	}
}

// A busy browser sends the close event when the answer to the next click may be there already.
func TestConfirm_LateCloseEventKeepsTheNextQuestion(t *testing.T) {
	t.Parallel()
	tab := askToDelete(t)
	kept := evaluate[bool](tab, `(() => {
		const ask = document.getElementById("confirm"), next = document.createElement("p");
		ask.close();
		ask.replaceChildren(next);
		ask.dispatchEvent(new Event("close"));
		return next.isConnected;
	})()`)
	if !kept {
		t.Error("the question is gone")
	}
}

func TestConfirm_ManyRunsNeedTheNumberTyped(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 150)
	harness.CountsAre(t, e, map[string]any{"failed": 150})
	tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(360, 700))
	tab.expectProblems("422")
	tab.untilLive()
	tab.chooseAll()
	tab.click("#bulk button[value=delete]")
	tab.until("the confirmation opens", dialogOpen+` && `+confirmText+`.includes("Delete 150 runs?")`)
	tab.click("#confirm button[type=submit]")
	tab.until("the number is required",
		dialogOpen+` && document.querySelector("#confirm input[name=typed]").matches(":invalid")`)
	tab.do(chromedp.Focus(chromedp.CSS("#confirm input[name=typed]")))
	tab.press("15\r")
	tab.until("another one is refused",
		dialogOpen+` && `+confirmText+`.includes("type their number. Nothing was deleted.")`)
	tab.do(chromedp.Focus(chromedp.CSS("#confirm input[name=typed]")))
	tab.press("150")
	tab.click("#confirm button[type=submit]")
	tab.until("the notice appears", noticeText+`.includes("runs deleted.")`)
	harness.CountsAre(t, e, map[string]any{"failed": 0, "completed": 1})
}

func TestConfirm_AsksAgainWhenMoreMatch(t *testing.T) {
	t.Parallel()
	kind, open := harness.Gate("gate")
	defer open()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"), kind)
	e := harness.NewExpect(t, p)
	e.POST("/process_runs").WithFormField("count", 1).WithFormField("kind", "gate").Expect().
		Status(http.StatusSeeOther)
	harness.StartRunsOf(e, "import", 30) // more than a page has
	harness.CountsAre(t, e, map[string]any{"failed": 30, "started": 1})
	tab := openTab(t, p.URL+"/process_runs")
	call(tab, emulation.SetEmulatedMedia,
		emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme",
			Value: "dark"}}})
	tab.expectProblems("409")
	tab.untilLive()
	tab.chooseAll()
	tab.click("#bulk button[value=delete]")
	tab.until("the confirmation opens", dialogOpen+` && `+confirmText+`.includes("Delete 30 runs?")`)
	e.POST("/process_runs/1/cancel").Expect().Status(http.StatusSeeOther)
	harness.CountsAre(t, e, map[string]any{"cancelled": 1})
	tab.click("#confirm button[type=submit]")
	tab.until("the confirmation opens again",
		dialogOpen+` && `+confirmText+`.includes("Delete 31 runs?") && `+confirmText+
			`.includes("31 instead of 30")`)
	tab.until("the cancel button has the focus", focusText+` === "Keep them"`)
	harness.CountsAre(t, e, map[string]any{"failed": 30, "cancelled": 1})
	tab.click("#confirm button[type=submit]")
	harness.CountsAre(t, e, map[string]any{"failed": 0, "cancelled": 0, "completed": 1})
}

func TestConfirm_HasAPageWithoutScript(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 120)
	harness.CountsAre(t, e, map[string]any{"failed": 120})
	tab := newTab(t)
	tab.expectProblems("422")
	call(tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	tab.do(chromedp.Navigate(p.URL + "/process_runs"))
	tab.do(chromedp.Click("#bulk_fold summary"), chromedp.Click("#bulk button[value=delete]"))
	tab.until("nothing is selected",
		`document.body.textContent.includes("Select up to 500 runs, or choose all.")`)
	tab.do(chromedp.Navigate(p.URL + "/process_runs"))
	tab.do(chromedp.Click("#process_run_120 input"), chromedp.Click("#process_run_118 input"),
		chromedp.Click("#bulk_fold summary"), chromedp.Click("#bulk button[value=delete]"))
	tab.until("the confirmation page opens", `document.body.textContent.includes("Delete 2 selected runs?")`)
	tab.do(chromedp.Click("#confirm button[type=submit]"))
	tab.until("it is the run's page", `location.pathname === "/process_runs/121"`)
	harness.CountsAre(t, e, map[string]any{"failed": 118, "completed": 1})
	tab.do(chromedp.Navigate(p.URL+"/process_runs"), chromedp.Click("#bulk_fold summary"),
		chromedp.SetValue("#bulk select", "all"),
		chromedp.Click("#bulk button[value=delete]"))
	tab.until("the confirmation page opens", `document.body.textContent.includes("Delete 118 runs?")`)
	tab.do(chromedp.SendKeys("#confirm input[name=typed]", "118"),
		chromedp.Click("#confirm button[type=submit]"))
	tab.until("it is the run's page", `location.pathname === "/process_runs/122"`)
	harness.CountsAre(t, e, map[string]any{"failed": 0})
}

func TestRunPage_ConfirmsDelete(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 1)
	harness.CountsAre(t, e, map[string]any{"failed": 1})
	tab := openTab(t, p.URL+"/process_runs/1")
	tab.expectProblems("WebSocket|htmx:ws")
	tab.untilLive()
	tab.click("#run_menu summary")
	tab.click(`a[href*="operation=delete"]`)
	tab.until("the confirmation opens",
		dialogOpen+` && `+confirmText+`.includes("Delete run #1?") && `+focusText+` === "Keep it"`)
	tab.press(kb.Escape)
	tab.until("the dialog closes", `!document.getElementById("confirm").open`)
	tab.click("#run_menu summary")
	tab.click(`a[href*="operation=delete"]`)
	tab.until("the confirmation opens", dialogOpen)
	tab.click("#confirm button[type=submit]")
	tab.until("the notice appears", noticeText+`.includes("Run #1 is deleted")`)
	e.GET("/process_runs/1").Expect().Status(http.StatusNotFound)
}

func TestFailures_ConfirmRetry(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 3)
	harness.CountsAre(t, e, map[string]any{"failed": 3})
	tab := openTab(t, p.URL+"/process_runs/failures")
	tab.untilLive()
	tab.click(`.groups a[href*="operation=retry"]`)
	tab.until("the confirmation opens",
		dialogOpen+` && `+confirmText+`.includes("Retry 3 runs?") && `+confirmText+
			`.includes("failed with: the disk is full")`)
	tab.until("the cancel button has the focus", focusText+` === "Leave them"`)
	tab.click("#confirm button[type=submit]")
	tab.until("the notice appears",
		noticeText+`.includes("queued again.") && !document.getElementById("confirm").open`)
	harness.UntilStatus(t, e, "/process_runs/4", "completed")
}
