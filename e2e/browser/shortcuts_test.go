package browser

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"runboard/board"
	"runboard/e2e/harness"
)

// setCount sets the number of runs in the start form.
func (p *tab) setCount(n int) {
	p.t.Helper()
	evaluate[bool](p, fmt.Sprintf(`((field) => {
		field.value = %d;
		return field.dispatchEvent(new Event("input", {bubbles: true}));
	})(document.querySelector("#start [name=count]"))`, n))
}

func TestShortcuts_DoWhatTheHelpSays(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	defer open()
	p := harness.StartProgram(t, func(c *board.Config) { c.Workers = 1 }, kind)
	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	tab.setCount(10)
	tab.press("s")
	tab.until("the shortcut asks first", shortcutQuestion+`.includes("Start 10 runs?")`)
	tab.press(kb.Enter) // Enter answers No
	tab.until("nothing starts",
		`!document.getElementById("confirm_shortcut").open &&
			document.querySelectorAll("#process_runs tr[id]").length === 0`)
	tab.press("s")
	tab.until("the shortcut asks first", shortcutQuestion+`.includes("Start 10 runs?")`)
	tab.click("#confirm_shortcut button[value=yes]")
	tab.untilRows(10)
	tab.press("/")
	tab.until("the search field has the focus", `document.activeElement.id === "search_text"`)
	tab.press("jks?cr")
	tab.until("keys go to the field",
		`document.activeElement.value.endsWith("jks?cr") && !document.getElementById("shortcuts").open`)
	evaluate[bool](tab, `document.activeElement.value = "", document.activeElement.blur(), true`)
	tab.press("j")
	tab.until("the first run has the focus", `document.activeElement.innerText === "#10"`)
	tab.press("jjk")
	tab.until("the second run has the focus", `document.activeElement.innerText === "#9"`)
	tab.press("c")
	tab.until("the shortcut asks first", shortcutQuestion+`.includes("Cancel run #9?")`)
	tab.click("#confirm_shortcut button[value=yes]")
	tab.until("the run is cancelled", shows("9", "cancelled"))
	tab.until("the focus is still there", `document.activeElement.innerText === "#9"`)
	tab.do(chromedp.Sleep(time.Second)) // otherwise the page takes it for a double click
	tab.press("r")
	tab.until("the shortcut asks first", shortcutQuestion+`.includes("Retry run #9?")`)
	tab.click("#confirm_shortcut button[value=yes]")
	tab.until("the run is retried", shows("9", "created"))
	tab.press("?")
	tab.until("the help opens", `document.getElementById("shortcuts").open`)
	tab.press("s")
	tab.press(kb.Escape)
	tab.until("the help closes", `!document.getElementById("shortcuts").open`)
	tab.untilRows(10)
	tab.until("the second run still has the focus", `document.activeElement.innerText === "#9"`)
	tab.press(kb.Enter)
	tab.until("the run's page opens",
		`location.pathname === "/process_runs/9" && document.readyState === "complete"`)
	tab.untilLive()
	tab.press("c")
	tab.until("the shortcut asks first", shortcutQuestion+`.includes("Cancel run #9?")`)
	tab.click("#confirm_shortcut button[value=yes]")
	tab.until("the run is cancelled", shows("9", "cancelled"))
}

// shortcutQuestion evaluates to the text of the open confirmation for a key, or "".
const shortcutQuestion = `(document.getElementById("confirm_shortcut").open ? document.getElementById("confirm_shortcut").innerText : "")`

// A key that starts runs must not confirm a preview that has a page of its own.
func TestShortcuts_DoNotConfirmAPreview(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 3)
	harness.CountsAre(t, e, map[string]any{"failed": 3})
	tab := openTab(t, p.URL+"/process_runs/bulk?operation=delete&scope=all")
	evaluate[bool](tab,
		`window.handled = [], addEventListener("keydown", (event) => handled.push(event.key)), true`)
	for _, key := range []string{"s", "c", "r", "x", "j", "?", "p", "/"} {
		tab.press(key)
	}
	tab.until("all keys have arrived", `handled.join("") === "scrxj?p/"`)
	tab.until("the confirmation page stays",
		confirmText+`.includes("Delete 3 runs?") && submits.length === 0`)
}

