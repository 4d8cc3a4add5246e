package browser

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"runboard/e2e/harness"
)

// unhurried are flags for work that waits for an hour, so that there is time to cancel it.
var unhurried = []string{"--delay-min", "1h", "--delay-max", "1h"}

const (
	cancelFirst  = "#process_run_1_actions button[formaction$=cancel]"
	retryFirst   = "#process_run_1_actions button[formaction$=retry]"
	cancelOnPage = "#process_run_1_actions button[formaction$=cancel]"
	retryOnPage  = "#process_run_1_actions button[formaction$=retry]"
)

func shows(run, status string) string {
	return `document.getElementById("process_run_` + run + `_status").dataset.status === "` + status + `"`
}

func TestRowActions_WorkAcrossTabs(t *testing.T) {
	t.Parallel()
	b := harness.StartProcess(t, unhurried...)
	b.Post(3)
	one, two := openTab(t, b.URL+"/process_runs"), openTab(t, b.URL+"/process_runs/1")
	one.untilLive()
	two.untilLive()

	one.click(cancelFirst)
	one.until("the tab that clicked shows it", shows("1", "cancelled"))
	one.until("the notice appears",
		`document.getElementById("notice").textContent.includes("Run #1 is cancelled")`)
	two.until("the run's own page shows it", shows("1", "cancelled"))
	two.until("its history does",
		`document.getElementById("process_run_1_events").textContent.includes("cancelled before it was started")`)

	two.click(retryOnPage)
	two.until("the run is retried", shows("1", "created"))
	one.until("the list shows that", shows("1", "created"))
	one.untilTrue(b, "/process_runs")
}

func TestRowActions_DoubleClickCancelsOnly(t *testing.T) {
	t.Parallel()
	b := harness.StartProcess(t, unhurried...)
	for range 5 {
		if doubleClickCancels(t, b, b.Post(1)[0].ID) {
			return
		}
	}
	t.Error("this machine is too slow for a double click")
}

// doubleClickCancels clicks twice at the position of "Cancel", the second time when "Retry" has taken its
// place under the pointer. It reports whether the browser counted a double click: on a busy machine the
// clicks may be too far apart.
func doubleClickCancels(t *testing.T, b *harness.Process, run int64) bool {
	t.Helper()
	p := openTab(t, b.URL+"/process_runs")
	p.untilLive()
	evaluate[any](p,
		`(window.clicks = [], document.addEventListener("mousedown",
			(e) => clicks.push(e.timeStamp), true), null)`)
	cell := fmt.Sprintf("#process_run_%d_actions button", run)
	x, y := p.middle(cell + "[formaction$=cancel]")
	p.do(chromedp.MouseClickXY(x, y, chromedp.ClickCount(1)))
	p.until("the run has a retry button",
		`document.querySelector("`+cell+`[formaction$=retry]") !== null`)
	p.do(chromedp.MouseClickXY(x, y, chromedp.ClickCount(2)))
	clicks := evaluate[[]float64](p, "window.clicks") // times in ms
	if len(clicks) != 2 || clicks[1]-clicks[0] > 450 {
		return false
	}
	p.until("the page reports it", `document.getElementById("notice").textContent.includes("cancelled")`)
	p.untilTrue(b, "/process_runs")
	isNoPost := func(request string) bool { return !strings.HasPrefix(request, "POST") }
	if posts := slices.DeleteFunc(p.requestsSoFar(), isNoPost); len(posts) != 1 {
		t.Errorf("the page made the requests %q", posts)
	}
	return true
}

func TestNoScript_CancelsARun(t *testing.T) {
	t.Parallel()
	b := harness.StartProcess(t, unhurried...)
	b.Post(1)
	p := newTab(t)
	call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	p.do(chromedp.Navigate(b.URL + "/process_runs"))
	p.follow(cancelFirst)
	if is := evaluate[string](p, "location.pathname"); is != "/process_runs/1" {
		t.Errorf("the button leads to %q", is)
	}
	p.until("the run is cancelled", shows("1", "cancelled"))
	p.follow(retryOnPage)
	p.until("the run is retried", shows("1", "created"))
}

func TestFocus_StaysInTheRow(t *testing.T) {
	t.Parallel()
	for path, place := range map[string]struct{ button, focused string }{
		"/process_runs":   {cancelFirst, `document.activeElement.innerText === "#1"`},
		"/process_runs/1": {cancelOnPage, `document.activeElement.id === "process_run_1_status"`},
	} {
		kind, open := harness.Gate("gate")
		program := harness.StartProgram(t, nil, kind)
		harness.NewExpect(t, program).POST("/process_runs").WithFormField("count", 1).Expect().
			Status(http.StatusSeeOther)
		p := openTab(t, program.URL+path)
		p.untilLive()
		p.until("the button has the focus", fmt.Sprintf(`((b) => (b?.focus(), b !== null && document.activeElement === b))
			(document.querySelector(%q))`, place.button))
		open()
		p.until("the button has gone", shows("1", "completed"))
		p.until("the focus is where it was", place.focused)
	}
}
