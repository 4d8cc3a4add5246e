package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"runboard/app"
	"runboard/jobs"
)

// workThat returns a kind whose work fails with a text, or succeeds when that is empty.
func workThat(name, fails string) jobs.Kind {
	return jobs.Kind{Name: name, Work: func(_ context.Context, run *jobs.Run) error {
		run.Logf("this is run %d", run.ID)
		if fails == "" {
			return nil
		}
		return errors.New(fails)
	}}
}

func TestAListIsNarrowedByItsAddress(t *testing.T) {
	t.Parallel()
	e := newExpect(t, startProgram(t, nil, workThat("backup", ""), workThat("import", "the disk is full")))
	for _, kind := range []string{"backup", "import"} {
		e.POST("/process_runs").WithFormField("count", 30).WithFormField("kind", kind).Expect().Status(http.StatusSeeOther)
	}
	settled(t, e)
	now := time.Now().UTC()
	hourAgo, inAnHour := now.Add(-time.Hour).Format(time.RFC3339), now.Add(time.Hour).Format("2006-01-02T15:04")
	for query, want := range map[string]int{
		"kind=backup": 30, "kind=import&status=failed": 30, "kind=backup&status=failed": 0, "kind=none": 0, "kind=": 60,
		"since=1h": 60, "since=" + hourAgo: 60, "since=" + inAnHour: 0, "until=" + inAnHour: 60, "until=" + hourAgo: 0, "until=1h": 0,
		"q=disk": 30, "q=disk+full&kind=import": 30, "q=disk&kind=backup": 0, "q=%22this+is%22": 60, "q=": 60, "since=1h&until=&q=run": 60,
	} {
		if n := len(walk(e, "/process_runs?"+query, "older")); n != want {
			t.Errorf("%s leads to %d runs and not %d", query, n, want)
		}
	}
	answer := e.GET("/process_runs").WithQuery("kind", "import").WithTransformer(jsonHeader).Expect().Status(http.StatusOK).JSON().Object()
	answer.HasValue("matches", 30).HasValue("more_matches", false)
	answer.Value("older").String().HasPrefix("/process_runs?before=").HasSuffix("&kind=import")
	page := e.GET("/process_runs").WithQuery("kind", "import").WithQuery("q", `<"disk`).WithQuery("since", "24h").Expect().Status(http.StatusOK).Body()
	page.Contains(`hx-ws:connect="/process_runs/live?kind=import&amp;q=%3C%22disk&amp;since=24h"`)
	page.Contains(`value="&lt;&#34;disk"`).Contains(`<option value="24h" selected>`).Contains("30 runs match.")
	page.Contains(`href="/process_runs?kind=import&amp;q=%3C%22disk&amp;since=24h&amp;status=failed"`)
}

func TestAFilterThatCannotBeUnderstood(t *testing.T) {
	t.Parallel()
	e := newExpect(t, startProgram(t, nil))
	for _, query := range []string{
		"since=yesterday", "since=-1h", "since=0s", "since=2026-13-01", "since=24", "since=1h&since=2h", "until=%00", "until=1e300h",
		"kind=a%00b", "kind=a&kind=b", "kind=" + strings.Repeat("k", app.MaxKind+1), "kind=%ff", "q=%ff", "q=a%0ab", "q=a&q=b",
		"q=" + strings.Repeat("q", app.MaxText+1), "since=9999999h",
	} {
		e.GET("/process_runs").WithQueryString(query).WithTransformer(jsonHeader).Expect().Status(http.StatusBadRequest)
		e.GET("/process_runs/live").WithQueryString(query).WithHeader("Upgrade", "websocket").WithHeader("Connection", "Upgrade").
			WithHeader("Sec-WebSocket-Version", "13").WithHeader("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==").Expect().Status(http.StatusBadRequest)
	}
}

