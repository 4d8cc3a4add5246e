package browser

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"runboard/e2e/harness"
)

func TestFailures_NotesAreLive(t *testing.T) {
	t.Parallel()
	p, _ := failedBoard(t)
	tab, other := openFailures(t, p), openFailures(t, p)
	tab.clickIn("connect to", "Add note")
	tab.until("the form has the focus", `document.activeElement.matches("#confirm[open] textarea")`)
	tab.do(chromedp.SendKeys("#confirm textarea", "down on Sundays, see https://example.org/INC-42."))
	tab.click("#confirm button[type=submit]")
	tab.until("the notice appears", noticeText+`.includes("Note saved.")`)
	tab.until("the dialog closes", `!document.getElementById("confirm").open`)
	const noted = `?.querySelector(".note a")?.href === "https://example.org/INC-42"`
	tab.until("the note appears", group("connect to")+noted)
	other.until("the note appears in another tab", group("connect to")+noted)
	if evaluate[bool](other, group("no customer")+`.querySelector(".note") !== null`) {
		t.Error("the other group has a note")
	}

	other.clickIn("connect to", "Edit note")
	other.until("the form has the note",
		`document.querySelector("#confirm[open] textarea")?.value.startsWith("down on Sundays")`)
	evaluate[bool](other, `document.querySelector("#confirm textarea").value = "x".repeat(501), true`)
	other.expectProblems("422")
	other.click("#confirm button[type=submit]")
	other.until("the form says what is wrong",
		`document.querySelector("#confirm[open] .error")?.textContent ===
		"The note has 501 characters. It may have at most 500."`)
	const typedLength = `document.querySelector("#confirm textarea").value.length`
	if typed := evaluate[int](other, typedLength); typed != 501 {
		t.Errorf("%d characters are left of what was typed", typed)
	}
	evaluate[bool](other, `document.querySelector("#confirm textarea").value = "", true`)
	other.click("#confirm button[type=submit]")
	other.until("the notice appears", noticeText+`.includes("Note removed.")`)
	tab.until("the note is gone", group("connect to")+`.querySelector(".note") === null`)
}

// pressWithControl presses a key while the control key is held.
func (p *tab) pressWithControl(key string, virtual int64) {
	p.t.Helper()
	for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeRawKeyDown,
		input.DispatchKeyEventTypeKeyUp} {
		call(p, input.DispatchKeyEvent, input.DispatchKeyEventParams{
			Type: kind, Key: key, Code: key, WindowsVirtualKeyCode: virtual, Modifiers: 2, // control
		})
	}
}

func TestFailures_KeysSaveANoteAndLeave(t *testing.T) {
	t.Parallel()
	p, _ := failedBoard(t)
	tab := openFailures(t, p)
	open := func(button string) {
		t.Helper()
		tab.clickIn("connect to", button)
		tab.until("the form has the focus", `document.activeElement.matches("#confirm[open] textarea")`)
	}
	const closed = `!document.getElementById("confirm").open`
	open("Add note")
	tab.do(chromedp.SendKeys("#confirm textarea", "not this"))
	tab.press(kb.Escape)
	tab.until("the dialog closes", closed)
	open("Add note")
	tab.do(chromedp.SendKeys("#confirm textarea", "known\nerror"))
	tab.pressWithControl("Enter", 13)
	tab.until("the dialog closes", closed)
	const noted = `.querySelector(".note")?.textContent === "known error"`
	tab.until("the note appears", group("connect to")+noted)

	link := evaluate[string](tab, group("connect to")+`.querySelector('.actions a[href$="/note"]').href`)
	tab.do(chromedp.Navigate(link))
	tab.untilLive()
	tab.until("the form has the focus", `document.activeElement.matches("#confirm textarea")`)
	evaluate[bool](tab, `document.querySelector("#confirm textarea").value += " again", true`)
	tab.pressWithControl("Enter", 13)
	tab.until("the page of failures has the note",
		`location.pathname === "`+harness.FailuresPath+`" && `+group("connect to")+
			`?.querySelector(".note")?.textContent === "known error again"`)
	tab.do(chromedp.Navigate(link))
	tab.untilLive()
	tab.until("the form has the focus", `document.activeElement.matches("#confirm textarea")`)
	tab.press(kb.Escape)
	tab.until("the page of failures is back", `location.pathname === "`+harness.FailuresPath+`"`)
}

