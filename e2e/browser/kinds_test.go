package browser

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"runboard/app"
	"runboard/board"
	"runboard/e2e/harness"
)

// manyKinds returns n kinds with titles.
func manyKinds(n int) (kinds []board.Kind) {
	for i := range n {
		kind := harness.WorkThat(fmt.Sprintf("kind-%d", i), "")
		kind.Info = app.Kind{Title: fmt.Sprintf("Title %d", i), Group: []string{"Even", "Odd"}[i%2]}
		kinds = append(kinds, kind)
	}
	return kinds
}

// shownKinds evaluates to the titles of the kinds that are visible.
const shownKinds = `[...document.querySelectorAll(".card h3")].filter((e) => e.checkVisibility())
	.map((e) => e.innerText).join()`

func TestKinds_AreFilteredByWords(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, manyKinds(14)...)
	tab := openTab(t, p.URL+"/kinds")
	tab.untilLive()
	tab.do(chromedp.SendKeys(chromedp.CSS("#find_kind"), "odd 1"))
	tab.until("two kinds are left", shownKinds+` === "Title 1,Title 11,Title 13"`)
	tab.until("it is announced", `document.getElementById("summary").textContent === "3 kinds"`)
	if _, err := p.Enqueue(context.Background(), "kind-1"); err != nil {
		t.Fatal(err)
	}
	tab.until("the card is live",
		`document.querySelector("[data-name=kind-1]").innerText.includes("completed")`)
	tab.until("the others stay hidden", shownKinds+` === "Title 1,Title 11,Title 13"`)
	tab.press("1")
	tab.press(kb.Enter)
	tab.until("the kind is opened", `location.pathname === "/kinds/kind-11"`)
}

func TestKinds_FewHaveNoFilter(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, manyKinds(12)...)
	tab := openTab(t, p.URL+"/kinds")
	tab.untilLive()
	if evaluate[bool](tab, `document.getElementById("find_kind") !== null`) {
		t.Error("twelve kinds are filtered")
	}
}

// previewText evaluates to the text of the preview.
const previewText = `document.getElementById("start_preview").innerText.replace(/\s+/g, " ")`

// recordBodies makes the page record the bodies of its requests.
const recordBodies = `(() => {
	window.bodies = [];
	const original = window.fetch;
	window.fetch = (url, options) => {
		if (options?.body) bodies.push(url + " " + options.body);
		return original(url, options);
	};
	return true;
})()`

// startBackup starts a board with the kind backup, whose runs take until open is called, and opens its page.
func startBackup(t *testing.T, change func(*app.Kind)) (p *harness.Program, tab *tab, open func()) {
	t.Helper()
	kind, open := harness.Gate("backup")
	kind = harness.WithInputs(kind)
	if change != nil {
		change(&kind.Info)
	}
	p = harness.StartProgram(t, nil, kind, harness.WorkThat("report", ""))
	t.Cleanup(open) // before the board stops, which would wait for its runs
	tab = openTab(t, p.URL+"/kinds/backup")
	tab.untilLive()
	return p, tab, open
}

func TestPreview_FollowsTheForm(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	_, tab, _ := startBackup(t, nil)
	evaluate[bool](tab, recordBodies)
	tab.until("the defaults are shown", previewText+`.includes("./backup.sh shop --level=6 --gzip")`)
	tab.do(chromedp.SendKeys(chromedp.CSS("#input_token"), "hunter2"))
	tab.click(`[value=crm]`)
	tab.click("#input_compress")
	tab.do(chromedp.SendKeys(chromedp.CSS("#input_label"), "two words"))
	tab.until("the values are in their places",
		previewText+`.includes("./backup.sh crm --level=6 two words")`)
	words := evaluate[int](tab, `document.querySelectorAll("#start_preview .command code").length`)
	if words != 4 {
		t.Errorf("the command has %d words", words)
	}
	if bodies := evaluate[string](tab, `bodies.join()`); strings.Contains(bodies, "hunter2") ||
		strings.Contains(bodies, "token") || !strings.Contains(bodies, "/kinds/backup/preview") {
		t.Errorf("the page has sent %s", bodies)
	}
	if typed := evaluate[string](tab, `document.getElementById("input_token").value`); typed != "hunter2" {
		t.Errorf("the preview has changed the form: %q", typed)
	}
}

func TestPreview_FollowsTheQueue(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p, tab, open := startBackup(t, func(kind *app.Kind) { kind.Concurrency = 1 })
	tab.until("nothing waits", previewText+`.includes("Starts at once.")`)
	for range 2 {
		if _, err := p.Enqueue(context.Background(), "backup"); err != nil {
			t.Fatal(err)
		}
	}
	tab.until("two runs come first", previewText+`.includes("2 before it.")`)
	tab.until("the facts follow", `document.getElementById("kind_state").innerText.includes("1 running")`)
	open()
	tab.until("nothing waits again", previewText+`.includes("Starts at once. Takes about")`)
}

