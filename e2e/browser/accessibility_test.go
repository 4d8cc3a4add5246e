package browser

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"runboard/app"
	"runboard/board"
	"runboard/e2e/harness"
)

// complaints checks a page with axe and returns the violations.
func (p *tab) complaints() []string {
	p.t.Helper()
	evaluate[bool](p, harness.ReadFile(p.t, "static/node_modules/axe-core/axe.min.js")+"; true")
	found, err := chromedp.Run(p.ctx, chromedp.Evaluate[[]string](`axe.run(document).
		then((all) => all.violations.flatMap((one) =>
		one.nodes.map((node) => one.id + ": " + node.html + " " + (node.any[0]?.message ?? ""))))`, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatal(err)
	}
	return found
}

func TestPages_AreAccessible(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	long := func(c *board.Config) { c.RunTimeout = time.Hour } // axe has much to check
	p := harness.StartProgram(t, long, kind, harness.WorkThat("import", "the disk is full"),
		harness.Commands(t,
			"talk=sh -c 'echo one; echo two >&2; echo progress: 40% half; exec sleep 1000'")[0])
	e := harness.NewExpect(t, p)
	e.POST("/process_runs").WithFormField("count", 8).WithFormField("kind", "import").Expect().
		Status(http.StatusSeeOther)
	path := harness.StartRun(e, "talk")
	harness.StartRun(e, "gate")
	e.POST("/process_runs/1/retry").WithTransformer(harness.AcceptJSON).Expect()
	for _, page := range []string{"/process_runs", "/process_runs?status=completed",
		"/process_runs?q=disk&kind=import&since=1h", path, "/process_runs/1",
		"/process_runs/bulk?operation=retry&scope=all", "/process_runs/statistics", "/process_runs/failures",
		"/process_runs/999"} {
		for _, scheme := range []string{"light", "dark"} {
			t.Run(page+" "+scheme, func(t *testing.T) {
				tab := newTab(t)
				tab.expectProblems("404")
				call(tab, emulation.SetEmulatedMedia,
					emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
						{Name: "prefers-color-scheme", Value: scheme},
						{Name: "prefers-reduced-motion", Value: "reduce"},
					}})
				tab.do(chromedp.EmulateViewport(1000, 800), chromedp.Navigate(p.URL+page))
				if page != "/process_runs/999" && !strings.Contains(page, "/bulk?") {
					tab.untilLive()
				}
				for _, complaint := range tab.complaints() {
					t.Error(complaint)
				}
				tab.do(chromedp.EmulateViewport(320, 700))
				if wide := evaluate[int](tab, "document.documentElement.scrollWidth"); wide > 320 {
					t.Errorf("the page is %d pixels wide in a window of 320", wide)
				}
				tab.complainOfDialogs(page)
			})
		}
	}
	open()
	e.POST(fmt.Sprint(path, "/cancel")).Expect().Status(http.StatusSeeOther)
}

// complainOfDialogs opens the dialogs of a page, and reports what axe complains about.
func (p *tab) complainOfDialogs(page string) {
	p.t.Helper()
	if strings.HasPrefix(page, "/process_runs?") {
		evaluate[bool](p, `((scope) => (scope.value = "all",
			scope.dispatchEvent(new Event("change", {bubbles: true}))
		))(document.getElementById("bulk_scope"))`)
		p.click("#bulk button")
		p.until("the confirmation opens", confirmText+` !== ""`)
		for _, complaint := range p.complaints() {
			p.t.Error("with the question: ", complaint)
		}
	}
	if page == "/process_runs" {
		p.press("?")
		p.until("the help opens", `document.getElementById("shortcuts").open`)
		for _, complaint := range p.complaints() {
			p.t.Error("with the keys: ", complaint)
		}
	}
}

// clipped evaluates to the texts of the list that do not fit into their boxes, and those that overlap others.
const clipped = `(() => {
	const found = [];
	const box = (node) => { const range = document.createRange(); range.selectNodeContents(node);
	return range.getBoundingClientRect(); };
	for (const row of document.querySelectorAll("#process_runs tr")) {
		const parts = [...row.querySelectorAll("th a, .badge, td.kind, td > time")].
			filter((part) => part.closest("th, td").clientWidth > 0);
		for (const part of parts) {
			const words = box(part), cell = part.closest("th, td").getBoundingClientRect();
			if (part.matches(".badge") && words.height > 1.6 * parseFloat(getComputedStyle(part).fontSize)) found.push(part.innerText + " is broken");
			if (words.right > cell.right + 1 || words.right > innerWidth) found.push(part.innerText + " is cut off");
			for (const other of parts) {
				const its = box(other);
				if (part !== other && words.left < its.right - 1 && its.left < words.right - 1 &&
				words.top < its.bottom - 1 && its.top < words.bottom - 1) {
					found.push(part.innerText + " is upon " + other.innerText);
				}
			}
		}
	}
	return found;
})()`