// A note stays where it is shown when its group is muted, and when its runs are gone.
func TestFailures_NoteOfAMutedGroupWithoutRunsIsEdited(t *testing.T) {
	t.Parallel()
	p, e := failedBoard(t)
	id := e.GET(harness.FailuresPath).WithTransformer(harness.AcceptJSON).Expect().JSON().Object().
		Value("failures").Array().Value(0).Object().Value("id").Number().Raw()
	command := func(name, field, value string) {
		t.Helper()
		e.POST(harness.FailuresPath+"/{id}/"+name, id).WithFormField(field, value).Expect().
			Status(http.StatusSeeOther)
	}
	command("note", "note", "first")
	command("mute", "until", "24h")
	tab := openTab(t, fmt.Sprintf("%s/process_runs?failure=%.0f", p.URL, id))
	tab.untilLive()
	edit := func(from, to string) {
		t.Helper()
		tab.until("the note is there",
			`document.querySelector(".failure-note")?.textContent.startsWith("`+from+` muted until")`)
		tab.click(".failure-note > a:last-child")
		tab.until("the form has the note",
			`document.querySelector("#confirm[open] textarea")?.value === "`+from+`"`)
		evaluate[bool](tab, `document.querySelector("#confirm textarea").value = "`+to+`", true`)
		tab.click("#confirm button[type=submit]")
		tab.until("the note has changed",
			`document.querySelector(".failure-note").textContent.startsWith("`+to+` ")`)
	}
	edit("first", "second")
	e.POST(harness.BulkPath).
		WithForm(map[string]any{"operation": "delete", "scope": "all", "failure": id}).Expect().
		Status(http.StatusSeeOther)
	tab.until("the runs are gone", `document.querySelectorAll("#process_runs tr[id]").length === 0`)
	edit("second", "third")
	tab.do(chromedp.Navigate(fmt.Sprintf("%s/process_runs?failure=%.0f", p.URL, id)))
	tab.untilLive()
	edit("third", "fourth")
}

func TestList_ShowsTheNoteOfItsFailure(t *testing.T) {
	t.Parallel()
	p, e := failedBoard(t)
	id := e.GET("/process_runs/1").WithTransformer(harness.AcceptJSON).Expect().JSON().Object().
		Value("failure").Number().Raw()
	tab := openTab(t, fmt.Sprintf("%s/process_runs?failure=%.0f", p.URL, id))
	tab.untilLive()
	tab.until("the error is a chip that can be removed",
		`document.querySelector("a.chip.pattern")?.getAttribute("href") ===
		"/process_runs"`)
	for _, note := range []string{"INC-42", "INC-43"} {
		e.POST(harness.FailuresPath+"/{id}/note", id).WithFormField("note", note).Expect().
			Status(http.StatusSeeOther)
		tab.until("the note appears",
			`document.querySelector(".failure-note")?.textContent.includes("`+note+`")`)
	}
	tab.click("a.chip.pattern")
	tab.until("the note goes with the filter",
		`location.search === "" && document.querySelector(".failure-note") === null`)
}

func TestRunPage_ShowsTheNoteOfItsFailure(t *testing.T) {
	t.Parallel()
	p, e := failedBoard(t)
	tab := openTab(t, p.URL+"/process_runs/1")
	tab.untilLive()
	id := e.GET("/process_runs/1").WithTransformer(harness.AcceptJSON).Expect().JSON().Object().
		Value("failure").Number().Raw()
	e.POST(harness.FailuresPath+"/{id}/note", id).WithFormField("note", "INC-42").Expect().
		Status(http.StatusSeeOther)
	tab.until("the note appears", `document.querySelector(".failure-note")?.textContent.includes("INC-42")`)
	tab.click(".failure-note a[href$=note]")
	tab.until("the note can be edited",
		`document.querySelector("#confirm[open] textarea")?.value === "INC-42"`)
	evaluate[bool](tab, `document.querySelector("#confirm textarea").value = "", true`)
	tab.click("#confirm button[type=submit]")
	tab.until("the note is gone", `document.querySelector(".failure-note") === null`)
}
