package browser

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"runboard/board"
	"runboard/e2e/harness"
)

const latencyText = `document.getElementById("latency").textContent`

// clockScript lets a test set the clock of the page: window.ahead is how many ms it is ahead of the real
// clock.
const clockScript = `(() => {
	const real = Date.now;
	window.ahead = %d;
	Date.now = () => real() + window.ahead;
})()`

// openTabAhead opens a page whose clock is ahead of that of the server.
func openTabAhead(t *testing.T, url string, ahead time.Duration) *tab {
	t.Helper()
	p := newTab(t)
	call(p, page.AddScriptToEvaluateOnNewDocument,
		page.AddScriptToEvaluateOnNewDocumentParams{Source: fmt.Sprintf(clockScript, ahead.Milliseconds())})
	p.do(chromedp.Navigate(url))
	p.untilLive()
	p.untilSocket(pathOf(url) + "/live")
	return p
}

// setAhead sets the clock of the page after everything received so far has been painted.
func (p *tab) setAhead(ahead time.Duration) {
	p.t.Helper()
	expression := fmt.Sprintf(`(async () => {
		for (let i = 0; i < 2; i++) await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
		return window.ahead = %d;
	})()`, ahead.Milliseconds())
	if _, err := chromedp.Run(p.ctx,
		chromedp.Evaluate[int64](expression, chromedp.EvalAwaitPromise)); err != nil {
		p.t.Fatal(err)
	}
}

var latencyPattern = regexp.MustCompile(`^Updates in ([\d.]+ m?s) \(p99 ([\d.]+ m?s)\)$`)

// untilLatency waits until the page shows a delay, and checks that it is plausible. It calls again to make a
// change, as often as needed.
func (p *tab) untilLatency(again func()) {
	p.t.Helper()
	var text string
	harness.Eventually(p.t, "a delay is shown", func() error {
		again()
		if text = evaluate[string](p, latencyText); text == "" {
			return errors.New("there is none")
		}
		return nil
	})
	found := latencyPattern.FindStringSubmatch(text)
	if found == nil {
		p.t.Fatalf("it says %q", text)
	}
	for _, one := range found[1:] {
		if delay, err := time.ParseDuration(strings.ReplaceAll(one, " ", "")); err != nil || delay < 0 ||
			delay > harness.Patience {
			p.t.Errorf("it says %q: %v", text, err)
		}
	}
}

func TestLatency_ShowsCommitToDisplay(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	p := harness.StartProgram(t, func(c *board.Config) { c.Workers = 1 }, kind)
	e := harness.NewExpect(t, p)
	list := openTab(t, p.URL+"/process_runs")
	list.untilLive()
	list.untilSocket("/process_runs/live")
	harness.StartRuns(e, 2)
	list.untilLatency(func() {})

	run := openTab(t, p.URL+"/process_runs/1")
	run.untilLive()
	run.untilSocket("/process_runs/1/live")
	open()
	run.untilLatency(func() {})
	run.setAhead(0) // returns after the received frames have been painted
	evaluate[bool](run,
		`performance.now = ((real) => () => real.call(performance) + 61_000)(performance.now), true`)
	run.until("a minute later there is none", latencyText+` === ""`)
}

func TestLatency_IgnoresTheBrowsersClock(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	e := harness.NewExpect(t, p)
	for _, ahead := range []time.Duration{time.Hour, -time.Hour} {
		openTabAhead(t, p.URL+"/process_runs", ahead).untilLatency(func() { harness.StartRuns(e, 1) })
	}
	setBack := openTabAhead(t, p.URL+"/process_runs", 0)
	setBack.setAhead(-time.Hour)
	setBack.untilLatency(func() { harness.StartRuns(e, 1) })
}