func TestBoard_KindsFitOnAPhone(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	defer open()
	p := harness.StartProgram(t, func(c *board.Config) { c.Workers = 5 }, kind,
		harness.WorkThat("import", "no customer 42 in /data/7.csv"), harness.WorkThat("mail", ""))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "mail", 3)
	harness.StartRunsOf(e, "import", 3)
	harness.WaitUntilDone(t, e)
	harness.StartRunsOf(e, "gate", 8)
	harness.CountsAre(t, e, map[string]any{"started": 5})
	for _, width := range []int64{320, 360, 607, 609, 1000} {
		tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(width, 800))
		tab.untilLive()
		tab.untilRows(14)
		if found := evaluate[[]string](tab, clipped); len(found) > 0 {
			t.Errorf("at a width of %d: %q", width, found)
		}
	}
}

// A run that waits has no message and no duration.
func TestBoard_WaitingRowsTakeOneLineOnAPhone(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	defer open()
	p := harness.StartProgram(t, func(c *board.Config) { c.Workers = 1 }, kind, harness.WorkThat("mail", ""))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "gate", 2)
	harness.CountsAre(t, e, map[string]any{"started": 1, "created": 1})
	tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(360, 800))
	tab.untilLive()
	tab.untilRows(2)
	const height = `document.getElementById("process_run_%d").offsetHeight`
	waiting, started := evaluate[int](tab, fmt.Sprintf(height, 2)), evaluate[int](tab, fmt.Sprintf(height, 1))
	if waiting < 44 || waiting > 46 || started < 50 {
		t.Errorf("the row of a waiting run is %d pixels high, that of a started one %d", waiting, started)
	}
	if found := evaluate[[]string](tab, clipped); len(found) > 0 {
		t.Errorf("%q", found)
	}
	open()
	tab.until("the row of the run that has started has both lines", fmt.Sprintf(height, 2)+" > 50")
}

func TestBoard_LongKindNamesFit(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	long := strings.Repeat("k", app.MaxKind)
	p := harness.StartProgram(t, nil, harness.WorkThat(long, "no"), harness.WorkThat("mail", ""))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, long, 3)
	harness.WaitUntilDone(t, e)
	for _, width := range []int64{320, 700, 1000} {
		for _, page := range []string{"/process_runs", "/process_runs?kind=" + long, "/process_runs/1",
			"/process_runs/failures", "/process_runs/statistics"} {
			tab := openTab(t, p.URL+page, chromedp.EmulateViewport(width, 800))
			tab.untilLive()
			if out := evaluate[[]string](tab,
				`[...document.querySelectorAll("main *:not(#notice, .tabs *, details:not([open]) > :not(summary), details:not([open]) > :not(summary) *)")].filter((one) => getComputedStyle(one).clipPath === "none" && getComputedStyle(one).position !== "fixed" && one.getBoundingClientRect().right > innerWidth - 15).map((one) => one.tagName + " " + one.id)`); len(out) > 0 {
				t.Errorf("%.30s is %d pixels wide, and these are not within: %q", page, width, out)
			}
		}
	}
}

