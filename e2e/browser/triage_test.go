package browser

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/gavv/httpexpect/v2"

	"runboard/e2e/harness"
)

// failedBoard starts a board on which 3 runs of mail and 5 of import have failed.
func failedBoard(t *testing.T) (*harness.Program, *httpexpect.Expect) {
	t.Helper()
	p := harness.Failing(t, nil)
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "mail", 3)
	harness.StartRunsOf(e, "import", 5)
	harness.CountsAre(t, e, map[string]any{"failed": 8})
	return p, e
}

// group returns a JavaScript expression for the group whose error contains a text.
func group(text string) string {
	return `[...document.querySelectorAll("#failures li")].find((one) =>
		one.textContent.includes("` + text + `"))`
}

// clickIn clicks the button or link with a text in the group whose error contains a text.
func (p *tab) clickIn(inGroup, button string) {
	p.t.Helper()
	p.until("there is "+button, `[...`+group(inGroup)+`?.querySelectorAll("a, button") ?? []].some((one) => {
		if (one.textContent !== "`+button+`") return false;
		one.click();
		return true;
	})`)
}

func openFailures(t *testing.T, p *harness.Program) *tab {
	t.Helper()
	tab := openTab(t, p.URL+harness.FailuresPath, chromedp.EmulateViewport(1200, 800))
	tab.untilLive()
	return tab
}

func TestFailures_MuteAndUnmute(t *testing.T) {
	t.Parallel()
	p, _ := failedBoard(t)
	tab, other := openFailures(t, p), openFailures(t, p)
	tab.clickIn("no customer", "Mute")
	tab.until("the question opens", confirmText+`.includes("Mute an error")`)
	tab.click(`#confirm button[value="168h"]`)
	tab.until("the notice appears", noticeText+`.includes("Muted until")`)
	const muted = `document.querySelector("#muted_failures > summary")?.textContent === "1 muted · 5 runs"`
	tab.until("the group is muted", muted)
	other.until("the group is muted in another tab", muted)
	other.until("it does not count",
		`document.querySelector("#failures > .about").textContent.startsWith("3 failed runs, 1 ")`)
	if evaluate[bool](other, `document.getElementById("muted_failures").open`) {
		t.Error("the muted groups are not collapsed")
	}

	other.click("#muted_failures > summary")
	harness.StartRunsOf(harness.NewExpect(t, p), "import", 2)
	other.until("muted groups are live",
		`document.querySelector("#muted_failures > summary").textContent === "1 muted · 7 runs"`)
	if !evaluate[bool](other, `document.getElementById("muted_failures").open`) {
		t.Error("a frame has closed what the user had opened")
	}
	other.clickIn("no customer", "Unmute")
	other.until("the notice appears", noticeText+`.includes("No longer muted.")`)
	tab.until("the group is back", `document.querySelector("#muted_failures") === null &&
		document.querySelector("#failures .groups .runs").textContent === "7 runs"`)
}

func TestFailures_MutesEndByThemselves(t *testing.T) {
	t.Parallel()
	p, e := failedBoard(t)
	id := e.GET(harness.FailuresPath).WithTransformer(harness.AcceptJSON).Expect().JSON().Object().
		Value("failures").Array().Value(0).Object().Value("id").Number().Raw()
	tab := openFailures(t, p)
	until := time.Now().Add(3 * time.Second).UTC().Format(time.RFC3339)
	e.POST(harness.FailuresPath+"/{id}/mute", id).WithFormField("until", until).Expect().
		Status(http.StatusSeeOther)
	tab.until("the group is muted", `document.querySelector("#muted_failures") !== null`)
	tab.until("the group comes back", `document.querySelector("#muted_failures") === null`)
}

