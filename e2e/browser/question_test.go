package browser

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"runboard/e2e/harness"
)

// hold holds a key down: after the first event it sends repeated ones, as a keyboard does.
func (p *tab) hold(key, code string, virtual int64, text string, lasting time.Duration) {
	p.t.Helper()
	send := func(kind input.DispatchKeyEventType, repeated bool) {
		call(p, input.DispatchKeyEvent, input.DispatchKeyEventParams{
			Type: kind, Key: key, Code: code, WindowsVirtualKeyCode: virtual, Text: text, AutoRepeat: &repeated,
		})
	}
	send(input.DispatchKeyEventTypeKeyDown, false)
	for end := time.Now().Add(lasting); time.Now().Before(end); time.Sleep(40 * time.Millisecond) {
		send(input.DispatchKeyEventTypeKeyDown, true)
	}
	send(input.DispatchKeyEventTypeKeyUp, false)
}

func (p *tab) holdEnter(lasting time.Duration) {
	p.t.Helper()
	p.hold("Enter", "Enter", 13, "\r", lasting)
}

const (
	dialogOpen = `document.getElementById("confirm").matches("dialog:modal")`
	focusText  = `document.activeElement.textContent.trim()`
	noTarget   = `[...document.querySelectorAll("#bulk button[name=operation]")].every((button) => button.disabled)`
)

// pictureOf saves a screenshot for a person to look at.
func (p *tab) pictureOf(name string) {
	p.t.Helper()
	folder := os.Getenv("PICTURES")
	if folder == "" {
		return
	}
	taken, err := chromedp.Call(p.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name+".png"), taken.Data, 0o600)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

func TestQuestion_HeldEnterChangesNothing(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 41)
	harness.CountsAre(t, e, map[string]any{"failed": 41})
	tab := openTab(t, p.URL+"/process_runs?status=failed&q=disk", chromedp.EmulateViewport(1000, 800))
	tab.untilLive()
	tab.until("without a selection nothing can be pressed", noTarget)
	tab.do(chromedp.Focus(chromedp.CSS("#bulk_scope")))
	tab.holdEnter(700 * time.Millisecond)
	if !evaluate[bool](tab, noTarget+` && !`+dialogOpen) {
		t.Error("without a selection there is a target")
	}
	tab.press("a") // selects all rows
	tab.until("all are chosen", `document.getElementById("bulk_scope").value === "all" && !(`+noTarget+`)`)
	tab.do(chromedp.Focus(chromedp.CSS("#bulk button[value=delete]")))
	tab.holdEnter(1500 * time.Millisecond)
	tab.until("it is asked", dialogOpen+` && `+asked+`.includes("Delete 41 failed runs?")`)
	tab.until("with the filter in words", asked+`.includes("status failed") && `+asked+`.includes("containing “disk”")`)
	tab.until("what changes nothing has the focus", focusText+` === "Keep them"`)
	tab.until("deleting is red", `((color) => color[0] > 150 && color[1] < 80 && color[2] < 80)(getComputedStyle(document.querySelector("#confirm button[type=submit]")).backgroundColor.match(/\d+/g).map(Number))`)
	tab.pictureOf("question-light")
	tab.press(kb.Escape)
	tab.until("Escape closes it", `!document.getElementById("confirm").open && `+asked+` === ""`)
	tab.until("the focus is where it was", focusText+` === "Delete…"`)
	tab.holdEnter(0)
	tab.until("it is asked", dialogOpen)
	tab.press(kb.Enter)
	tab.until("a second Enter says no", `!document.getElementById("confirm").open`)
	harness.CountsAre(t, e, map[string]any{"failed": 41, "completed": 0})
	tab.holdEnter(0)
	tab.until("it is asked", dialogOpen)
	tab.do(chromedp.MouseClickXY(10, 10))
	tab.until("a click beside it closes it", `!document.getElementById("confirm").open`)
	tab.holdEnter(0)
	tab.until("it is asked", dialogOpen)
	tab.click("#confirm button[type=submit]")
	tab.until("it is said", noticed+`.includes("Deleting runs. Details: run #42.") && !document.getElementById("confirm").open`)
	harness.CountsAre(t, e, map[string]any{"failed": 0, "completed": 1})
	tab.until("nothing is chosen any more", noTarget)
}