func TestKindPage_StartsARun(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	_, tab, open := startBackup(t, nil)
	tab.untilRows(0)
	tab.do(chromedp.SendKeys(chromedp.CSS("#input_label"), "nightly"))
	tab.press(kb.Enter)
	tab.until("it is started", noticeText+`.includes("Started 1 run: #1")`)
	tab.untilRows(1)
	tab.until("its inputs are in the list",
		`document.querySelector("#process_run_1 .inputs").innerText === "shop · level 6 · --gzip · nightly"`)
	open()
	tab.until("the list is live",
		`document.querySelector("#process_run_1_status").dataset.status === "completed"`)
	if evaluate[int](tab, `document.querySelector("#process_run_1 .kind").clientWidth`) > 0 {
		t.Error("each row names the kind of the page")
	}
}

func TestKindPage_ShowsFaultsAtTheirFields(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	_, tab, _ := startBackup(t, nil)
	tab.expectProblems("status of 422")
	tab.do(chromedp.SendKeys(chromedp.CSS("#input_token"), "hunter2"))
	tab.do(chromedp.SendKeys(chromedp.CSS("#input_hosts"), "one\ntwo"))
	tab.click("[name='input.tables'][value=b]")
	tab.do(chromedp.SendKeys(chromedp.CSS("#input_label"), "-x")) // the pattern allows it, but it is a word
	tab.click("#start button")
	tab.until("the message is at the field", `document.getElementById("input_label_fault")?.innerText ===
		"Label must not begin with -."`)
	tab.until("the field has the focus", `document.activeElement.id === "input_label"`)
	const marked = "[aria-invalid=true][aria-describedby=input_label_fault]"
	if !evaluate[bool](tab, fmt.Sprintf(`document.activeElement.matches(%q)`, marked)) {
		t.Error("the field is not marked")
	}
	kept := evaluate[string](tab, `[document.activeElement.value,
		document.getElementById("input_hosts").value,
		document.querySelector("[name='input.tables'][value=b]").checked,
		document.getElementById("input_token").value].join()`)
	if kept != "-x,one\ntwo,true," {
		t.Errorf("the form has kept %q", kept)
	}
	tab.do(chromedp.SendKeys(chromedp.CSS("#input_label"), kb.Home+kb.Delete))
	tab.until("the preview follows the new form", previewText+`.includes("--gzip x")`)
	tab.press(kb.Enter)
	tab.until("it is started", noticeText+`.includes("Started 1 run: #1")`)
}

// dialogText evaluates to the text of the open dialog, or "".
const dialogText = `(document.querySelector("dialog#confirm[open]")?.innerText ?? "")`

func confirming(kind *app.Kind) { kind.Confirm = "Back up {database} now?" }

func TestKindPage_AsksBeforeItStarts(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	_, tab, _ := startBackup(t, confirming)
	evaluate[bool](tab, recordBodies)
	tab.do(chromedp.SendKeys(chromedp.CSS("#input_token"), "hunter2"))
	tab.click("[value=crm]")
	tab.click("#start button")
	tab.until("the dialog asks", dialogText+`.includes("Back up crm now?")`)
	tab.until("it shows the values", dialogText+`.includes("Customers (crm)")`)
	tab.until("it shows no secret", dialogText+`.includes("•••")`)
	if evaluate[bool](tab, `document.getElementById("confirm").innerHTML.includes("hunter2")`) {
		t.Error("the dialog has the secret")
	}
	tab.until("the button that changes nothing has the focus", focusText+` === "Back"`)
	tab.press(kb.Escape)
	tab.until("the dialog closes", dialogText+` === ""`)
	tab.until("it is no double click", `performance.now() - submits.at(-1) > 500`)
	tab.click("#start button")
	tab.until("the dialog asks again", dialogText+`.includes("Back up crm now?")`)
	tab.click("#confirm button[type=submit]")
	tab.until("it is started", noticeText+`.includes("Started 1 run: #1")`)
	tab.until("the dialog closes", dialogText+` === ""`)
	tab.untilRows(1)
	last := evaluate[string](tab, `bodies.filter((body) => body.startsWith("/process_runs")).at(-1)`)
	if !strings.Contains(last, "input.token=hunter2") {
		t.Errorf("the last request is %s", last)
	}
	tab.until("it is no double click", `performance.now() - submits.at(-1) > 500`)
	tab.click("#start button")
	tab.until("the dialog asks for another one", dialogText+`.includes("Back up crm now?")`)
	tab.click("#confirm button[type=submit]")
	tab.untilRows(2) // the question does not hold the new row back
}

