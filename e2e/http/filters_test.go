package http

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"runboard/app"
	"runboard/e2e/harness"
)

func TestFilters_NarrowTheList(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t,
		harness.StartProgram(t, nil, harness.WorkThat("backup", ""),
			harness.WorkThat("import", "the disk is full")))
	for _, kind := range []string{"backup", "import"} {
		e.POST("/process_runs").WithFormField("count", 30).WithFormField("kind", kind).Expect().
			Status(http.StatusSeeOther)
	}
	harness.WaitUntilDone(t, e)
	now := time.Now().UTC()
	hourAgo, inAnHour := now.Add(-time.Hour).Format(time.RFC3339), now.Add(time.Hour).
		Format("2006-01-02T15:04")
	for query, want := range map[string]int{
		"kind=backup": 30, "kind=import&status=failed": 30, "kind=backup&status=failed": 0, "kind=none": 0,
		"kind=":    60,
		"since=1h": 60, "since=" + hourAgo: 60, "since=" + inAnHour: 0, "until=" + inAnHour: 60,
		"until=" + hourAgo: 0, "until=1h": 0,
		"q=disk": 30, "q=disk+full&kind=import": 30, "q=disk&kind=backup": 0, "q=%22this+is%22": 60, "q=": 60,
		"since=1h&until=&q=run": 60,
	} {
		if n := len(walk(e, "/process_runs?"+query, "older")); n != want {
			t.Errorf("%s leads to %d runs and not %d", query, n, want)
		}
	}
	answer := e.GET("/process_runs").WithQuery("kind", "import").WithTransformer(harness.AcceptJSON).Expect().
		Status(http.StatusOK).JSON().Object()
	answer.HasValue("matches", 30).HasValue("more_matches", false)
	answer.Value("older").String().HasPrefix("/process_runs?before=").HasSuffix("&kind=import")
	page := e.GET("/process_runs").WithQuery("kind", "import").WithQuery("q", `<"disk`).
		WithQuery("since", "24h").Expect().Status(http.StatusOK).Body()
	page.Contains(`hx-ws:connect="/process_runs/live?kind=import&amp;q=%3C%22disk&amp;since=24h"`)
	page.Contains(`value="&lt;&#34;disk"`).Contains(`<option value="24h" selected>`).
		Contains("30 runs match<")
	page.Contains(`href="/process_runs?kind=import&amp;q=%3C%22disk&amp;since=24h&amp;status=failed"`)
}

func TestFilters_RefuseMalformedValues(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	e := harness.NewExpect(t, harness.StartProgram(t, nil))
	for _, query := range []string{
		"since=yesterday", "since=-1h", "since=0s", "since=2026-13-01", "since=24", "since=1h&since=2h",
		"until=%00", "until=1e300h",
		"kind=a%00b", "kind=a&kind=b", "kind=" + strings.Repeat("k", app.MaxKind+1), "kind=%ff", "q=%ff",
		"q=a%0ab", "q=a&q=b",
		"q=" + strings.Repeat("q", app.MaxText+1), "since=9999999h",
	} {
		e.GET("/process_runs").WithQueryString(query).WithTransformer(harness.AcceptJSON).Expect().
			Status(http.StatusBadRequest)
		e.GET("/process_runs/live").WithQueryString(query).WithHeader("Upgrade", "websocket").
			WithHeader("Connection", "Upgrade").
			WithHeader("Sec-WebSocket-Version", "13").
			WithHeader("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==").Expect().Status(http.StatusBadRequest)
	}
}

func TestSearch_WorksWithoutScript(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full")))
	e.POST("/process_runs").WithFormField("count", 3).Expect().Status(http.StatusSeeOther)
	harness.WaitUntilDone(t, e)
	body := e.GET("/process_runs").WithQueryString("status=failed&q=disk&since=").Expect().
		Status(http.StatusOK).Body()
	for id := range 3 {
		body.Contains(fmt.Sprintf(`id="process_run_%d"`, id+1))
	}
	body.Contains(`<form id="find" role="search" action="/process_runs"`).
		Contains(`<input type="hidden" name="status" value="failed" form="find">`)
}
