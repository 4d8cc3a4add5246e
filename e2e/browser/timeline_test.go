package browser

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"runboard/board"
	"runboard/e2e/harness"
)

const timelinePath = "/process_runs/timeline"

// work is the expression for the bar of a run, without its wait.
func work(run int) string {
	return fmt.Sprintf(`document.querySelector("#timeline a[href='/process_runs/%d'] .work")`, run)
}

// barWidth is the expression for the width of the bar of a run in percent.
func barWidth(run int) string { return fmt.Sprintf(`parseFloat(%s.getAttribute("width"))`, work(run)) }

func TestTimeline_BarsGrow(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	p := harness.StartProgram(t, nil, kind)
	e := harness.NewExpect(t, p)
	tab := openTab(t, p.URL+timelinePath+"?span=1m")
	tab.untilLive()
	tab.until("it is empty",
		`document.getElementById("timeline").innerText.includes("No runs in this window.")`)
	run := harness.StartRun(e, "gate")
	tab.until("a bar appears", work(1)+`?.parentElement.classList.contains("started") === true`)
	before := evaluate[float64](tab, barWidth(1))
	tab.until("the bar grows", fmt.Sprintf(`%s > %f`, barWidth(1), before+3))
	tab.until("the title counts", work(1)+`.parentElement.textContent.includes("running for 2")`)
	open()
	harness.UntilStatus(t, e, run, "completed")
	tab.until("it is completed", work(1)+`.parentElement.classList.contains("completed")`)
	after := evaluate[float64](tab, barWidth(1))
	left := evaluate[string](tab, work(1)+`.getAttribute("x")`)
	tab.until("the window moves on", fmt.Sprintf(`%s.getAttribute("x") !== %q`, work(1), left))
	if now := evaluate[float64](tab, barWidth(1)); math.Abs(now-after) > 0.02 { // rounding
		t.Errorf("the bar of a completed run went from %v to %v", after, now)
	}
	if !evaluate[bool](tab, "window.notReloaded === true") {
		t.Error("the page was reloaded")
	}
}

func TestTimeline_ClickOpensTheRun(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	defer open()
	p := harness.StartProgram(t, nil, kind)
	e := harness.NewExpect(t, p)
	harness.UntilStatus(t, e, harness.StartRun(e, "gate"), "started")
	tab := openTab(t, p.URL+timelinePath+"?span=1m")
	tab.untilLive()
	tab.until("the bar is wide enough", barWidth(1)+` > 2`)
	evaluate[bool](tab, fmt.Sprintf(`(() => {
		const box = %s.getBoundingClientRect();
		document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2)
			.dispatchEvent(new MouseEvent("click", {bubbles: true, cancelable: true, view: window}));
		return true;
	})()`, work(1)))
	tab.until("the run opens", `location.pathname === "/process_runs/1"`)
}

// threeLanes starts a board whose timeline has three lanes with a bar each, and one lane with two.
func threeLanes(t *testing.T) (p *harness.Program) {
	t.Helper()
	kind, open := harness.Gate("gate")
	t.Cleanup(open)
	p = harness.StartProgram(t, nil, kind, harness.WorkThat("import", "the disk is full"),
		harness.WorkThat("mail", ""))
	e := harness.NewExpect(t, p)
	for _, kind := range []string{"import", "import", "mail"} {
		harness.StartRun(e, kind)
		harness.WaitUntilDone(t, e) // overlapping runs of a kind would get lanes of their own
	}
	harness.StartRun(e, "gate")
	harness.CountsAre(t, e, map[string]any{"started": 1, "completed": 1, "failed": 2})
	return p
}

func TestTimeline_ArrowKeysReachEveryBar(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := threeLanes(t)
	tab := openTab(t, p.URL+timelinePath+"?lanes=kinds&span=15m")
	tab.untilLive()
	stops := evaluate[int](tab, `document.querySelectorAll("#timeline a:not([tabindex='-1'])").length`)
	if stops != 1 {
		t.Fatalf("the picture has %d tab stops", stops)
	}
	evaluate[bool](tab, `document.querySelector("#timeline a[tabindex='0']").focus(), true`)
	at := func(run int) {
		t.Helper()
		tab.until(fmt.Sprintf("run %d has the focus", run),
			fmt.Sprintf(`document.activeElement.getAttribute("href") === "/process_runs/%d"`, run))
	}
	at(4) // of the kind gate
	for _, step := range []struct {
		key string
		run int
	}{{kb.ArrowUp, 4}, {kb.ArrowDown, 2}, {kb.ArrowLeft, 1}, {kb.ArrowLeft, 1}, {kb.End, 2}, {kb.Home, 1},
		{kb.ArrowRight, 2}, {kb.ArrowDown, 3}, {kb.ArrowDown, 3}, {kb.ArrowUp, 2}} {
		tab.press(step.key)
		at(step.run)
	}
	if width := evaluate[string](tab,
		`getComputedStyle(document.activeElement.querySelector(".work")).strokeWidth`); width != "3px" {
		t.Errorf("the outline of the focused bar is %s wide", width)
	}
	before := evaluate[string](tab, work(4)+`.getAttribute("width")`)
	tab.until("a frame comes", fmt.Sprintf(`%s.getAttribute("width") !== %q`, work(4), before))
	at(2)
	tab.press(kb.Enter)
	tab.until("the run opens", `location.pathname === "/process_runs/2"`)
}

