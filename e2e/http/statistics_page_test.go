package http

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"runboard/e2e/harness"
)

func TestStatistics_SurviveARestart(t *testing.T) {
	t.Parallel()
	change := harness.OnDatabase(harness.NewDatabase(t))
	p := harness.StartProgram(t, change, harness.WorkThat("backup", ""),
		harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	for kind, n := range map[string]int{"backup": 7, "import": 3} {
		e.POST("/process_runs").WithFormField("count", n).WithFormField("kind", kind).Expect().
			Status(http.StatusSeeOther)
	}
	harness.WaitUntilDone(t, e)
	p.Stop() // a stop must also save the counters still in memory

	e = harness.NewExpect(t,
		harness.StartProgram(t, change, harness.WorkThat("backup", ""), harness.WorkThat("import", "")))
	stats := e.GET("/process_runs/statistics").WithTransformer(harness.AcceptJSON).Expect().
		Status(http.StatusOK).JSON().Object()
	for _, name := range []string{"last_15_minutes", "last_24_hours"} {
		period := stats.Value(name).Object()
		period.Value("total").Object().
			IsEqual(map[string]any{"created": 10, "requeued": 0, "started": 10, "completed": 7, "failed": 3,
				"cancelled": 0})
		kinds := period.Value("kinds").Array()
		kinds.Length().IsEqual(2)
		for i, want := range []struct {
			kind  string
			count int
		}{{"backup", 7}, {"import", 3}} {
			kind := kinds.Value(i).Object()
			kind.HasValue("kind", want.kind)
			for _, took := range []string{"waited", "worked"} {
				took := kind.Value(took).Object()
				took.HasValue("count", want.count)
				took.Value("p50_seconds").Number().InRange(0, harness.Patience.Seconds())
				took.Value("p95_seconds").Number().Ge(took.Value("p50_seconds").Number().Raw())
			}
		}
	}
	stats.Value("last_15_minutes").Object().Value("steps").Array().Length().IsEqual(91)
	stats.Value("last_24_hours").Object().Value("steps").Array().Length().IsEqual(145)
	stats.Value("forecast").Object().IsEqual(map[string]any{"waiting": 0, "trend": "empty"})
	stats.Value("unserved").Array().IsEmpty()
	stats.HasValue("busy", 0).HasValue("workers", 10)
	stats.NotContainsKey("last_7_days").NotContainsKey("last_30_days")
}

func TestStatistics_LongPeriodsInJSON(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("backup", ""),
		harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "backup", 3)
	harness.StartRunsOf(e, "import", 2)
	harness.WaitUntilDone(t, e)
	for name, period := range map[string]struct {
		field string
		steps int
	}{"15m": {"last_15_minutes", 91}, "24h": {"last_24_hours", 145}, "7d": {"last_7_days", 169},
		"30d": {"last_30_days", 121}} {
		harness.Eventually(t, "the statistics of "+name+" are saved", func() error {
			stats := e.GET("/process_runs/statistics").WithQuery("period", name).
				WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusOK).JSON().Object()
			stats.ContainsKey("last_15_minutes").ContainsKey("last_24_hours")
			given := stats.Value(period.field).Object()
			given.Value("steps").Array().Length().IsEqual(period.steps)
			given.Value("waiting").Array().Length().IsEqual(period.steps)
			given.Value("waiting").Array().Value(0).IsNull()
			if total := given.Value("total").Object(); total.Value("failed").Raw() != 2.0 {
				return fmt.Errorf("the total is %v", total.Raw())
			}
			kind := given.Value("kinds").Array().Value(0).Object()
			kind.HasValue("kind", "backup").HasValue("completed", 3)
			kind.HasValue("failed", 0).HasValue("cancelled", 0)
			given.Value("since").String().NotEmpty()
			given.NotContainsKey("others")
			return nil
		})
	}
}

func TestStatistics_RefuseUnknownPeriods(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.StartProgram(t, nil))
	for _, query := range []string{"period=1d", "period=7D", "period=7d&period=24h", "period=%20"} {
		e.GET("/process_runs/statistics").WithQueryString(query).WithTransformer(harness.AcceptJSON).Expect().
			Status(http.StatusBadRequest).Body().Contains("period")
		e.GET("/process_runs/statistics/live").WithQueryString(query).
			WithHeader("Connection", "Upgrade").WithHeader("Upgrade", "websocket").
			WithHeader("Sec-WebSocket-Version", "13").
			WithHeader("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==").Expect().Status(http.StatusBadRequest)
	}
	e.GET("/process_runs/statistics").WithQueryString("period=").Expect().Status(http.StatusOK)
	page := e.GET("/process_runs/statistics").WithQueryString("period=30d").Expect().Status(http.StatusOK)
	page.Body().Contains(`hx-ws:connect="/process_runs/statistics/live?period=30d"`)
}

func TestStatistics_InEveryFormat(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil)
	e := harness.NewExpect(t, p)
	page := e.GET("/process_runs/statistics").WithQuery("status", "unknown and ignored").Expect().
		Status(http.StatusOK)
	page.HasContentType("text/html", "utf-8")
	page.Header("Vary").Contains("Accept").Contains("HX-Request")
	page.Body().Contains("<!doctype html>").
		Contains(`hx-ws:connect="/process_runs/statistics/live" hx-swap="none"`).
		Contains("Queue empty.").Contains("Nothing has happened in the last 24 hours.")
	part := e.GET("/process_runs/statistics").WithTransformer(fragmentHeaders).Expect().Status(http.StatusOK)
	part.Body().HasPrefix("<section").NotContains("<!doctype")
	e.GET("/process_runs").Expect().Body().Contains(`<a href="/process_runs/statistics">Statistics</a>`)
	e.GET("/process_runs/statistics/live").Expect().Status(http.StatusUpgradeRequired)
}

func TestStatistics_AreLive(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil)
	socket := harness.Watch(t, p, "/process_runs/statistics/live?period=15m")
	defer socket.Disconnect()
	first := socket.Expect().Body().Raw()
	if !strings.Contains(first, "Nothing has happened in the last 15 minutes.") ||
		strings.Contains(first, "<details") {
		t.Errorf("the first frame is %s", first)
	}
	began, frames := time.Now(), 1
	for range 100 {
		harness.StartRuns(harness.NewExpect(t, p), 1)
	}
	for !strings.Contains(socket.Expect().Body().Raw(), "completed <b>100</b>") {
		frames++
	}
	// The first change makes a frame at once; further frames follow once a second.
	if most := 2 + int(time.Since(began)/time.Second); frames > most {
		t.Errorf("in %s there came %d frames", time.Since(began), frames)
	}
}
