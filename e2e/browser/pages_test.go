package browser

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"runboard/e2e/harness"
)

func TestHistory_BackAndForwardKeepTheSocketRight(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, harness.AtOnce...)
	b.Post(60)
	b.WaitUntilDone(60)
	p := openTab(t, b.URL+"/process_runs")
	at := func(query string, newest, oldest int64) {
		t.Helper()
		p.until("the address is right",
			fmt.Sprintf(`location.pathname + location.search === "/process_runs%s"`, query))
		p.until("the rows are right", fmt.Sprintf(`((rows) => rows[0]?.id === "process_run_%d" && rows.at(-1)?.id === "process_run_%d")
			([...document.querySelectorAll("#process_runs tr[id]")])`, newest, oldest))
		p.untilSocket("/process_runs/live" + query)
		p.untilTrue(b, "/process_runs"+query)
		p.untilLive()
	}
	at("", 60, 36)
	p.click("#page_older")
	at("?before=36", 35, 11)
	p.click("#page_older")
	at("?before=11", 10, 1)
	p.click("#page_newer")
	at("?after=10", 35, 11)
	for range 2 {
		evaluate[bool](p, "history.back(), true")
	}
	at("?before=36", 35, 11)
	evaluate[bool](p, "history.back(), true")
	at("", 60, 36)
	evaluate[bool](p, "history.forward(), true")
	at("?before=36", 35, 11)
	p.click("#page_newest")
	at("", 60, 36)
	p.click("#filter_failed")
	p.until("the filter is current",
		`document.querySelector(".counts [aria-current=page]").id === "filter_failed"`)
	p.untilSocket("/process_runs/live?status=failed")
	p.untilTrue(b, "/process_runs?status=failed")
	evaluate[bool](p, "history.back(), true")
	at("", 60, 36)
	p.until("the filter is not current",
		`document.querySelector(".counts [aria-current=page]").id === "filter_all"`)
	b.Post(1) // the page is live
	at("", 61, 37)
	if !evaluate[bool](p, "window.notReloaded === true") {
		t.Error("the page was reloaded")
	}
}

func TestPager_FastClicksEndRight(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, harness.AtOnce...)
	b.Post(60)
	b.WaitUntilDone(60)
	p := openTab(t, b.URL+"/process_runs")
	p.expectProblems("WebSocket is closed before the connection is established") // caused by a click
	p.untilLive()
	evaluate[bool](p, `(() => {
		for (const id of ["failed", "completed", "started", "all", "created",
		"completed"]) document.getElementById("filter_" + id).click();
		return true;
	})()`)
	const query = "?status=completed"
	p.until("the address is right", fmt.Sprintf(`location.search === %q`, query))
	p.untilSocket("/process_runs/live" + query)
	p.untilTrue(b, "/process_runs"+query)
	p.untilLive()
}

func TestNoScript_BoardWorks(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, harness.AtOnce...)
	p := newTab(t)
	call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	p.do(chromedp.Navigate(b.URL + "/process_runs"))
	p.follow(button)
	b.WaitUntilDone(10)
	wanted := []string{"GET /process_runs", "POST /process_runs", "answer 303", "GET /process_runs"}
	if made := p.requestsSoFar(); !slices.Equal(made, wanted) {
		t.Errorf("the browser made the requests %q instead of %q", made, wanted)
	}
	p.untilRows(10)
	if n := p.socketsSoFar(); n != 0 {
		t.Errorf("%d sockets were opened", n)
	}
	p.until("the page says that it is not live", `((badge) => badge.dataset.state === "offline" &&
		badge.innerText.startsWith("Not live"))
		(document.getElementById("connection"))`)

	b.Post(50)
	b.WaitUntilDone(60)
	p.do(chromedp.Reload())
	p.untilTrue(b, "/process_runs")
	for _, link := range []struct{ id, path string }{
		{"page_older", "/process_runs?before=36"}, {"page_older", "/process_runs?before=11"},
		{"page_newer", "/process_runs?after=10"}, {"page_newest", "/process_runs"},
		{"filter_failed", "/process_runs?status=failed"}, {"filter_all", "/process_runs"},
	} {
		p.follow("#" + link.id)
		if is := evaluate[string](p, "location.pathname + location.search"); is != link.path {
			t.Errorf("%s leads to %s instead of %s", link.id, is, link.path)
		}
		p.untilTrue(b, link.path)
	}
	p.follow("#process_run_60 a")
	if is := evaluate[string](p, "document.querySelector('h1').textContent"); is != "Run #60 simulated" {
		t.Errorf("a run's page is called %q", is)
	}
}