func TestTimeline_WorksWithoutScripts(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := threeLanes(t)
	tab := newTab(t)
	call(tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	tab.do(chromedp.Navigate(p.URL + timelinePath))
	follow := func(text string, want ...string) {
		t.Helper()
		tab.until("the page has the link "+text, fmt.Sprintf(`((link) => Boolean(link) && (link.click(), true))(
			[...document.querySelectorAll("main a")].
				find((one) => (one.getAttribute("aria-label") ?? one.textContent) === %q))`, text))
		for _, part := range want {
			tab.until("the address has "+part, fmt.Sprintf(`location.search.includes(%q)`, part))
		}
	}
	bars := func(n int) {
		t.Helper()
		tab.until(fmt.Sprintf("there are %d bars", n),
			fmt.Sprintf(`document.querySelectorAll("#timeline .work").length === %d`, n))
	}
	bars(4)
	follow("By kind", "lanes=kinds")
	bars(4)
	follow("2 h", "span=2h", "lanes=kinds")
	follow("Zoom in", "span=15m")
	follow("Zoom out", "span=2h")
	follow("← Earlier", "until=")
	bars(0)
	follow("Later →")
	tab.until("it is live again", `!location.search.includes("until=")`)
	bars(4)
	follow("← Earlier", "until=")
	follow("Now", "span=2h")
	bars(4)
	tab.do(chromedp.SetValue("select[name=kind]", "import"))
	tab.click(".timeline-filter button")
	tab.until("the address has the filter", `location.search.includes("kind=import")`)
	bars(2)
	follow("Remove the filter import", "span=2h")
	bars(4)
	const table = `document.querySelector("#timeline_table table")`
	if shown := evaluate[bool](tab, table+".checkVisibility()"); shown {
		t.Error("the table is open")
	}
	tab.click("details summary:not([aria-label])")
	rows := evaluate[string](tab, `document.getElementById("timeline_table").innerText`)
	if !strings.Contains(rows, "#4") || !strings.Contains(rows, "the disk is full") {
		t.Errorf("the table is %s", rows)
	}
}

// As on the board, a select applies at once and keeps the focus.
func TestTimeline_SelectsApplyAtOnce(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := threeLanes(t)
	tab := openTab(t, p.URL+timelinePath+"?lanes=kinds&span=15m")
	tab.untilLive()
	choose := func(name, value string) {
		t.Helper()
		evaluate[bool](tab, fmt.Sprintf(`(() => {
			const select = document.querySelector("#timeline_filter select[name=%s]");
			select.focus();
			select.value = %q;
			return select.dispatchEvent(new Event("change", {bubbles: true}));
		})()`, name, value))
	}
	shows := func(bars int, query string) {
		t.Helper()
		tab.until(fmt.Sprintf("%s has %d bars", query, bars), fmt.Sprintf(
			`location.search === %q && document.querySelectorAll("#timeline .work").length === %d`, query,
			bars))
		tab.untilSocket("/process_runs/timeline/live" + query)
	}
	if evaluate[bool](tab, `document.querySelector(".timeline-filter button").checkVisibility()`) {
		t.Error("there is a button for what happens at once")
	}
	choose("kind", "import")
	shows(2, "?kind=import&lanes=kinds&span=15m")
	choose("status", "completed")
	shows(0, "?kind=import&lanes=kinds&span=15m&status=completed")
	if chips := evaluate[int](tab, `document.querySelectorAll(".timeline-filter .chip").length`); chips != 2 {
		t.Errorf("there are %d chips", chips)
	}
	if focused := evaluate[string](tab, `document.activeElement.name ?? ""`); focused != "status" {
		t.Errorf("the focus is on %q", focused)
	}
	choose("kind", "")
	shows(1, "?lanes=kinds&span=15m&status=completed")
	if !evaluate[bool](tab, "window.notReloaded === true") {
		t.Error("the page was reloaded")
	}
}

// Forced colors are few, so statuses differ by patterns and outlines.
func TestTimeline_StatusesDifferInForcedColors(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := threeLanes(t)
	tab := newTab(t)
	call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}},
	})
	tab.do(chromedp.Navigate(p.URL + timelinePath))
	tab.untilLive()
	looks := evaluate[[]string](tab, `[...document.querySelectorAll(".timeline-legend li > svg > rect:not(.wait, .busy)")].map((one) => {
		const { fill, strokeDasharray } = getComputedStyle(one);
		return fill + " " + strokeDasharray;
	})`)
	if different(looks) != 5 {
		t.Errorf("the statuses look like %q", looks)
	}
	strange := evaluate[[]string](tab, `(() => {
		const probe = document.body.appendChild(document.createElement("p"));
		const forced = ["Canvas", "CanvasText", "Highlight"].map((name) => {
			probe.style.color = name;
			return getComputedStyle(probe).color;
		});
		const shapes = document.querySelectorAll(".timeline-legend rect, .timeline .work, pattern > *");
		return [...shapes].filter((one) => getComputedStyle(one).fill.startsWith("rgb") &&
		!forced.includes(getComputedStyle(one).fill)).
			map((one) => one.outerHTML + getComputedStyle(one).fill);
	})()`)
	if len(strange) > 0 {
		t.Errorf("these have colors of their own: %q", strange)
	}
}

