package browser

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"runboard/e2e/harness"
)

// searchFor types a text into the search of the header and presses Enter.
func (p *tab) searchFor(text string) {
	p.t.Helper()
	p.do(chromedp.SetValue(chromedp.CSS("#search_text"), text))
	p.submitSearch()
}

func TestSearch_FindsRunsAndKindsByName(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil,
		harness.WorkThat("flaky", "run 2 broke it"), harness.WorkThat("mail", ""))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "mail", 3)
	harness.StartRunsOf(e, "flaky", 2)
	harness.WaitUntilDone(t, e)
	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	tab.searchFor("2")
	tab.until("the run is offered first",
		`document.querySelector("#offers a")?.textContent.startsWith("Run #2")`)
	tab.searchFor("flaky")
	tab.until("the kind is offered", `document.querySelector("#offers a").textContent === "Kind: flaky"`)
	tab.click("#offers a")
	tab.untilSocket("/process_runs/live?kind=flaky")
	tab.untilRows(2)
	tab.until("the offer is gone, and the field is empty",
		`document.getElementById("offers").textContent.trim() === "" &&
			document.getElementById("search_text").value === ""`)
	tab.searchFor("#3")
	tab.until("the number leads to the run", `location.pathname === "/process_runs/3"`)
	tab.untilLive()
	tab.searchFor("#4")
	tab.until("also from another page", `location.pathname === "/process_runs/4"`)
	tab.untilLive()
	tab.searchFor("#99")
	tab.until("a number of no run is searched for", `location.search === "?q=%2399"`)
}

func TestSearch_EmptyFieldShowsAllRuns(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil,
		harness.WorkThat("import", "the disk is full"), harness.WorkThat("mail", ""))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "mail", 2)
	harness.StartRunsOf(e, "import", 3)
	harness.WaitUntilDone(t, e)
	tab := openTab(t, p.URL+"/process_runs?q=disk")
	tab.untilLive()
	tab.untilRows(3)
	evaluate[bool](tab, `((field) => (field.value = "",
		field.dispatchEvent(new Event("search", {bubbles: true}))))(document.getElementById("search_text"))`)
	tab.untilRows(5)
	tab.until("the address has no search", `location.search === ""`)
}

func TestTabs_CountWithinTheFilterLive(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	p := harness.StartProgram(t, nil, kind, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "import", 4)
	harness.CountsAre(t, e, map[string]any{"failed": 4})
	tab := openTab(t, p.URL+"/process_runs?kind=gate")
	tab.untilLive()
	counts := func(started, completed, failed int) string {
		return fmt.Sprintf(`["started", "completed", "failed"].map((status) =>
			document.getElementById("count_" + status).textContent).join() === "%d,%d,%d"`,
			started, completed, failed)
	}
	tab.until("other kinds do not count", counts(0, 0, 0))
	harness.StartRunsOf(e, "gate", 3)
	tab.until("new runs do", counts(3, 0, 0))
	open()
	tab.until("and so does their end", counts(0, 3, 0))
	tab.click("#clear_filters")
	tab.until("without the filter all count", counts(0, 3, 4))
}

func TestFilter_CustomRangeIsInTheZoneOfTheReader(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 3)
	harness.WaitUntilDone(t, e)
	tab := newTab(t)
	call(tab, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Tokyo"})
	tab.do(chromedp.Navigate(p.URL + "/process_runs"))
	tab.untilLive()
	choose := func(value string) {
		t.Helper()
		evaluate[bool](tab, fmt.Sprintf(`((choice) => (choice.value = %q, choice.dispatchEvent(
			new Event("change", {bubbles: true}))))(document.getElementById("search_created"))`, value))
	}
	choose("custom")
	tab.until("the fields open", `document.getElementById("time_range").open`)
	hour := time.Now().UTC().Truncate(time.Hour)
	enter := func(field int, at time.Time) {
		t.Helper()
		evaluate[bool](tab, fmt.Sprintf(`((field) => (field.value = %q,
			field.dispatchEvent(new Event("input", {bubbles: true}))))(
			document.querySelectorAll("#time_range input[type=datetime-local]")[%d])`,
			at.Add(9*time.Hour).Format("2006-01-02T15:04:05"), field))
	}
	enter(0, hour.Add(-2*time.Hour))
	enter(1, hour.Add(-time.Hour))
	tab.click("#time_range button")
	tab.until("the address is in UTC", fmt.Sprintf(`new URLSearchParams(location.search).get("since") === %q`,
		hour.Add(-2*time.Hour).Format(time.RFC3339)))
	tab.untilRows(0)
	tab.until("the chip is in the zone of the reader", fmt.Sprintf(
		`document.querySelector(".chip time").textContent.includes(%q)`,
		hour.Add(7*time.Hour).Format("15:04:05")))
	tab.until("the fields are, too", fmt.Sprintf(
		`document.querySelector("#time_range input").value.startsWith(%q)`,
		hour.Add(7*time.Hour).Format("2006-01-02T15:04")))
	choose("1h")
	tab.untilSocket("/process_runs/live?since=1h")
	tab.untilRows(3)
	tab.click(".chip")
	tab.untilSocket("/process_runs/live")
}