func TestKindPage_WorksWithoutScripts(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p, _, open := startBackup(t, confirming)
	tab := newTab(t)
	tab.expectProblems("status of 422")
	call(tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	tab.do(chromedp.Navigate(p.URL + "/process_runs"))
	tab.follow("#start button") // the first kind
	tab.do(chromedp.SendKeys(chromedp.CSS("#input_label"), "-x"))
	tab.do(chromedp.SendKeys(chromedp.CSS("#input_token"), "hunter2"))
	tab.follow("#start .send button")
	tab.until("the page shows the fault", `document.getElementById("input_label_fault")?.innerText ===
		"Label must not begin with -."`)
	tab.until("the field has the focus", `document.activeElement.id === "input_label"`)
	tab.do(chromedp.SendKeys(chromedp.CSS("#input_label"), kb.Home+kb.Delete))
	tab.do(chromedp.SendKeys(chromedp.CSS("#input_token"), "hunter2"))
	tab.follow("#start .send button")
	tab.until("a page asks", `document.getElementById("confirm_title")?.innerText === "Back up shop now?"`)
	tab.do(chromedp.SendKeys(chromedp.CSS("#input_token"), "hunter2"))
	tab.follow("#confirm button")
	tab.until("it is started", `document.querySelector("#process_run_1 .inputs")?.innerText ===
		"shop · level 6 · --gzip · x"`)
	open()
}

func TestKindPage_IsPausedAndResumed(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p, tab, _ := startBackup(t, nil)
	tab.do(chromedp.SendKeys(chromedp.CSS("#input_label"), "typed"))
	tab.click("#kind_state button")
	tab.until("it is paused", `document.querySelector("#kind_state button").innerText === "Resume kind" &&
		document.getElementById("kind_state").innerText.includes("This kind is paused")`)
	tab.until("the preview says so", previewText+`.includes("it is paused")`)
	if typed := evaluate[string](tab, `document.getElementById("input_label").value`); typed != "typed" {
		t.Errorf("the form has %q", typed)
	}
	if _, err := p.Enqueue(context.Background(), "backup"); err != nil {
		t.Fatal(err)
	}
	tab.until("the run says why it waits",
		`document.getElementById("process_run_1")?.innerText.includes("waiting: the kind is paused")`)
	tab.until("it is no double click", `performance.now() - submits.at(-1) > 500`)
	tab.click("#kind_state button")
	tab.until("it is resumed", `document.querySelector("#kind_state button").innerText === "Pause kind"`)
	tab.until("the run starts",
		`document.getElementById("process_run_1_status").dataset.status === "started"`)
}

func TestRunAgain_FillsTheForm(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p, tab, _ := startBackup(t, nil)
	values := app.InputValues{
		{Name: "database", Type: app.ChoiceInput, Texts: []string{"crm"}},
		{Name: "compress", Type: app.FlagInput, Texts: []string{"false"}},
		{Name: "hosts", Type: app.LinesInput, Texts: []string{"one\n\ntwo"}},
		{Name: "token", Type: app.SecretInput, Texts: []string{"hunter2"}},
	}
	request := app.CreateRequest{Kind: "backup", Count: 1, Inputs: values}
	_, err := p.Store.Create(context.Background(), request)
	if err != nil {
		t.Fatal(err)
	}
	tab.do(chromedp.Navigate(p.URL + "/process_runs/1"))
	tab.until("the page shows the inputs", `document.querySelector(".values").innerText.replace(/\s+/g," ") ===
		"Database Customers (crm) Compress no Hosts one two Token •••"`)
	tab.follow("a.again")
	filled := evaluate[string](tab, `[document.querySelector("[name='input.database']:checked").value,
		document.getElementById("input_compress").checked, document.getElementById("input_hosts").value,
		document.getElementById("input_token").value].join()`)
	if filled != "crm,false,one\n\ntwo," {
		t.Errorf("the form is filled with %q", filled)
	}
}

func TestBoard_InputFiltersCanBeRemoved(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p, tab, _ := startBackup(t, nil)
	for _, database := range []string{"crm", "shop"} {
		values := app.InputValues{{Name: "database", Type: app.ChoiceInput, Texts: []string{database}}}
		request := app.CreateRequest{Kind: "backup", Count: 1, Inputs: values}
		_, err := p.Store.Create(context.Background(), request)
		if err != nil {
			t.Fatal(err)
		}
	}
	tab.do(chromedp.Navigate(p.URL + "/process_runs/1"))
	tab.follow(".values a")
	tab.untilLive()
	tab.untilRows(1)
	tab.until("the filter is shown",
		`document.querySelector(".chip:nth-last-of-type(2)").innerText.startsWith("Database: Customers (crm)")`)
	tab.click("#filter_started")
	tab.until("other links keep it", `location.search.includes("input.database=crm") &&
		location.search.includes("status=started")`)
	tab.click(".chip:nth-last-of-type(2)")
	tab.until("it is removed", `!location.search.includes("input.database")`)
	tab.untilRows(2)
}
