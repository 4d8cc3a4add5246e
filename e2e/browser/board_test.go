package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"runboard/board"
	"runboard/e2e/harness"
)

// firstRowTop evaluates to where the first row of the list begins, in pixels from the top of the page.
const firstRowTop = `scrollY +
	document.querySelector(".runs tbody:not([hidden]) tr").getBoundingClientRect().top`

func TestBoard_BeginsNearTheTop(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil,
		harness.WorkThat("import", "the disk is full"), harness.WorkThat("mail", ""))
	harness.StartRunsOf(harness.NewExpect(t, p), "import", 30)
	for _, window := range []struct{ width, height, most int64 }{
		{1280, 800, 200}, {1600, 900, 200}, {360, 740, 300},
	} {
		tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(window.width, window.height))
		tab.untilLive()
		if top := evaluate[float64](tab, firstRowTop); top > float64(window.most) {
			t.Errorf("in a window of %d pixels the first row begins at %v", window.width, top)
		}
		height := evaluate[float64](tab,
			`document.querySelector("#process_runs tr").getBoundingClientRect().height`)
		if window.width > 1000 && (height < 33 || height > 36) {
			t.Errorf("in a window of %d pixels a row is %v pixels high", window.width, height)
		}
	}
}

func TestBoard_LongKindsKeepTheRowLow(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	const long = "rebuild-the-search-index-of-all-customers-in-the-warehouse"
	p := harness.StartProgram(t, nil,
		harness.WorkThat(long, "the disk is full"), harness.WorkThat("mail", ""))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, long, 2)
	harness.WaitUntilDone(t, e)
	tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(1280, 800))
	tab.until("a row has one line, and the title has the whole name", fmt.Sprintf(`(([row, kind]) =>
		row.getBoundingClientRect().height < 36 && kind.title === %q)(
		[document.querySelector("#process_run_1"), document.querySelector("#process_run_1 .kind")])`, long))
}

func TestBoard_RunningRunsStayInSight(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.StubbornGate("gate")
	defer open()
	p := harness.StartProgram(t, func(c *board.Config) { c.Workers = 12 }, kind)
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 12)
	harness.CountsAre(t, e, map[string]any{"started": 12})
	tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(1280, 800))
	tab.untilLive()
	const group = `document.getElementById("running")`
	tab.until("all runs are in the list", group+`.hidden`)
	harness.StartRuns(e, 25)
	tab.until("those that left the list are in the group", group+`.querySelectorAll("tr[id]").length === 10 &&
		`+group+`.innerText.includes("Running (12)") && `+group+`.innerText.includes("and 2 more")`)
	tab.until("no id is there twice", `(([...ids]) => new Set(ids).size === ids.length)(
		[...document.querySelectorAll("[id]")].map((one) => one.id))`)
	tab.untilRows(25)
	e.POST("/process_runs/1/cancel").Expect()
	tab.until("a request to stop shows",
		group+`.querySelector("#running_1").innerText.includes("cancelling")`)
	tab.click("#running tr:last-child a")
	tab.untilSocket("/process_runs/live?status=started")
	tab.untilRows(12)
	tab.until("there is no group among the started runs", group+`.hidden`)
	open()
	tab.click("#filter_all")
	tab.until("the group goes with its last run", group+`.hidden`)
	harness.WaitUntilDone(t, e)
}

// Rows of the group lie above the list, so none may come or go while a user works in the list.
func TestBoard_RunningGroupHoldsStillWhileReading(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	p := harness.StartProgram(t, func(c *board.Config) { c.Workers = 3 }, kind)
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 40)
	harness.CountsAre(t, e, map[string]any{"started": 3})
	tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(1280, 800))
	tab.untilLive()
	tab.until("the group is there", `document.querySelectorAll("#running tr[id]").length === 3`)
	evaluate[bool](tab, `document.querySelector("#process_run_38 a").focus(), true`)
	const top = `document.querySelector("#process_run_38").getBoundingClientRect().top`
	before := evaluate[float64](tab, top)
	open()
	tab.until("they are marked as ended", `[...document.querySelectorAll("#running .badge")].
		every((badge) => badge.textContent === "ended")`)
	if now := evaluate[float64](tab, top); now != before {
		t.Errorf("the row moved from %v to %v", before, now)
	}
	evaluate[bool](tab, `document.activeElement.blur(), true`)
	harness.WaitUntilDone(t, e)
	harness.StartRuns(e, 1)
	tab.until("then the group goes", `document.getElementById("running").hidden`)
}