func TestTimeline_IsAccessibleAndFits(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	path := busyDay(t)
	busy := harness.StartProgram(t, func(c *board.Config) { c.DatabaseURL = "sqlite:" + path })
	few := threeLanes(t)
	empty := harness.StartProgram(t, nil)
	for name, url := range map[string]string{
		"empty": empty.URL + timelinePath, "slots": few.URL + timelinePath + "?span=1m",
		"kinds":    few.URL + timelinePath + "?lanes=kinds&span=15m",
		"filtered": few.URL + timelinePath + "?kind=import&status=failed",
		"binned":   busy.URL + timelinePath + "?span=24h",
		"compared": few.URL + "/process_runs/2/compare/3",
	} {
		for _, scheme := range []string{"light", "dark"} {
			t.Run(name+" "+scheme, func(t *testing.T) {
				tab := newTab(t)
				call(tab, emulation.SetEmulatedMedia,
					emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
						{Name: "prefers-color-scheme", Value: scheme},
						{Name: "prefers-reduced-motion", Value: "reduce"},
					}})
				tab.do(chromedp.EmulateViewport(1200, 800), chromedp.Navigate(url))
				tab.untilLive()
				evaluate[bool](tab,
					`[...document.querySelectorAll("main details")].forEach((one) => one.open = true), true`)
				for _, complaint := range tab.complaints() {
					t.Error(complaint)
				}
				tab.do(chromedp.EmulateViewport(320, 700))
				if wide := evaluate[int](tab, "document.documentElement.scrollWidth"); wide > 320 {
					t.Errorf("the page is %d pixels wide in a window of 320", wide)
				}
			})
		}
	}
}

// columns evaluates to the number of columns.
const columns = `document.querySelectorAll("#timeline .column").length`

func TestTimeline_ZoomsIntoAColumn(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	path := busyDay(t)
	p := harness.StartProgram(t, func(c *board.Config) { c.DatabaseURL = "sqlite:" + path })
	tab := openTab(t, p.URL+timelinePath+"?span=24h")
	tab.untilLive()
	if n := evaluate[int](tab, columns); n < 20 || n > 300 {
		t.Fatalf("there are %d columns", n)
	}
	evaluate[bool](tab, `(() => {
		const all = document.querySelectorAll("#timeline .column");
		const middle = all[Math.floor(all.length / 2)];
		middle.dispatchEvent(new MouseEvent("click", {bubbles: true, cancelable: true}));
		return true;
	})()`)
	tab.until("it shows two hours of the past",
		`location.search.includes("span=2h") && location.search.includes("until=")`)
	tab.untilLive()
	const bars = `document.querySelectorAll("#timeline .lanes > g > a").length`
	if n := evaluate[int](tab, bars); n == 0 || n > 300 {
		t.Errorf("there are %d bars", n)
	}
}

func TestTimeline_TimesAreThoseOfTheReader(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := threeLanes(t)
	tab := newTab(t)
	call(tab, emulation.SetTimezoneOverride,
		emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Kathmandu"})
	tab.do(chromedp.Navigate(p.URL + timelinePath + "?span=2h"))
	tab.untilLive()
	ticks := `[...document.querySelectorAll("#timeline .tick time")]`
	tab.until("the labels are in the zone of the reader", ticks+`.length > 3 && `+ticks+
		`.every((one) => /^\d\d:(05|25|45)$/.test(one.textContent) && one.title.endsWith("UTC"))`)
}

func TestComparison_LinksBothRuns(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil,
		harness.WorkThat("mail", ""), harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "mail", 1)
	harness.StartRunsOf(e, "import", 1)
	harness.WaitUntilDone(t, e)
	e.GET("/process_runs/2/compare/1").Expect().Status(http.StatusOK)
	tab := openTab(t, p.URL+"/process_runs/2/compare/1", chromedp.EmulateViewport(1200, 900))
	tab.untilLive()
	const side = `[...document.querySelectorAll(".pair section")].
		map((one) => Math.round(one.getBoundingClientRect().top))`
	if tops := evaluate[[]int](tab, side); tops[0] != tops[1] {
		t.Errorf("the runs stand at %v", tops)
	}
	tab.do(chromedp.EmulateViewport(360, 700))
	if tops := evaluate[[]int](tab, side); tops[0] >= tops[1] {
		t.Errorf("on a phone the runs stand at %v", tops)
	}
	tab.click(".pair section:last-child h2 a")
	tab.until("the run opens", `location.pathname === "/process_runs/1"`)
}