func TestAFilteredListIsLive(t *testing.T) {
	t.Parallel()
	kind, open := gate("gate")
	p := startProgram(t, nil, kind, workThat("import", "the disk is full"))
	e := newExpect(t, p)
	tab := openTab(t, p.url+"/process_runs")
	tab.untilLive()
	tab.do(chromedp.SetValue(chromedp.CSS("#find_text"), "disk full"))
	tab.click(".find button")
	tab.untilSocket("/process_runs/live?q=disk+full")
	tab.until("the address says what is looked for", `location.search === "?q=disk+full"`)
	e.POST("/process_runs").WithFormField("count", 3).WithFormField("kind", "gate").Expect().Status(http.StatusSeeOther)
	e.POST("/process_runs").WithFormField("count", 2).WithFormField("kind", "import").Expect().Status(http.StatusSeeOther)
	tab.untilRows(2)
	tab.until("it says how many", `document.getElementById("matches").textContent === "2 runs match."`)
	open()
	settled(t, e)

	// The rest of the filter stays when a status is chosen, and Back leads back.
	evaluate[bool](tab, `((choice) => (choice.value = "24h", choice.dispatchEvent(new Event("change", {bubbles: true}))))(document.getElementById("find_since"))`)
	tab.untilSocket("/process_runs/live?q=disk+full&since=24h")
	tab.click("#filter_completed")
	tab.untilSocket("/process_runs/live?q=disk+full&since=24h&status=completed")
	tab.untilRows(0)
	for _, path := range []string{"/process_runs/live?q=disk+full&since=24h", "/process_runs/live?q=disk+full"} {
		evaluate[bool](tab, "history.back(), true")
		tab.untilSocket(path)
		tab.untilRows(2)
	}
	evaluate[bool](tab, `((choice) => (choice.value = "1h", choice.dispatchEvent(new Event("change", {bubbles: true}))))(document.getElementById("find_until"))`)
	tab.untilSocket("/process_runs/live?q=disk+full&until=1h")
	tab.untilRows(0)
	tab.click("#find_all")
	tab.untilSocket("/process_runs/live")
	tab.untilRows(5)
	if n := evaluate[string](tab, `document.getElementById("find_text").value`); n != "" {
		t.Errorf("the field still says %q", n)
	}
}

// Whoever asks for what cannot be had keeps the page that is there.
func TestALinkThatFailsLeavesThePageAsItIs(t *testing.T) {
	t.Parallel()
	p := startProgram(t, nil, workThat("import", "the disk is full"))
	startRuns(newExpect(t, p), 3)
	tab := openTab(t, p.url+"/process_runs")
	tab.expectProblems("400")
	tab.untilLive()
	evaluate[bool](tab, `((field) => (field.removeAttribute("maxlength"), field.value = "q".repeat(300), true))(document.getElementById("find_text"))`)
	tab.click(".find button")
	tab.until("it is said", `document.getElementById("notice").textContent.trim() === "What is searched for is at most 200 bytes of text."`)
	tab.untilRows(3)
	tab.until("the address is that of the page", `location.search === "" && document.title.startsWith("Runs ")`)
	tab.click("#filter_failed")
	tab.untilSocket("/process_runs/live?status=failed")
	tab.untilRows(3)
}

func TestFindingWorksWithoutScript(t *testing.T) {
	t.Parallel()
	e := newExpect(t, startProgram(t, nil, workThat("import", "the disk is full")))
	e.POST("/process_runs").WithFormField("count", 3).Expect().Status(http.StatusSeeOther)
	settled(t, e)
	body := e.GET("/process_runs").WithQueryString("status=failed&q=disk&since=").Expect().Status(http.StatusOK).Body()
	for id := range 3 {
		body.Contains(fmt.Sprintf(`id="process_run_%d"`, id+1))
	}
	body.Contains(`<form class="find" aria-label="Find runs" action="/process_runs"`).Contains(`<input type="hidden" name="status" value="failed">`)
}