// oldNews are changes that reach the page late for reasons of its own.
var oldNews = map[string]func(p *tab, b *harness.Process, wire *wire){
	"what happened while there was no socket": func(p *tab, b *harness.Process, wire *wire) {
		wire.cut()
		p.untilNotLive()
		b.Post(1)
		wire.repair()
		p.until("the new run is there", firstRow+` === 27`)
	},
	"what happened in a pause": func(p *tab, b *harness.Process, _ *wire) {
		p.click("#pause")
		b.Post(1)
		p.until("the pause counts updates",
			`/[1-9]\d* updates? behind/.test(document.getElementById("pause").textContent)`)
		p.click("#pause")
		p.until("the new run is there", firstRow+` === 27`)
	},
	"what comes from before the end of a pause": func(p *tab, b *harness.Process, _ *wire) {
		p.click("#pause")
		b.Post(1)
		p.until("the pause counts updates",
			`/[1-9]\d* updates? behind/.test(document.getElementById("pause").textContent)`)
		evaluate[bool](p, `document.getElementById("pause").click(),
			htmx.swap({sourceElement: document.getElementById("live"), swap: "none",
			text: document.getElementById("process_run_26_status").outerHTML.replace("data-version=\"3\"", "data-version=\"4\" hx-swap-oob=\"outerMorph\"")}), true`)
		p.until("the new run is there", firstRow+` === 27`)
	},
	"held-back rows that the user asked for": func(p *tab, b *harness.Process, _ *wire) {
		p.selectRun(26)
		b.Post(1)
		p.until("the bar for new runs appears", `!document.getElementById("new_runs").hidden`)
		p.click("#new_runs")
		p.until("the new run is there", firstRow+` === 27`)
		evaluate[bool](p,
			`document.querySelector("#process_run_26 input").click(),
				document.activeElement.blur(), true`)
	},
	"new rows held back until the list was idle": func(p *tab, b *harness.Process, _ *wire) {
		p.selectRun(26)
		b.Post(1)
		p.until("the bar for new runs appears", `!document.getElementById("new_runs").hidden`)
		evaluate[bool](p,
			`document.querySelector("#process_run_26 input").click(),
				document.activeElement.blur(), true`)
		b.Post(1)
		p.until("the new runs are there", firstRow+` === 28`)
	},
	"what a list shows that is narrowed no more": func(p *tab, _ *harness.Process, _ *wire) {
		evaluate[bool](p,
			`document.querySelector("#time_range input[name=until]").value = "1h",
				document.getElementById("search_created").value = "custom", true`)
		p.submitSearch()
		p.untilSocket("/process_runs/live?until=1h")
		p.untilRows(0)
		p.click("#clear_filters")
		p.untilSocket("/process_runs/live")
		p.untilRows(25)
	},
	"a row that moves up to where one went": func(p *tab, b *harness.Process, _ *wire) {
		if err := b.Do(http.MethodPost, "/process_runs/20/delete", "", nil); err != nil {
			p.t.Fatal(err)
		}
		p.until("the last row has moved up", `document.getElementById("process_run_1") !== null`)
	},
}

// The clock of the page is an hour ahead, so a change that wrongly counted would show a delay of an hour.
func TestLatency_CountsOnlyFreshChanges(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	for name, happens := range oldNews {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := harness.StartProcess(t, harness.AtOnce...)
			b.Post(26)
			b.WaitUntilDone(26)
			b.Kill()
			// nothing else changes
			b.Args = []string{"--delay-min", "10m", "--delay-max", "10m", "--run-timeout", "1h"}
			b.Restart()
			wire := startWire(t, strings.TrimPrefix(b.URL, "http://"))
			p := openTabAhead(t, "http://"+wire.addr()+"/process_runs", 0)
			p.expectProblems(lostServer)
			p.untilTrue(b, "/process_runs")
			p.setAhead(time.Hour)
			happens(p, b, wire)
			p.setAhead(0)
			p.untilLatency(func() { b.Post(1) })
		})
	}
}

func TestLatency_MovesNothingAndFits(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 110) // so that no count gains a digit, which would move the layout
	harness.WaitUntilDone(t, e)
	const places = `JSON.stringify([...document.querySelectorAll(".top :not(#latency), h1, #process_runs")]
		.map((one) => [one.getBoundingClientRect().x, one.getBoundingClientRect().y]))`
	for _, width := range []int64{1000, 320} {
		tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(width, 700))
		tab.untilLive()
		tab.untilSocket("/process_runs/live")
		before := evaluate[string](tab, places)
		tab.untilLatency(func() { harness.StartRuns(e, 1) })
		if after := evaluate[string](tab, places); after != before {
			t.Errorf("at %d pixels, elements moved from\n%s to\n%s", width, before, after)
		}
		evaluate[bool](tab, latencyText+` = "Updates in 999 ms (p99 999 ms)", true`)
		if wide := evaluate[int64](tab, "document.documentElement.scrollWidth"); wide > width {
			t.Errorf("the page is %d pixels wide in a window of %d", wide, width)
		}
		for _, complaint := range tab.complaints() {
			t.Error(complaint)
		}
		call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
		if evaluate[bool](tab, `document.getElementById("latency").checkVisibility()`) {
			t.Error("the latency is printed")
		}
	}
}