func TestNoScript_FiltersWork(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil,
		harness.WorkThat("import", "the disk is full"), harness.WorkThat("mail", ""))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "mail", 3)
	harness.StartRunsOf(e, "import", 2)
	harness.WaitUntilDone(t, e)
	tab := newTab(t)
	call(tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	tab.do(chromedp.Navigate(p.URL + "/process_runs"))
	tab.do(chromedp.SetValue("#search_kind", "import"), chromedp.Click(chromedp.CSS(".unscripted")))
	tab.untilRows(2)
	tab.do(chromedp.SetValue("#search_created", "custom"))
	tab.click("#time_range summary")
	tab.do(chromedp.SetValue("#time_range input", "2026-01-01T00:00"))
	tab.click("#time_range button")
	tab.until("the chip says so", `document.querySelectorAll(".chip")[1].textContent.
		startsWith("Created from 1 Jan 2026, 00:00:00 UTC")`)
	tab.untilRows(2)
	tab.do(chromedp.Click(chromedp.CSS("#clear_filters")))
	tab.untilRows(5)
}

func TestUndo_QueuesACancelledRunAgain(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, unhurried...)
	b.Post(3)
	tab := openTab(t, b.URL+"/process_runs")
	tab.untilLive()
	tab.click(cancelFirst)
	tab.until("the run is cancelled", shows("1", "cancelled"))
	tab.click("#notice button:not(.close)")
	tab.until("it is queued again",
		shows("1", "created")+` && `+noticeText+`.includes("Run #1 is queued again")`)
}

func TestUndo_QueuesSelectedRunsAgain(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, unhurried...)
	b.Post(5)
	tab := openTab(t, b.URL+"/process_runs")
	tab.untilLive()
	tab.selectRun(4)
	tab.selectRun(2)
	tab.click("#bulk button[value=cancel]")
	tab.until("the confirmation opens", confirmText+`.includes("Cancel 2 selected runs?")`)
	tab.click("#confirm button[type=submit]")
	tab.until("the notice says how it ended", noticeText+`.includes("2 runs cancelled")`)
	tab.until("they are cancelled", shows("4", "cancelled")+` && `+shows("2", "cancelled"))
	tab.click("#notice button:not(.close)")
	tab.until("they are queued again", shows("4", "created")+` && `+shows("2", "created")+` && `+
		noticeText+`.includes("2 runs queued again")`)
}

// The rows that an open question has held back are fetched when it closes, which is not another list.
func TestBulk_NoticeOutlastsTheRowsThatWereHeldBack(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, unhurried...)
	b.Post(5)
	tab := openTab(t, b.URL+"/process_runs")
	tab.untilLive()
	tab.selectRun(4)
	tab.click("#bulk button[value=cancel]")
	tab.until("the confirmation opens", confirmText+`.includes("Cancel run #4?")`)
	b.Post(1)
	tab.until("the list holds the new run back", `!document.getElementById("new_runs").hidden`)
	tab.click("#confirm button[type=submit]")
	tab.until("the list has the new run", shows("6", "created"))
	tab.until("the notice says how it ended", noticeText+`.includes("cancelled")`)
}

func TestUndo_CancelsWhatWasStartedByMistake(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, unhurried...)
	tab := openTab(t, b.URL+"/process_runs")
	tab.untilLive()
	tab.click("#start button")
	tab.untilRows(10)
	tab.until("the notice leads to the first run",
		`[...document.querySelectorAll("#notice a")].some((link) => link.textContent === "Open #1")`)
	tab.click("#notice button:not(.close)")
	tab.until("all are cancelled", `document.getElementById("count_cancelled").textContent === "10"`)
	tab.until("the notice says so", noticeText+`.includes("10 runs cancelled")`)
}

// The answer to a bulk action shows how far it is although the bulk run is not in the list.
func TestBulk_ShowsItsProgressInAFilteredList(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil,
		harness.WorkThat("import", "the disk is full"), harness.WorkThat("mail", ""))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "import", 60)
	harness.WaitUntilDone(t, e)
	tab := openTab(t, p.URL+"/process_runs?status=failed&kind=import", chromedp.EmulateViewport(1000, 700))
	tab.untilLive()
	tab.click("#select_matching")
	tab.until("the bar says what is selected", selectionText+` === "All 60 matching selected"`)
	tab.until("the bar lies over the foot of the window", `((bar) => bar.bottom <= innerHeight &&
		bar.bottom > innerHeight - 60)(document.getElementById("bulk").getBoundingClientRect())`)
	tab.click("#bulk button[value=delete]")
	tab.until("the confirmation opens", dialogOpen)
	tab.click("#confirm button[type=submit]")
	tab.until("the notice says how it ended", noticeText+`.includes("60 runs deleted.")`)
	tab.untilRows(0)
	tab.until("the bar is gone", `!document.getElementById("bulk").checkVisibility()`)
	tab.press(kb.Escape)
}
