package browser

import (
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"runboard/board"
	"runboard/e2e/harness"
)

const (
	badgeText  = `document.getElementById("connection").textContent`
	badgeState = `document.getElementById("connection").dataset.state`
	noticeText = `document.getElementById("notice").textContent`
)

// untilLater is until with a longer limit, for a server that has fallen silent.
func (p *tab) untilLater(what, expression string) {
	p.t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	for ; time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if is, err := tryEvaluate[bool](p, expression); err == nil && is {
			return
		}
	}
	p.t.Fatalf("timed out before %s", what)
}

func TestConnection_SilentServerIsNotLive(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, "--command", "job=/bin/sleep 98763")
	if err := b.Do(http.MethodPost, "/process_runs", "count=1&kind=job", nil); err != nil {
		t.Fatal(err)
	}
	b.UntilStarted(1)
	run, board := openTab(t, b.URL+"/process_runs/1"), openTab(t, b.URL+"/process_runs")
	for _, p := range []*tab{run, board} {
		p.expectProblems(lostServer + "|htmx:error|Abort|timeout|WebSocket is closed before")
		p.untilLive()
	}
	board.untilRows(1)
	b.Signal(syscall.SIGSTOP)
	defer func() { _ = b.Cmd.Process.Signal(syscall.SIGCONT) }()
	board.click(button)
	board.until("the button is busy",
		`document.querySelector("main form button").getAttribute("aria-busy") === "true"`)
	board.until("the request has a time-out", noticeText+`.startsWith("No answer from the server.")`)
	board.until("the button is not busy",
		`!document.querySelector("main form button").hasAttribute("aria-busy")`)
	for _, p := range []*tab{run, board} {
		p.untilLater("the page says that nothing comes",
			badgeState+` === "offline" && `+badgeText+`.startsWith("No answer from the server.")`)
	}
	const duration = `document.querySelector("time[data-relative=elapsed]").textContent`
	before := evaluate[string](run, duration)
	run.do(chromedp.Sleep(2500 * time.Millisecond))
	if after := evaluate[string](run, duration); after != before {
		t.Errorf("a duration counts on from %s to %s without a connection", before, after)
	}
	b.Signal(syscall.SIGCONT)
	for _, p := range []*tab{run, board} {
		p.untilLater("the page is live again", badgeState+` === "live"`)
	}
	board.until("the notice disappears", `document.querySelector(".no-answer") === null`)
}

func TestConnection_OfflineShowsAtOnce(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, harness.AtOnce...)
	p := openTab(t, b.URL+"/process_runs")
	p.expectProblems(lostServer + "|ERR_INTERNET_DISCONNECTED|Failed to fetch|htmx:error")
	p.untilLive()
	setOffline := func(is bool) {
		call(p, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
			MatchedNetworkConditions: []*network.Conditions{{Offline: is, DownloadThroughput: -1,
				UploadThroughput: -1}},
		})
		call(p, network.OverrideNetworkState,
			network.OverrideNetworkStateParams{Offline: is, DownloadThroughput: -1, UploadThroughput: -1})
	}
	setOffline(true)
	p.until("the page reports it", badgeState+` === "offline" && `+badgeText+`.startsWith("Offline.")`)
	p.click(button)
	p.until("a request fails", noticeText+` === "No answer from the server."`)
	setOffline(false)
	p.untilLive()
	p.until("the notice disappears", noticeText+` === ""`)
	p.untilTrue(b, "/process_runs")
}

func TestConnection_AnyAnswerEndsTheMessage(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, harness.AtOnce...)
	p := openTab(t, b.URL+"/process_runs")
	p.expectProblems("ERR_INTERNET_DISCONNECTED|Failed to fetch|htmx:error")
	p.untilLive()
	fail := func(is bool) { // only requests fail; the socket stays open
		call(p, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
			MatchedNetworkConditions: []*network.Conditions{{URLPattern: b.URL + "/*", Offline: is,
				DownloadThroughput: -1, UploadThroughput: -1}},
		})
	}
	fail(true)
	p.click(button)
	p.until("a request fails", noticeText+` === "No answer from the server."`)
	fail(false)
	p.click("#filter_failed")
	p.until("the other list is shown", `location.search === "?status=failed"`)
	p.until("the message disappears", noticeText+` === ""`)
}

