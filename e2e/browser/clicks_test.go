package browser

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"runboard/e2e/harness"
)

func TestClicks_TripleClickSendsOneRequest(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, harness.AtOnce...)
	for _, one := range []struct {
		name   string
		pause  time.Duration
		counts []int
	}{
		{"three fast clicks start ten runs", 0, []int{1, 1, 1}},
		{"a triple click starts ten runs", 0, []int{1, 2, 3}},
		{"a slow triple click starts ten runs", 300 * time.Millisecond, []int{1, 2, 3}},
		{"an event that says that it is a third click starts ten runs", 0, []int{3}},
	} {
		t.Run(one.name, func(t *testing.T) {
			for range 20 { // a busy machine may need several tries
				if clickFast(t, b.In(t), one.counts, one.pause) == nil {
					return
				}
			}
			t.Error("this machine is too slow to click fast")
		})
	}
}

var errSlow = errors.New("it was no triple click: too much time lay between two clicks")

// clickFast clicks the button several times, and checks that the page takes this for one request. It fails if
// a busy machine spreads the clicks so far that they are separate requests; that proves nothing about the
// page.
func clickFast(t *testing.T, b *harness.Process, counts []int, pause time.Duration) error {
	t.Helper()
	before := harness.TotalOf(b)
	p := openTab(t, b.URL+"/process_runs")
	p.untilLive()
	x, y := p.middle(button)
	began := time.Now()
	for i, count := range counts {
		due := began.Add(time.Duration(i) * pause) // independent of the duration of the previous click
		p.do(chromedp.Sleep(time.Until(due)), chromedp.MouseClickXY(x, y, chromedp.ClickCount(count)))
	}
	p.until("the page reports it",
		`document.getElementById("notice").textContent.includes("Started 10 runs")`)
	submits := evaluate[[]float64](p, "window.submits") // times in ms
	for i := range submits[1:] {
		if submits[i+1]-submits[i] > 450 {
			return errSlow
		}
	}
	if len(submits) != len(counts) {
		t.Errorf("%d clicks reached the form instead of %d", len(submits), len(counts))
	}
	b.WaitUntilDone(before + 10)
	p.untilTrue(b, "/process_runs")
	isNoPost := func(request string) bool { return !strings.HasPrefix(request, "POST") }
	if posts := slices.DeleteFunc(p.requestsSoFar(), isNoPost); len(posts) != 1 {
		t.Errorf("the page made the requests %q, clicked at %v", posts, submits)
	}
	return nil
}

func TestClicks_TwoSlowClicksSendTwoRequests(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, harness.AtOnce...)
	p := openTab(t, b.URL+"/process_runs")
	p.untilLive()
	p.click(button)
	p.do(chromedp.Sleep(700 * time.Millisecond)) // a user who wants more runs pauses
	p.click(button)
	b.WaitUntilDone(20)
	p.untilTrue(b, "/process_runs")
	p.until("the page names the new ones",
		`document.getElementById("notice").textContent.includes("#11 to #20")`)
}

func TestClicks_PageReportsNoAnswer(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, harness.AtOnce...)
	p := openTab(t, b.URL+"/process_runs")
	p.expectProblems(lostServer + "|htmx:error: Failed to fetch|^TypeError: Failed to fetch")
	p.untilLive()
	b.Kill()
	p.untilNotLive()
	const said = `document.getElementById("notice").textContent`
	p.click(button)
	p.until("the notice appears", said+` === "No answer from the server."`)
	b.Restart()
	p.untilLive()
	p.until("the notice disappears", said+` === ""`)
	p.click(button)
	p.until("the answer arrives", said+`.includes("Started 10 runs")`)
}

func TestTab_ReportsViolationsAndExceptions(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, harness.AtOnce...)
	p := openTab(t, b.URL+"/process_runs")
	p.untilLive()
	if problems := p.unexpected(); problems != nil {
		t.Fatalf("the page has problems before the test: %q", problems)
	}
	p.expectProblems("violat|uncaught: .*on purpose")
	evaluate[bool](p, `(() => {
		const script = document.createElement("script");
		script.textContent = "window.inlineScriptRan = true";
		document.body.append(script);
		setTimeout(() => { throw new Error("on purpose") });
		return true;
	})()`)
	harness.Eventually(t, "both are reported", func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		all := strings.Join(p.problems, "\n")
		if !strings.Contains(all, "violation of script-src") || !strings.Contains(all, "on purpose") {
			return errors.New(all)
		}
		return nil
	})
	if evaluate[bool](p, "window.inlineScriptRan === true") {
		t.Error("an inline script ran")
	}
}