// The reader types times of their zone, and the server gets UTC.
func TestFailures_MuteUntilALocalTime(t *testing.T) {
	t.Parallel()
	p, e := failedBoard(t)
	tab := newTab(t)
	const zone = "America/New_York"
	call(tab, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: zone})
	tab.do(chromedp.EmulateViewport(1200, 800), chromedp.Navigate(p.URL+harness.FailuresPath))
	tab.untilLive()
	tab.clickIn("no customer", "Mute")
	const field = `#confirm input[type="datetime-local"]`
	tab.until("the question opens", `document.querySelector('`+field+`') !== null`)
	label := evaluate[string](tab, `document.querySelector('`+field+`').labels[0].textContent.trim()`)
	if strings.Contains(label, "UTC") {
		t.Errorf("the label is %q", label)
	}
	tab.expectProblems("422")
	const late = "2040-03-11T03:30" // more than a year from now, and an hour after the clocks change
	tab.do(chromedp.SetValue(chromedp.CSS(field), late))
	tab.click("#confirm form:last-of-type button[type=submit]")
	tab.until("it is refused as it was typed", `document.getElementById("triage_problem") !== null &&
		document.querySelector('`+field+`').value === "`+late+`"`)
	at := time.Now().UTC().Add(48 * time.Hour).Truncate(time.Minute)
	newYork, err := time.LoadLocation(zone)
	if err != nil {
		t.Skip("this machine has no time zones")
	}
	tab.do(chromedp.SetValue(chromedp.CSS(field), at.In(newYork).Format("2006-01-02T15:04")))
	tab.click("#confirm form:last-of-type button[type=submit]")
	tab.until("the notice appears", noticeText+`.includes("Muted until")`)
	e.GET(harness.FailuresPath).WithTransformer(harness.AcceptJSON).Expect().JSON().Object().
		Value("failures").Array().Value(1).Object().HasValue("muted_until", at.Format(time.RFC3339))
}

func TestFailures_SortByLatest(t *testing.T) {
	t.Parallel()
	p, e := failedBoard(t)
	harness.StartRunsOf(e, "mail", 1)
	harness.CountsAre(t, e, map[string]any{"failed": 9})
	tab := openFailures(t, p)
	first := func(text string) string {
		return `document.querySelector("#failures li").textContent.includes("` + text + `")`
	}
	tab.until("the largest group is first", first("no customer"))
	tab.do(chromedp.Click(`.order a[href$="sort=latest"]`))
	tab.until("the latest group is first", first("connect to")+` && location.search === "?sort=latest"`)
	tab.untilLive()
	harness.StartRunsOf(e, "import", 1)
	tab.until("the order is live", first("no customer"))
	sockets := tab.openSockets()
	if len(sockets) != 1 || !strings.HasSuffix(sockets[0], "/live?sort=latest") {
		t.Errorf("the open sockets are %v", sockets)
	}
	tab.do(chromedp.NavigateBack())
	tab.until("Back leads to the other order", `location.search === "" &&
		document.querySelector(".order [aria-current]").textContent === "Most runs"`)
}

// Frames keep what the user has opened, and the focus.
func TestFailures_FramesKeepTheFullErrorOpen(t *testing.T) {
	t.Parallel()
	p, e := failedBoard(t)
	tab := openFailures(t, p)
	evaluate[bool](tab, group("connect to")+`.querySelector("summary").focus(), true`)
	tab.press(" ")
	tab.until("the error is open", group("connect to")+`.querySelector("pre").checkVisibility()`)
	evaluate[bool](tab, `window.other = `+group("no customer")+`, true`)
	harness.StartRunsOf(e, "mail", 9) // the group moves to the top
	tab.until("the frame has come", `document.querySelector("#failures .runs").textContent === "12 runs"`)
	if !evaluate[bool](tab, group("connect to")+`.querySelector("pre").checkVisibility()`) {
		t.Error("the error is closed")
	}
	if !evaluate[bool](tab, `document.activeElement === `+group("connect to")+`.querySelector("summary")`) {
		t.Error("the focus is lost")
	}
	if !evaluate[bool](tab, `other === `+group("no customer")+` && other.querySelector("pre") !== null`) {
		t.Error("a group that has not changed is another one")
	}
}