func TestConnection_ShowsDrain(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, "--command", "job=/bin/sleep 98764", "--drain-timeout", "10m")
	if err := b.Do(http.MethodPost, "/process_runs", "count=1&kind=job", nil); err != nil {
		t.Fatal(err)
	}
	b.UntilStarted(1)
	before := openTab(t, b.URL+"/process_runs")
	before.expectProblems(lostServer + "|503")
	before.untilLive()
	b.Signal(syscall.SIGTERM)
	before.until("the page reports it",
		badgeState+` !== "live" && `+badgeText+` === "Server is shutting down…"`)
	before.click(button)
	before.until("a start is refused", noticeText+`.includes("shutting down")`)
	during := openTab(t, b.URL+"/process_runs/1")
	during.expectProblems(lostServer + "|503")
	during.until("a page that is opened now says so", badgeText+`.startsWith("Server restarting")`)
	b.Signal(syscall.SIGTERM) // without waiting for open pages
	b.Wait()
	before.until("the page says why it is not live", badgeText+`.startsWith("Server restarting")`)
	b.Restart()
	for _, p := range []*tab{before, during} {
		p.untilLater("the page is live", badgeState+` === "live" && `+badgeText+` === "Live"`)
	}
	before.until("the outdated notice disappears", noticeText+` === ""`)
}

// hide makes the page believe that it is in the background, or in front again.
func (p *tab) hide(hidden bool) {
	p.t.Helper()
	evaluate[bool](p, fmt.Sprintf(`(() => {
		Object.defineProperty(document, "hidden", { configurable: true, get: () => %v });
		Object.defineProperty(document, "visibilityState", { configurable: true,
		get: () => %v ? "hidden" : "visible" });
		return document.dispatchEvent(new Event("visibilitychange"));
	})()`, hidden, hidden))
}

func TestConnection_BackgroundTab(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	b := harness.StartProgram(t, func(c *board.Config) { c.Workers = 1 }, kind)
	harness.StartRuns(harness.NewExpect(t, b), 1)
	run, board := openTab(t, b.URL+"/process_runs/1"), openTab(t, b.URL+"/process_runs")
	run.until("the run is started", shows("1", "started"))
	run.until("the title follows", `document.title === "● #1 gate · Runboard"`)
	for _, p := range []*tab{run, board} {
		p.untilLive()
		p.hide(true)
	}
	board.until("the badge says that the board is paused in the background",
		badgeState+` === "connecting" && `+badgeText+`.startsWith("Paused in the background")`)
	open()
	run.until("the page of the run shows the end", shows("1", "completed"))
	run.until("its title says so", `document.title === "✓ #1 gate · Runboard"`)
	run.until("it is read out", `document.getElementById("summary").textContent === "Run #1 is completed."`)
	if n := run.socketsSoFar(); n != 1 {
		t.Errorf("the page has opened %d sockets", n)
	}
	evaluate[bool](board, `(() => {
		window.states = [];
		const badge = document.getElementById("connection");
		new MutationObserver(() => window.states.push(badge.dataset.state)).
		observe(badge, { attributes: true });
		return true;
	})()`)
	board.hide(false)
	board.untilLive()
	board.until("the board has caught up", shows("1", "completed"))
	if evaluate[bool](board, `window.states.includes("offline")`) {
		t.Error("after a rest in the background the board says that it was offline")
	}
}

