package browser

import (
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"runboard/e2e/harness"
)

// Limits of the first visit of a page, with an empty cache. The server compresses with gzip here: browsers
// accept brotli, which is a tenth smaller, only over TLS.
const (
	maxVisitBytes = 70 << 10 // of compressed bodies
	maxRoundTrips = 2        // after the page itself, until everything is loaded
)

// visit records what the browser loads for a page. Its listener may be called from any goroutine.
type visit struct {
	mu     sync.Mutex
	paths  map[network.RequestID]string
	bodies map[string]int64 // compressed bytes, by path
	// roundTrips is the number of requests, one after the other, that led to a path. That of the page is 0.
	roundTrips map[string]int
}

// visitPage opens a page in a new tab without a cache, and waits until it is live.
func visitPage(t testing.TB, url string) *visit {
	t.Helper()
	v := &visit{
		paths: map[network.RequestID]string{}, bodies: map[string]int64{}, roundTrips: map[string]int{},
	}
	tab := newTab(t)
	tab.expectProblems("status of 404")
	if err := chromedp.Listen(tab.ctx, v.listen); err != nil {
		t.Fatal(err)
	}
	call(tab, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
	tab.do(chromedp.Navigate(url))
	tab.untilLive()
	tab.until("everything is loaded", `document.readyState === "complete"`)
	return v
}

func (v *visit) listen(event any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if strings.HasPrefix(e.Request.URL, "data:") {
			return // part of the style sheet
		}
		path := pathOf(e.Request.URL)
		v.paths[e.RequestID] = path
		v.bodies[path] += 0
		if e.Initiator.URL != "" { // neither the page nor its icon
			v.roundTrips[path] = v.roundTrips[pathOf(e.Initiator.URL)] + 1
		}
	case *network.EventResponseReceived:
		v.bodies[v.paths[e.RequestID]] -= int64(e.Response.EncodedDataLength) // the headers
	case *network.EventLoadingFinished:
		v.bodies[v.paths[e.RequestID]] += int64(e.EncodedDataLength)
	}
}

// check fails the test if the visit loads more than maxVisitBytes or takes too many round trips.
func (v *visit) check(t *testing.T) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	var sum int64
	for path, bytes := range v.bodies {
		sum += bytes
		if v.roundTrips[path] > maxRoundTrips {
			t.Errorf("%s is loaded after %d round trips", path, v.roundTrips[path])
		}
	}
	if sum > maxVisitBytes || sum == 0 || len(v.bodies) < 5 {
		t.Errorf("the visit loads %d bytes in %d files: %v", sum, len(v.bodies), v.bodies)
	}
	t.Logf("%d bytes in %d files", sum, len(v.bodies))
}

func TestFirstVisit_IsLight(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"),
		harness.WorkThat("backup", ""))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "backup", 10)
	harness.StartRunsOf(e, "import", 60)
	harness.WaitUntilDone(t, e)
	for _, page := range []string{"/process_runs", "/process_runs/70", "/process_runs/failures",
		"/process_runs/statistics", "/process_runs/timeline", "/process_runs/70/compare/1", "/kinds",
		"/kinds/backup", "/process_runs/999"} {
		t.Run(page, func(t *testing.T) {
			visitPage(t, p.URL+page).check(t)
		})
	}
}

// everyPage returns the paths of all pages of a board in many states. Runs 1 to 3 have failed, run 4 is
// started, and run 5 has completed.
func everyPage() []string {
	return []string{
		"/process_runs", "/process_runs?status=failed", "/process_runs?q=disk&kind=import&since=1h",
		"/process_runs?before=3", "/process_runs?q=nothing", "/process_runs?failure=1",
		"/process_runs/1", "/process_runs/4", "/process_runs/5", "/process_runs/1/compare/5",
		"/process_runs/failures", "/process_runs/failures/1/note", "/process_runs/failures/1/mute",
		"/process_runs/statistics", "/process_runs/statistics?period=15m",
		"/process_runs/statistics?period=7d",
		"/process_runs/statistics?period=30d",
		"/process_runs/timeline", "/process_runs/timeline?span=1m",
		"/process_runs/timeline?span=24h&lanes=kinds", "/process_runs/bulk?operation=retry&scope=all",
		"/process_runs/bulk?operation=delete&id=1", "/kinds", "/kinds/backup", "/kinds/import",
		"/process_runs/999", "/nothing", "/kinds/nothing", "/process_runs?status=wrong",
		"/process_runs/1/compare/1", "/process_runs/statistics?period=wrong",
	}
}

// The browser reports violations of the content security policy, uncaught exceptions, failed requests and
// messages of scripts: every tab of these tests fails if there is any.
func TestPages_CauseNoProblems(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	gate, open := harness.Gate("gate")
	defer open()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"), gate,
		harness.Commands(t, "backup=sh -c 'printf \"\\033[31mred\\033[0m\\n\"; echo oops >&2'")[0])
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "import", 3)
	harness.UntilStatus(t, e, "/process_runs/3", "failed")
	harness.StartRunsOf(e, "gate", 1)
	harness.UntilStatus(t, e, "/process_runs/4", "started")
	harness.StartRunsOf(e, "backup", 1)
	harness.UntilStatus(t, e, "/process_runs/5", "completed")
	for _, scheme := range []string{"light", "dark"} {
		for _, page := range everyPage() {
			t.Run(scheme+" "+page, func(t *testing.T) {
				tab := newTab(t)
				tab.expectProblems("status of 40[04]") // which an error page has
				call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
					Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
				})
				tab.do(chromedp.Navigate(p.URL + page))
				if evaluate[bool](tab, `document.getElementById("live") !== null`) {
					tab.untilLive()
				}
				tab.until("everything is loaded", `document.readyState === "complete"`)
				if !evaluate[bool](tab, `document.querySelector("h1")?.checkVisibility() ?? false`) {
					t.Error("it has no heading")
				}
			})
		}
	}
}
