package http

import (
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
	socket := harness.Watch(t, p, "/process_runs/statistics/live")
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