// A closed dialog keeps its content until the browser sends its close event. A change of the list in between
// must not open the dialog again.
func TestQuestion_StaysClosedWhenTheListChanges(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 1)
	harness.CountsAre(t, e, map[string]any{"failed": 1})
	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	tab.chooseAll()
	tab.click("#bulk button[value=delete]")
	tab.until("it is asked", dialogOpen)
	reopened := evaluate[bool](tab, `(() => {
		const ask = document.getElementById("confirm"), list = document.getElementById("live");
		ask.close();
		list.dispatchEvent(new CustomEvent("htmx:after:swap", { bubbles: true, detail: { ctx: { target: list } } }));
		return ask.open;
	})()`)
	if reopened {
		t.Error("a change of the list opens the dialog again")
	}
}

func TestQuestion_WantsTheNumberOfManyRunsTyped(t *testing.T) {
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
	tab.until("it is asked", dialogOpen+` && `+asked+`.includes("Delete 150 runs?")`)
	tab.click("#confirm button[type=submit]")
	tab.until("the number is wanted", dialogOpen+` && document.querySelector("#confirm input[name=typed]").matches(":invalid")`)
	tab.do(chromedp.Focus(chromedp.CSS("#confirm input[name=typed]")))
	tab.press("15\r")
	tab.until("another one is refused", dialogOpen+` && `+asked+`.includes("type their number. Nothing was deleted.")`)
	tab.pictureOf("typed-narrow")
	tab.do(chromedp.Focus(chromedp.CSS("#confirm input[name=typed]")))
	tab.press("150")
	tab.click("#confirm button[type=submit]")
	tab.until("it is said", noticed+`.includes("Deleting runs.")`)
	harness.CountsAre(t, e, map[string]any{"failed": 0, "completed": 1})
}

func TestQuestion_IsAskedAnewWhenMoreRunsMatch(t *testing.T) {
	t.Parallel()
	kind, open := harness.Gate("gate")
	defer open()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"), kind)
	e := harness.NewExpect(t, p)
	e.POST("/process_runs").WithFormField("count", 1).WithFormField("kind", "gate").Expect().Status(http.StatusSeeOther)
	harness.StartRuns(e, 3)
	harness.CountsAre(t, e, map[string]any{"failed": 3, "started": 1})
	tab := openTab(t, p.URL+"/process_runs")
	call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}})
	tab.expectProblems("409")
	tab.untilLive()
	tab.chooseAll()
	tab.click("#bulk button[value=delete]")
	tab.until("it is asked", dialogOpen+` && `+asked+`.includes("Delete 3 runs?")`)
	e.POST("/process_runs/1/cancel").Expect().Status(http.StatusSeeOther)
	harness.CountsAre(t, e, map[string]any{"cancelled": 1})
	tab.click("#confirm button[type=submit]")
	tab.until("it is asked anew", dialogOpen+` && `+asked+`.includes("Delete 4 runs?") && `+asked+`.includes("4 instead of 3")`)
	tab.until("what changes nothing has the focus", focusText+` === "Keep them"`)
	tab.pictureOf("again-dark")
	harness.CountsAre(t, e, map[string]any{"failed": 3, "cancelled": 1})
	tab.click("#confirm button[type=submit]")
	harness.CountsAre(t, e, map[string]any{"failed": 0, "cancelled": 0, "completed": 1})
}