// follow clicks a link and waits for its page.
func (p *tab) follow(selector string) {
	p.t.Helper()
	p.do(func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.WaitEvent(page.LoadEventFired, nil, chromedp.Click(chromedp.CSS(selector)))(ctx,
			target)
		return chromedp.Void{}, err
	})
}

func TestRunPage_UnknownRunLinksBack(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, harness.AtOnce...)
	p := newTab(t)
	p.expectProblems("^Failed to load resource: .* status of 404")
	response, err := chromedp.Run(p.ctx, chromedp.NavigateResponse(b.URL+"/process_runs/999"))
	if err != nil {
		t.Fatal(err)
	}
	if response.Status != 404 {
		t.Errorf("the status is %d", response.Status)
	}
	p.until("the page reports it", `document.getElementById("message").innerText.startsWith("There is no")`)
	p.follow("main a")
	p.untilLive()
	p.untilTrue(b, "/process_runs")
}

// focused evaluates to a description of the focused element.
const focused = `((is) => is === document.body ? "" : is.id || is.innerText ||
	is.name)(document.activeElement)`

func TestKeyboard_ReachesEverything(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, append(harness.AtOnce, "--failure-rate", "1")...)
	b.Post(30)
	b.WaitUntilDone(30)
	p := openTab(t, b.URL+"/process_runs")
	p.untilLive()
	p.untilTrue(b, "/process_runs")
	wanted := []string{"Skip to content", "Runboard", "Runs", "Start", "Failures\n30",
		"Statistics", "Timeline",
		"search_text", "help", "count", "Start 10 processes",
		"filter_all", "filter_created", "filter_started",
		"filter_completed", "filter_failed", "filter_cancelled",
		"search_created", "pause", "select_matching", "top_older", "select_all"}
	for id := 30; id > 5; id-- {
		wanted = append(wanted, "id", fmt.Sprintf("#%d", id), "Retry")
	}
	wanted = append(wanted, "search_rows", "CSV", "JSON lines", "page_older")
	var reached []string
	for range wanted {
		p.press(kb.Tab)
		reached = append(reached, evaluate[string](p, focused))
	}
	if !slices.Equal(reached, wanted) {
		t.Errorf("Tab reaches %q instead of %q", reached, wanted)
	}
	if !evaluate[bool](p,
		`((style) => style.outlineStyle !== "none" ||
			style.boxShadow !== "none")(getComputedStyle(document.activeElement))`) {
		t.Error("nothing shows where the focus is")
	}
}

func TestFocus_StaysDuringUpdates(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, harness.InAMoment...)
	b.Post(5)
	p := openTab(t, b.URL+"/process_runs")
	p.untilLive()
	p.untilRows(5)
	for i, selector := range []string{"#process_run_5 a", "#filter_failed", button} {
		evaluate[bool](p, fmt.Sprintf(`(window.focused = document.querySelector(%q), window.focused.focus(), window.focusLost = 0,
			window.focused.addEventListener("blur", () => window.focusLost++), true)`, selector))
		b.Post(5)
		b.WaitUntilDone(int64(10 + 5*i))
		if i == 0 { // while the user works in the list, new runs wait
			p.until("new runs are held back",
				`document.getElementById("new_runs").textContent === "5 new runs"`)
		} else {
			p.untilTrue(b, "/process_runs")
		}
		if !evaluate[bool](p, "document.activeElement === window.focused && window.focused.isConnected") {
			t.Errorf("%s lost the focus to %q", selector, evaluate[string](p, focused))
		}
		if n := evaluate[int](p, "window.focusLost"); n != 0 {
			t.Errorf("%s lost the focus %d times", selector, n)
		}
	}
}

func TestFocus_StaysOnAFilterLink(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, harness.AtOnce...)
	b.Post(60)
	b.WaitUntilDone(60)
	p := openTab(t, b.URL+"/process_runs")
	p.untilLive()
	for _, link := range []struct{ id, query string }{
		{"filter_completed", "?status=completed"}, {"filter_all", ""}, {"page_older", "?before=36"},
		{"page_newer", ""}, // the newest page
	} {
		evaluate[bool](p, fmt.Sprintf("document.getElementById(%q).focus(), true", link.id))
		p.press(kb.Enter)
		p.untilSocket("/process_runs/live" + link.query)
		p.untilTrue(b, "/process_runs"+link.query)
		switch is := evaluate[string](p, focused); {
		case link.id == "page_newer": // the newest page has none
		case is != link.id:
			t.Errorf("after %s the focus is on %q", link.id, is)
		}
	}
}