func TestFailures_SayThatTheyAreBack(t *testing.T) {
	t.Parallel()
	p, e := failedBoard(t)
	tab := openFailures(t, p)
	e.POST(harness.BulkPath).WithForm(map[string]any{"operation": "delete", "scope": "all", "kind": "mail"}).
		Expect().Status(http.StatusSeeOther)
	tab.until("the group is gone", group("connect to")+` === undefined`)
	harness.StartRunsOf(e, "mail", 1)
	tab.until("it is back",
		group("connect to")+`?.querySelector(".again")?.textContent.startsWith("again, after ")`)
}

func TestFailures_TriageWithoutScripts(t *testing.T) {
	t.Parallel()
	p, _ := failedBoard(t)
	tab := newTab(t)
	call(tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	tab.do(chromedp.EmulateViewport(1200, 800), chromedp.Navigate(p.URL+harness.FailuresPath+"?sort=latest"))
	tab.do(chromedp.Click(`.order a[href$="failures"]`))
	tab.until("the other order is shown",
		`location.search === "" && document.querySelector("#failures li") !== null`)
	tab.clickIn("no customer", "Add note")
	tab.until("the note has a page", `document.querySelector("textarea") !== null`)
	tab.do(chromedp.SendKeys("textarea", "INC-42"))
	tab.click("#confirm button[type=submit]")
	tab.until("the note is there", group("no customer")+`?.querySelector(".note")?.textContent === "INC-42"`)
	tab.clickIn("no customer", "Mute")
	tab.until("the mute has a page",
		`document.querySelector("#confirm label")?.textContent.includes("(UTC)")`)
	tab.click(`#confirm button[value="24h"]`)
	tab.until("the group is muted", `document.querySelector("#muted_failures .note") !== null`)
	tab.click("#muted_failures > summary")
	tab.clickIn("no customer", "Unmute")
	tab.until("the group is back", `document.querySelectorAll("#failures > .groups > li").length === 2`)
}

func TestFailures_AreAccessibleInAllStates(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p, e := failedBoard(t)
	group := func(i int) string {
		id := e.GET(harness.FailuresPath).WithTransformer(harness.AcceptJSON).Expect().JSON().Object().
			Value("failures").Array().Value(i).Object().Value("id").Number().Raw()
		return fmt.Sprintf("%s/%.0f", harness.FailuresPath, id)
	}
	noted, muted := group(0), group(1)
	e.POST(muted+"/mute").WithFormField("until", "7d").Expect().Status(http.StatusSeeOther)
	for _, path := range []string{noted, muted} {
		e.POST(path+"/note").WithFormField("note", "see https://example.org/INC-42").Expect().
			Status(http.StatusSeeOther)
	}
	for _, scheme := range []string{"light", "dark"} {
		t.Run(scheme, func(t *testing.T) {
			tab := newTab(t)
			call(tab, emulation.SetEmulatedMedia,
				emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
					{Name: "prefers-color-scheme", Value: scheme},
					{Name: "prefers-reduced-motion", Value: "reduce"},
				}})
			check := func(state string) {
				t.Helper()
				for _, complaint := range tab.complaints() {
					t.Errorf("%s: %s", state, complaint)
				}
				if wide := evaluate[int](tab, "document.documentElement.scrollWidth"); wide > 320 {
					t.Errorf("%s: the page is %d pixels wide in a window of 320", state, wide)
				}
			}
			open := func(path string) {
				t.Helper()
				tab.do(chromedp.EmulateViewport(320, 700), chromedp.Navigate(p.URL+path))
				tab.untilLive()
			}
			open(harness.FailuresPath + "?sort=latest")
			const openAll = `document.querySelectorAll("details").forEach((one) => one.open = true), true`
			evaluate[bool](tab, openAll)
			check("all open")
			for _, dialog := range []string{"note", "mute"} {
				tab.click(`a[href="` + noted + "/" + dialog + `"]`)
				tab.until("the dialog opens", `document.querySelector("#confirm[open] form") !== null`)
				check("the dialog " + dialog)
				tab.press("\x1b")
				tab.until("Escape closes it", `!document.getElementById("confirm").open`)
				open(noted + "/" + dialog)
				check("the page " + dialog)
				tab.do(chromedp.NavigateBack())
				tab.untilLive()
			}
		})
	}
}