func TestQuestion_HasAPageWithoutScript(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 120)
	harness.CountsAre(t, e, map[string]any{"failed": 120})
	tab := newTab(t)
	tab.expectProblems("422")
	call(tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	tab.do(chromedp.Navigate(p.URL + "/process_runs"))
	tab.do(chromedp.Click("#bulk button[value=delete]"))
	tab.until("nothing is selected", `document.body.textContent.includes("Select up to 500 runs, or choose all.")`)
	tab.do(chromedp.Navigate(p.URL + "/process_runs"))
	tab.do(chromedp.Click("#process_run_120 input"), chromedp.Click("#process_run_118 input"), chromedp.Click("#bulk button[value=delete]"))
	tab.until("a page asks", `document.body.textContent.includes("Delete 2 selected runs?")`)
	tab.do(chromedp.Click("#confirm button[type=submit]"))
	tab.until("it is the run's page", `location.pathname === "/process_runs/121"`)
	harness.CountsAre(t, e, map[string]any{"failed": 118, "completed": 1})
	tab.do(chromedp.Navigate(p.URL+"/process_runs"), chromedp.SetValue("#bulk select", "all"), chromedp.Click("#bulk button[value=delete]"))
	tab.until("a page asks", `document.body.textContent.includes("Delete 118 runs?")`)
	tab.pictureOf("page-without-script")
	tab.do(chromedp.SendKeys("#confirm input[name=typed]", "118"), chromedp.Click("#confirm button[type=submit]"))
	tab.until("it is the run's page", `location.pathname === "/process_runs/122"`)
	harness.CountsAre(t, e, map[string]any{"failed": 0})
}

func TestSelection_StaysOverPagesAndNewRuns(t *testing.T) {
	t.Parallel()
	kind, open := harness.Gate("gate")
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"), kind)
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 60)
	harness.CountsAre(t, e, map[string]any{"failed": 60})
	tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(1000, 700))
	tab.untilLive()
	tab.tick(60)
	tab.tick(56, chromedp.ButtonModifiers(8)) // with Shift
	is := func(what, words string) {
		t.Helper()
		tab.until(what, fmt.Sprintf(`%s === %q && document.getElementById("bulk_scope").value === "selected"`, selection, words))
	}
	is("five are selected", "5 selected")
	for range 2 {
		harness.StartRunsOf(e, "gate", 15)
	}
	tab.until("new runs wait", `document.getElementById("new_runs").textContent === "25+ new runs"`)
	tab.click("#new_runs")
	tab.untilRow(90)
	is("with new runs", "5 selected, 5 on other pages")
	tab.pictureOf("selection")
	tab.click("#page_older")
	tab.untilRow(65)
	is("on the page before", "5 selected")
	tab.until("they are marked", tickedIDs+` === "60,59,58,57,56"`)
	tab.click("#page_older")
	tab.untilRow(40)
	tab.tick(33)
	is("one more", "6 selected, 5 on other pages")
	tab.click("#page_newer")
	tab.untilRow(65)
	evaluate[bool](tab, "history.back(), true")
	tab.untilRow(40)
	is("after going back", "6 selected, 5 on other pages")
	tab.until("it is marked", tickedIDs+` === "33"`)
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
	tab.until("it is asked", dialogOpen+` && `+asked+`.includes("Retry 6 selected")`)
	tab.press(kb.Escape)
	tab.click("#clear_selection")
	is("none is left", "")
	tab.until("there is no target", noTarget)
	tab.chooseAll()
	tab.click("#filter_all")
	tab.untilRow(90)
	tab.until("all are not meant in another list", noTarget)
	tab.click("#page_older")
	tab.untilRow(65)
	tab.tick(60)
	tab.tick(58)
	tab.click("#page_newest")
	tab.untilRow(90)
	is("two are selected", "2 selected, 2 on other pages")
	tab.click("#bulk button[value=delete]")
	tab.until("it is asked", dialogOpen+` && `+asked+`.includes("Delete 2 selected runs?")`)
	tab.click("#confirm button[type=submit]")
	is("afterwards none is selected", "")
	e.GET("/process_runs/59").Expect().Status(http.StatusOK)
	for _, id := range []int{60, 58} {
		harness.Eventually(t, "it is deleted", func() error {
			if status := e.GET("/process_runs/{id}", id).Expect().Raw().StatusCode; status != http.StatusNotFound {
				return fmt.Errorf("run %d is answered with %d", id, status)
			}
			return nil
		})
	}
	harness.CountsAre(t, e, map[string]any{"failed": 58})
	open()
	harness.WaitUntilDone(t, e)
}