func TestShortcuts_HeldEnterStartsOnce(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("job", ""))
	e := harness.NewExpect(t, p)
	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	tab.setCount(10)
	tab.do(chromedp.Focus(chromedp.CSS("#start button")))
	tab.holdEnter(2 * time.Second)
	tab.until("they are started", noticeText+`.includes("Started 10 runs")`)
	tab.do(chromedp.Focus(chromedp.CSS("#start input[type=number]")))
	tab.holdEnter(2 * time.Second)
	tab.until("ten more are selected", noticeText+`.includes("#11")`)
	harness.WaitUntilDone(t, e)
	harness.CountsAre(t, e, map[string]any{"completed": 20})
}

func TestShortcuts_AskBeforeAChange(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("job", "it failed"))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "job", 2)
	harness.CountsAre(t, e, map[string]any{"failed": 2})
	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	tab.hold("s", "KeyS", 83, "s", time.Second)
	tab.until("the shortcut asks once", shortcutQuestion+`.includes("Start 1 run?")`)
	tab.until("the cancel button has the focus", focusText+` === "No"`)
	tab.holdEnter(time.Second)
	tab.until("the dialog closes", shortcutQuestion+` === ""`)
	tab.press("j")
	tab.hold("r", "KeyR", 82, "r", time.Second)
	tab.until("the shortcut asks once", shortcutQuestion+`.includes("Retry run #2?")`)
	tab.press(kb.Escape)
	tab.until("the dialog closes", shortcutQuestion+` === ""`)
	tab.until("the focus is where it was", focusText+` === "#2"`)
	e.GET("/process_runs").WithTransformer(harness.AcceptJSON).Expect().JSON().Object().Value("counts").
		Object().HasValue("failed", 2).HasValue("completed", 0)
	tab.press("r")
	tab.until("the shortcut asks first", shortcutQuestion+`.includes("Retry run #2?")`)
	tab.press(kb.Tab)
	tab.press(kb.Enter)
	tab.until("the run is retried", `document.querySelector("#process_run_2_status").dataset.version === "6"`)
}

func TestShortcuts_CanBeTurnedOff(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("job", ""))
	tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(1000, 800))
	const isOpen = `document.getElementById("shortcuts").open`
	tab.untilLive()
	tab.press("?")
	tab.until("the help opens", isOpen)
	tab.press("?")
	tab.until("a second press hides them", "!"+isOpen)
	tab.press("?")
	tab.until("the help opens", isOpen)
	tab.do(chromedp.MouseClickXY(10, 10))
	tab.until("a click beside them hides them", "!"+isOpen)
	tab.press("?")
	tab.click("#shortcuts_enabled")
	tab.press(kb.Escape)
	tab.do(chromedp.Reload())
	tab.untilLive()
	evaluate[bool](tab,
		`window.handled = [], addEventListener("keydown", (event) => handled.push(event.key)), true`)
	keys := "s?pj/"
	for _, key := range keys {
		tab.press(string(key))
	}
	tab.until("all keys have arrived", fmt.Sprintf(`handled.join("") === %q`, keys))
	if evaluate[bool](tab,
		isOpen+` || `+shortcutQuestion+
			` !== "" || document.activeElement !== document.body ||
				document.getElementById("pause").ariaPressed === "true"`) {
		t.Error("a key has done something")
	}
	tab.click("#help")
	tab.until("the help opens by its button",
		isOpen+` && !document.getElementById("shortcuts_enabled").checked`)
	tab.click("#shortcuts_enabled")
	tab.press(kb.Escape)
	tab.press("/")
	tab.until("shortcuts are on again", `document.activeElement.id === "search_text"`)
}