func TestConnection_DeletedRun(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProgram(t, nil)
	harness.StartRuns(harness.NewExpect(t, b), 2)
	watched := openTab(t, b.URL+"/process_runs/1")
	watched.untilLive()
	watched.until("the run has ended", shows("1", "completed"))

	// The other run is deleted between the request for its page and the socket.
	late := newTab(t)
	call(late, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `const Real = WebSocket; window.WebSocket = class extends Real {
			constructor(url, ...rest) {
				super(window.deleted ? url : url.replace("/2/", "/999999/"), ...rest);
			}
		}`,
	})
	late.do(chromedp.Navigate(b.URL + "/process_runs/2"))
	for id := int64(1); id <= 2; id++ {
		harness.Eventually(t, "the run is deleted", func() error { return b.Store.Delete(t.Context(), id) })
	}
	for _, p := range []*tab{watched, late} {
		p.until("the page reports it",
			`document.getElementById("deleted").checkVisibility() &&
				document.getElementById("deleted").textContent === "This run was deleted."`)
		p.until("the badge says so",
			badgeState+` === "offline" && `+badgeText+` === "Updates stopped: the run was deleted."`)
		p.until("nothing can be done", `![...document.querySelectorAll(".run-head :is(button, a), .run-side tbody a")].
			some((one) => one.checkVisibility())`)
		p.until("the title follows", `document.title.startsWith("deleted #")`)
		p.until("no status is claimed",
			`document.querySelector(".facts.status").innerText.trim().endsWith("deleted")`)
	}
}

func TestClock_FollowsTheServer(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	defer open()
	b := harness.StartProgram(t, nil, kind)
	harness.StartRuns(harness.NewExpect(t, b), 1)
	for _, wrong := range []string{"-600_000", "600_000"} {
		p := newTab(t)
		call(p, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
			Source: `(() => { const now = Date.now; Date.now = () => now() + ` + wrong + `; })()`,
		})
		p.do(chromedp.Navigate(b.URL + "/process_runs/1"))
		p.untilLive()
		p.do(chromedp.Sleep(2500 * time.Millisecond)) // the page has updated the relative times
		shown := evaluate[string](p,
			`[...document.querySelectorAll("time[data-relative]")].map((time) => time.textContent).join()`)
		if !evaluate[bool](p, fmt.Sprintf(`!/min|-/.test(%q)`, shown)) {
			t.Errorf("with a clock that is %s ms off the times are %s", wrong, shown)
		}
	}
}

func TestNotice_DisappearsWhenOutdated(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	stubborn, open := harness.Gate("gate")
	b := harness.StartProgram(t, func(c *board.Config) { c.Workers = 1 }, stubborn)
	defer open()
	harness.StartRuns(harness.NewExpect(t, b), 2)
	p := openTab(t, b.URL+"/process_runs")
	p.untilLive()
	p.until("the run is started", shows("1", "started"))
	p.click("#process_run_1_actions button")
	p.until("the run is cancelled", shows("1", "cancelled"))
	p.until("the notice disappears", noticeText+` === ""`)
	p.until("the other run is started", shows("2", "started"))
	p.click(button)
	p.until("a notice appears", noticeText+` !== ""`)
	p.click("#filter_failed")
	p.until("the notice is gone in another list",
		`location.search === "?status=failed" && `+noticeText+` === ""`)
}

// A jump of the clock shows that the computer has slept. Its connections may be dead without the browser
// knowing.
func TestConnection_ReconnectsAfterSleep(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, harness.AtOnce...)
	p := openTab(t, b.URL+"/process_runs")
	p.untilLive()
	evaluate[bool](p, `(() => { const now = Date.now; Date.now = () => now() + 3_600_000; return true; })()`)
	p.until("there is another socket, and only one",
		`document.getElementById("connection").dataset.state !== "live"`)
	p.untilLive()
	p.untilSocket("/process_runs/live")
	if n := p.socketsSoFar(); n != 2 {
		t.Errorf("%d sockets were opened", n)
	}
	b.Post(1)
	p.untilRows(1)
}

func TestPause_IgnoresHeartbeats(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, harness.AtOnce...)
	p := openTab(t, b.URL+"/process_runs")
	p.untilLive()
	p.click("#pause")
	p.until("the badge does not say that the page is live", badgeText+` === "Paused"`)
	evaluate[bool](p, `htmx.swap({sourceElement: document.getElementById("live"), swap: "none",
		text: '<span id="heartbeat" data-at="7" hx-swap-oob="outerMorph"></span>'}), true`)
	p.until("the heartbeat has come", `document.getElementById("heartbeat").dataset.at === "7"`)
	p.until("the button counts no change",
		`/, 0 updates behind/.test(document.getElementById("pause").textContent)`)
	p.click("#pause")
	p.until("the page is live", badgeText+` === "Live"`)
}