func TestRow_IsOneTarget(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 3)
	harness.WaitUntilDone(t, e)
	tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(1280, 800))
	tab.untilLive()
	evaluate[bool](tab,
		`getSelection().selectAllChildren(document.getElementById("process_run_2_message")), true`)
	tab.do(chromedp.Click(chromedp.CSS("#process_run_3_message")))
	tab.until("a click ends a selection",
		`getSelection().isCollapsed && location.pathname === "/process_runs"`)
	tab.do(chromedp.Click(chromedp.CSS("#process_run_3_started")))
	tab.until("a click opens the run", `location.pathname === "/process_runs/3"`)
}

func TestRow_HasAMenuOnTouchScreens(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 3)
	harness.WaitUntilDone(t, e)
	tab := newTab(t)
	tab.do(chromedp.EmulateViewport(390, 800, chromedp.EmulateMobile, chromedp.EmulateTouch),
		chromedp.Navigate(p.URL+"/process_runs"))
	tab.untilLive()
	const button = `document.querySelector("#process_run_3_actions button")`
	tab.until("the button is in the menu", `!`+button+`.checkVisibility({contentVisibilityAuto: true})`)
	tab.click("#process_run_3_actions summary")
	tab.until("the menu opens", button+`.checkVisibility() &&
		document.querySelector("#process_run_3_actions details").open`)
	tab.click("#process_run_3_actions button")
	tab.until("the run is retried", noticeText+`.includes("queued again") ||
		document.getElementById("process_run_3_status").dataset.version !== "3"`)
}

func TestPager_LeadsToTheTopAndBackToTheLiveList(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 60)
	harness.WaitUntilDone(t, e)
	tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(1000, 600))
	tab.untilLive()
	tab.click("#page_older") // below the list
	tab.untilRow(35)
	tab.until("the top of the list is in sight", `((top) => top >= 0 && top < 300)(
		document.querySelector("#process_runs").getBoundingClientRect().top)`)
	tab.click("#top_newer")
	tab.untilRow(60)
	tab.until("the address is that of the list", `location.search === ""`)
	tab.untilSocket("/process_runs/live")
	harness.StartRuns(e, 1)
	tab.untilRow(61)
}

func TestPager_ShowsMoreRows(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 120)
	harness.WaitUntilDone(t, e)
	tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(1000, 600))
	tab.untilLive()
	evaluate[bool](tab, `((choice) => (choice.value = "50",
		choice.dispatchEvent(new Event("change", {bubbles: true}))))(document.getElementById("search_rows"))`)
	tab.untilSocket("/process_runs/live?rows=50")
	tab.untilRows(50)
	tab.click("#page_older")
	tab.untilSocket("/process_runs/live?before=71&rows=50")
	tab.untilRows(50)
	tab.click("#filter_failed")
	tab.untilSocket("/process_runs/live?rows=50&status=failed")
	tab.untilRows(50)
}

func TestNewRuns_BarMovesNothing(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	defer open()
	p := harness.StartProgram(t, nil, kind)
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 5)
	tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(1000, 600))
	tab.untilLive()
	tab.untilRows(5)
	evaluate[bool](tab, `document.querySelector("#process_run_3 a").focus(), true`)
	const top = `document.querySelector("#process_run_3").getBoundingClientRect().top`
	before := evaluate[float64](tab, top)
	harness.StartRuns(e, 5)
	tab.until("the bar appears", `document.getElementById("new_runs").textContent === "5 new runs"`)
	if now := evaluate[float64](tab, top); now != before {
		t.Errorf("the row moved from %v to %v", before, now)
	}
	tab.until("the bar is not transparent", `!/rgba\(.*, 0\)|transparent/.test(
		getComputedStyle(document.getElementById("new_runs")).backgroundColor)`)
	tab.click("#new_runs")
	tab.untilRows(10)
	if y := evaluate[float64](tab, "scrollY"); y != 0 {
		t.Errorf("the page scrolled to %v", y)
	}
}