func TestPrint_ShowsTextsWithoutControls(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil,
		harness.WorkThat("import", "a long error, longer than its cell: "+strings.Repeat("word ", 12)+"end"),
		harness.WorkThat("mail", ""))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "import", 3)
	harness.StartRunsOf(e, "mail", 3)
	harness.WaitUntilDone(t, e)
	for _, page := range []string{"/process_runs", "/process_runs?q=long", "/process_runs/1",
		"/process_runs/failures", "/process_runs/statistics", "/process_runs/timeline"} {
		tab := openTab(t, p.URL+page, chromedp.EmulateViewport(700, 1000))
		tab.untilLive()
		call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
		tab.until("the page is laid out for print",
			`!document.getElementById("connection").checkVisibility()`)
		if left := evaluate[[]string](tab, `[...document.querySelectorAll("button, input:not([type=hidden], [type=search]), a[href*='/bulk'], #timeline_controls, progress")].
			filter((one) => one.checkVisibility()).map((one) => one.outerHTML)`); len(left) > 0 {
			t.Errorf("%s can be pressed: %q", page, left)
		}
		if cut := evaluate[[]string](tab, `[...document.querySelectorAll("#process_runs td.message")].
			filter((one) => one.scrollWidth > one.clientWidth ||
			getComputedStyle(one).whiteSpace === "nowrap").map((one) => one.innerText)`); len(cut) > 0 {
			t.Errorf("%s has no room for %q", page, cut)
		}
		if high := evaluate[[]string](tab, `[...document.querySelectorAll("#process_runs tr[id]")].
			filter((one) => one.offsetHeight > 120).map((one) => one.innerText)`); len(high) > 0 {
			t.Errorf("%s has rows that are broken up: %q", page, high)
		}
		if vague := evaluate[int](tab, `[...document.querySelectorAll("time[data-relative=ago]")].
			filter((one) => one.checkVisibility() &&
				getComputedStyle(one, "::after").content !==
				JSON.stringify(one.title || one.dateTime)).length`); vague > 0 {
			t.Errorf("%s has %d times that are soon wrong", page, vague)
		}
		if broken := evaluate[int](tab,
			`[...document.querySelectorAll("td > time")].
				filter((one) => one.getClientRects().length > 1).length`); broken > 0 {
			t.Errorf("%s has %d times that are broken in two", page, broken)
		}
		if narrowed := strings.Contains(page, "?"); evaluate[bool](tab,
			`document.querySelector(".found .chip")?.checkVisibility() ?? false`) != narrowed {
			t.Errorf("%s says what is looked for, or not: %v", page, !narrowed)
		}
	}
}

// A border that is transparent is drawn with forced colours, so it must not mark what is current.
func TestForcedColors_ShowWhatIsCurrent(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	for _, page := range []string{"/process_runs", "/process_runs/statistics", "/process_runs/timeline"} {
		tab := newTab(t)
		call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}},
		})
		tab.do(chromedp.Navigate(p.URL + page))
		tab.untilLive()
		if alike := evaluate[[]string](tab, `(() => {
			const look = (link) => ["textDecorationLine", "borderBlockEndColor"].
			map((name) => getComputedStyle(link)[name]);
			const isShown = ([line, color]) => [line === "underline",
			color !== getComputedStyle(document.body).backgroundColor];
			return [...document.querySelectorAll(".pages a, .tabs a")].
				filter((link) => isShown(look(link)).
				some((shown) => shown !== link.hasAttribute("aria-current"))).
				map((link) => link.innerText + " " + look(link));
		})()`); len(alike) > 0 {
			t.Errorf("on %s these do not look as they are, current or not: %q", page, alike)
		}
	}
}

func TestPages_KeepAMargin(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	for _, width := range []int64{320, 600, 800, 960, 1000} {
		tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(width, 800))
		for _, edge := range []string{`document.querySelector("h1").getBoundingClientRect().left`,
			`innerWidth - document.querySelector("#process_runs").getBoundingClientRect().right`} {
			if gap := evaluate[float64](tab, edge); gap < 16 {
				t.Errorf("in a window of %d pixels, %s is %v", width, edge, gap)
			}
		}
	}
}

func TestNoScript_HidesControlsThatNeedIt(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	harness.StartRuns(harness.NewExpect(t, p), 1)
	tab := newTab(t)
	call(tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	tab.do(chromedp.Navigate(p.URL + "/process_runs"))
	if useless := evaluate[[]string](tab,
		`[...document.querySelectorAll("button[type=button]")].filter((one) => one.checkVisibility()).
			map((one) => one.id)`); len(useless) > 0 {
		t.Errorf("these do nothing: %q", useless)
	}
}

func TestScreenReader_HearsTheResultOfASearch(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "import", 3)
	harness.WaitUntilDone(t, e)
	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	// A summary of the board follows every 5 s, so the test notes all texts.
	evaluate[bool](tab, `((place) => {
		window.heard = [];
		new MutationObserver(() => window.heard.push(place.textContent)).
		observe(place, {childList: true, characterData: true, subtree: true});
		return place.role === "status";
	})(document.querySelector("#summary[role=status]"))`)
	for _, search := range []struct{ words, want string }{
		{"disk", "3 runs match"}, {"missing", "No runs match."}, {"#99", "There is no run #99."},
		{"", "All runs are shown."},
	} {
		evaluate[bool](tab, fmt.Sprintf(`document.getElementById("search_text").value = %q, true`,
			search.words))
		tab.submitSearch()
		tab.until(fmt.Sprintf("%q is announced", search.want),
			fmt.Sprintf(`window.heard.includes(%q)`, search.want))
	}
}

func TestScreenReader_HearsProgress(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	harness.StartRuns(e, 3)
	tab.until("the notice appears",
		`document.querySelector("#summary[role=status]").textContent === "0 started, 0 created, 3 failed"`)
}