func TestSelection_HasALimitThatIsSaid(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 525)
	harness.CountsAre(t, e, map[string]any{"failed": 525})
	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	evaluate[bool](tab, `sessionStorage.setItem("runboard-selected", JSON.stringify(Array.from({length: 490}, (_, i) => String(i + 1)))), true`)
	tab.do(chromedp.Reload())
	tab.untilLive()
	tab.until("they are selected", selection+` === "490 selected, 490 on other pages"`)
	tab.click("#select_all")
	tab.until("ten more are", selection+`.startsWith("500 selected, 490 on other pages, no more than 500 can be selected")`)
	if n := evaluate[int](tab, `document.querySelectorAll("#process_runs input:checked").length`); n != 10 {
		t.Errorf("%d boxes are checked", n)
	}
	tab.click("#bulk button[value=retry]")
	tab.until("it is asked", dialogOpen+` && `+asked+`.includes("Retry 500 selected runs?")`)
	tab.click("#confirm button[type=submit]")
	tab.until("it is said", noticed+`.includes("Retrying runs.")`)
	harness.UntilStatus(t, e, "/process_runs/526", "completed")
	e.GET("/process_runs/526").WithTransformer(harness.AcceptJSON).Expect().JSON().Object().HasValue("message", "500 queued again")
}

func TestKeys_HeldEnterStartsOnce(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("job", ""))
	e := harness.NewExpect(t, p)
	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	tab.do(chromedp.Focus(chromedp.CSS("#start button")))
	tab.holdEnter(2 * time.Second)
	tab.until("they are started", noticed+`.includes("Started 10 runs")`)
	tab.do(chromedp.Focus(chromedp.CSS("#start input[type=number]")))
	tab.holdEnter(2 * time.Second)
	tab.until("ten more are", noticed+`.includes("#11")`)
	harness.WaitUntilDone(t, e)
	harness.CountsAre(t, e, map[string]any{"completed": 20})
}

func TestKeys_AskBeforeTheyChangeSomething(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("job", "it failed"), harness.WorkThat("other", ""))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 2)
	harness.CountsAre(t, e, map[string]any{"failed": 2})
	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	tab.hold("s", "KeyS", 83, "s", time.Second)
	tab.until("it asks once", sure+`.includes("Start 10 processes of the kind")`)
	tab.until("what changes nothing has the focus", focusText+` === "No"`)
	tab.pictureOf("sure")
	tab.holdEnter(time.Second)
	tab.until("it is closed", sure+` === ""`)
	tab.press("j")
	tab.hold("r", "KeyR", 82, "r", time.Second)
	tab.until("it asks once", sure+`.includes("Retry run #2?")`)
	tab.press(kb.Escape)
	tab.until("it is closed", sure+` === ""`)
	tab.until("the focus is where it was", focusText+` === "#2"`)
	e.GET("/process_runs").WithTransformer(harness.AcceptJSON).Expect().JSON().Object().Value("counts").Object().HasValue("failed", 2).HasValue("completed", 0)
	tab.press("r")
	tab.until("it asks", sure+`.includes("Retry run #2?")`)
	tab.press(kb.Tab)
	tab.press(kb.Enter)
	tab.until("it is retried", `document.querySelector("#process_run_2_status").dataset.version === "6"`)
}

