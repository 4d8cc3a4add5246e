package browser

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"runboard/e2e/harness"
	"runboard/jobs"
	"runboard/static"
	"runboard/templates"
)

func TestHeader_IsTheSameOnEveryPage(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 3)
	harness.WaitUntilDone(t, e)
	tab := openTab(t, p.URL+"/process_runs")
	tab.expectProblems("404")
	for _, path := range []string{"", "/1", "/failures", "/statistics", "/no-such-run"} {
		tab.do(chromedp.Navigate(p.URL + "/process_runs" + path))
		tab.until("the header has it all", `document.querySelectorAll(".top .pages a").length === 5 &&
			document.getElementById("find").action.endsWith("/process_runs") &&
			document.getElementById("nav_failed").textContent === "3"`)
		tab.untilLive()
	}
	harness.StartRuns(e, 2)
	tab.until("an error page counts failures, too",
		`document.getElementById("nav_failed").textContent === "5"`)
}

func TestHeader_IsOneLineOnADesktop(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	for _, width := range []int64{1000, 1600, 1920} {
		tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(width, 800))
		tab.untilLive()
		if height := evaluate[int64](tab, `document.querySelector(".top").offsetHeight`); height > 49 {
			t.Errorf("at a width of %d the header is %d pixels high", width, height)
		}
	}
}

func TestHeader_LatencyCoversNothing(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	for _, width := range []int64{1000, 1281, 1600} {
		tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(width, 800))
		tab.untilLive()
		overlaps := evaluate[bool](tab, `(() => {
			const latency = document.getElementById("latency");
			latency.textContent = "Updates in 999 ms (p99 999 ms)";
			const box = latency.getBoundingClientRect();
			return ["#find", ".pages a:last-child", "#connection", "main"].some((other) => {
				const { left, right, top, bottom } = document.querySelector(other).getBoundingClientRect();
				return box.left < right && left < box.right && box.top < bottom && top < box.bottom;
			});
		})()`)
		if overlaps {
			t.Errorf("at a width of %d the latency overlaps something", width)
		}
	}
}

func TestHeader_SkipLinkLeadsToTheContent(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	tab := openTab(t, p.URL+"/process_runs/statistics")
	tab.untilLive()
	tab.press(kb.Tab)
	tab.until("the link is in sight", `((link) => link.className === "skip" &&
		link.getBoundingClientRect().top >= 0)(document.activeElement)`)
	tab.press(kb.Enter)
	tab.until("the content has the focus", `document.activeElement.id === "main"`)
}

func TestNotice_GoesAwayByItself(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, harness.AtOnce...)
	tab := openTab(t, b.URL+"/process_runs")
	tab.untilLive()
	tab.click(button)
	tab.until("the notice appears",
		`document.getElementById("notice").textContent.includes("Started 10 runs")`)
	tab.until("the notice disappears", `document.getElementById("notice").childElementCount === 0`)
}

func TestNotice_ErrorStaysUntilItIsClosed(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, harness.AtOnce...)
	tab := openTab(t, b.URL+"/process_runs")
	tab.expectProblems("422")
	tab.untilLive()
	evaluate[bool](tab, `((set) => (window.waits = [], window.setTimeout = (act, ms, ...rest) =>
		(window.waits.push(ms), set(act, ms, ...rest)), true))(window.setTimeout)`)
	evaluate[bool](tab, `((form) => (form.elements.count.removeAttribute("max"),
		form.elements.count.value = "5000",
		form.noValidate = true, form.requestSubmit(), true))(document.getElementById("start"))`)
	tab.until("the notice appears",
		`document.querySelector("#notice > .error")?.textContent.includes("1000") ?? false`)
	if evaluate[bool](tab, `window.waits.includes(6000)`) {
		t.Error("the error goes away by itself")
	}
	tab.click("#notice .close")
	tab.until("the notice is closed", `document.getElementById("notice").childElementCount === 0`)
}

// unavailableFirst is a proxy to a server. It answers the first request for a page as a server does that is
// not available yet.
func unavailableFirst(t *testing.T, server string) *httptest.Server {
	t.Helper()
	assets, err := static.Load()
	if err != nil {
		t.Fatal(err)
	}
	pages, err := templates.New(templates.Options{Asset: assets.Path, Kinds: &jobs.Registry{}})
	if err != nil {
		t.Fatal(err)
	}
	sorry, err := pages.Error(templates.ErrorPage{
		Status: http.StatusServiceUnavailable, Message: "The server is starting.", Reload: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	var refused atomic.Bool
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/process_runs" && !refused.Swap(true) {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write(sorry)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return front
}

func TestErrorPage_OpensThePageOnceTheServerIsBack(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, harness.AtOnce...)
	front := unavailableFirst(t, b.URL)
	tab := openTab(t, front.URL+"/process_runs")
	tab.expectProblems("503")
	tab.until("the page says it",
		`document.getElementById("message")?.innerText === "The server is starting."`)
	tab.until("the board is there", `document.getElementById("process_runs") !== null`)
	tab.untilLive()
}