func TestKeys_CanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("job", ""))
	tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(1000, 800))
	const isOpen = `document.getElementById("shortcuts").open`
	tab.untilLive()
	tab.press("?")
	tab.until("the keys are shown", isOpen)
	tab.pictureOf("keys")
	tab.press("?")
	tab.until("a second press hides them", "!"+isOpen)
	tab.press("?")
	tab.until("the keys are shown", isOpen)
	tab.do(chromedp.MouseClickXY(10, 10))
	tab.until("a click beside them hides them", "!"+isOpen)
	tab.press("?")
	tab.click("#shortcuts_enabled")
	tab.press(kb.Escape)
	tab.do(chromedp.Reload())
	tab.untilLive()
	evaluate[bool](tab, `window.handled = [], addEventListener("keydown", (event) => handled.push(event.key)), true`)
	keys := "s?pj/"
	for _, key := range keys {
		tab.press(string(key))
	}
	tab.until("all keys have come", fmt.Sprintf(`handled.join("") === %q`, keys))
	if evaluate[bool](tab, isOpen+` || `+sure+` !== "" || document.activeElement !== document.body || document.getElementById("pause").ariaPressed === "true"`) {
		t.Error("a key has done something")
	}
	tab.click("#help")
	tab.until("they can still be shown", isOpen+` && !document.getElementById("shortcuts_enabled").checked`)
	tab.click("#shortcuts_enabled")
	tab.press(kb.Escape)
	tab.press("/")
	tab.until("they are on again", `document.activeElement.id === "search_text"`)
}

func TestRunPage_AsksInADialogBeforeItDeletes(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 1)
	harness.CountsAre(t, e, map[string]any{"failed": 1})
	tab := openTab(t, p.URL+"/process_runs/1")
	tab.expectProblems("WebSocket|htmx:ws")
	tab.untilLive()
	tab.click(`a[href*="operation=delete"]`)
	tab.until("it is asked", dialogOpen+` && `+asked+`.includes("Delete run #1?") && `+focusText+` === "Keep them"`)
	tab.press(kb.Escape)
	tab.until("it is closed", `!document.getElementById("confirm").open`)
	tab.click(`a[href*="operation=delete"]`)
	tab.until("it is asked", dialogOpen)
	tab.click("#confirm button[type=submit]")
	tab.until("it is said", strings.ReplaceAll(noticed, "innerText", "textContent")+`.includes("Run #1 is deleted")`)
	e.GET("/process_runs/1").Expect().Status(http.StatusNotFound)
}

func TestFailures_AskInADialogBeforeTheyAreRetried(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 3)
	harness.CountsAre(t, e, map[string]any{"failed": 3})
	tab := openTab(t, p.URL+"/process_runs/failures")
	tab.untilLive()
	tab.click(".groups .retry")
	tab.until("it is asked", dialogOpen+` && `+asked+`.includes("Retry 3 runs?") && `+asked+`.includes("failed with: the disk is full")`)
	tab.until("what changes nothing has the focus", focusText+` === "Leave them"`)
	tab.click("#confirm button[type=submit]")
	tab.until("it is said", noticed+`.includes("Retrying runs. Details: run #4.") && !document.getElementById("confirm").open`)
	harness.UntilStatus(t, e, "/process_runs/4", "completed")
}

func TestSelection_BarDoesNotCoverTheSelectedRow(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 30)
	harness.CountsAre(t, e, map[string]any{"failed": 30})
	tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(360, 700))
	tab.untilLive()
	evaluate[bool](tab, `scrollTo(0, document.querySelector("#process_run_20").getBoundingClientRect().bottom - innerHeight), true`)
	point := evaluate[[]float64](tab, `((place) => [place.x + place.width / 2, place.y + place.height / 2])(document.querySelector("#process_run_20 input").getBoundingClientRect())`)
	tab.do(chromedp.MouseClickXY(point[0], point[1]))
	tab.until("it is selected", selection+` === "1 selected"`)
	tab.pictureOf("selection-narrow")
	tab.until("the bar is below it", `document.querySelector("#process_run_20").getBoundingClientRect().bottom <= document.getElementById("bulk").getBoundingClientRect().top + 1`)
}
