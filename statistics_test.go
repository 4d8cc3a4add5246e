package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"runboard/app"
	"runboard/db/sqlite"
)

func TestStatisticsCountWhatHappened(t *testing.T) {
	t.Parallel()
	change := on(newDatabase(t))
	p := startProgram(t, change, workThat("backup", ""), workThat("import", "the disk is full"))
	e := newExpect(t, p)
	for kind, n := range map[string]int{"backup": 7, "import": 3} {
		e.POST("/process_runs").WithFormField("count", n).WithFormField("kind", kind).Expect().Status(http.StatusSeeOther)
	}
	settled(t, e)
	p.stop() // which loses nothing of what has not been written down yet

	e = newExpect(t, startProgram(t, change, workThat("backup", ""), workThat("import", "")))
	stats := e.GET("/process_runs/statistics").WithTransformer(jsonHeader).Expect().Status(http.StatusOK).JSON().Object()
	for _, name := range []string{"last_15_minutes", "last_24_hours"} {
		period := stats.Value(name).Object()
		period.Value("total").Object().IsEqual(map[string]any{"created": 10, "requeued": 0, "started": 10, "completed": 7, "failed": 3, "cancelled": 0})
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
				took.Value("p50_seconds").Number().InRange(0, patience.Seconds())
				took.Value("p95_seconds").Number().Ge(took.Value("p50_seconds").Number().Raw())
			}
		}
	}
	stats.Value("last_15_minutes").Object().Value("steps").Array().Length().IsEqual(91)
	stats.Value("last_24_hours").Object().Value("steps").Array().Length().IsEqual(145)
	stats.Value("forecast").Object().IsEqual(map[string]any{"waiting": 0, "trend": "empty"})
	stats.Value("unserved").Array().IsEmpty()
}

func TestStatisticsComeInEveryForm(t *testing.T) {
	t.Parallel()
	p := startProgram(t, nil)
	e := newExpect(t, p)
	page := e.GET("/process_runs/statistics").WithQuery("status", "unknown and ignored").Expect().Status(http.StatusOK)
	page.HasContentType("text/html", "utf-8")
	page.Header("Vary").Contains("Accept").Contains("HX-Request")
	page.Body().Contains("<!doctype html>").Contains(`hx-ws:connect="/process_runs/statistics/live" hx-swap="none"`).
		Contains("Queue empty.").Contains("Nothing has happened in the last 24 hours.")
	part := e.GET("/process_runs/statistics").WithTransformer(fragmentHeaders).Expect().Status(http.StatusOK)
	part.Body().HasPrefix("<section").NotContains("<!doctype")
	e.GET("/process_runs").Expect().Body().Contains(`<a href="/process_runs/statistics">Statistics</a>`)
	e.GET("/process_runs/statistics/live").Expect().Status(http.StatusUpgradeRequired)
}

func TestTheStatisticsAreLive(t *testing.T) {
	t.Parallel()
	p := startProgram(t, nil)
	socket := watch(t, p, "/process_runs/statistics/live")
	defer socket.Disconnect()
	first := socket.Expect().Body().Raw()
	if !strings.Contains(first, "Nothing has happened in the last 15 minutes.") || strings.Contains(first, "<details") {
		t.Errorf("the first frame is %s", first)
	}
	began, frames := time.Now(), 1
	for range 100 {
		startRuns(newExpect(t, p), 1)
	}
	for !strings.Contains(socket.Expect().Body().Raw(), "completed <b>100</b>") {
		frames++
	}
	// The first change leaves at once, and from then on one frame a second.
	if most := 2 + int(time.Since(began)/time.Second); frames > most {
		t.Errorf("in %s there came %d frames", time.Since(began), frames)
	}
}

// withRunsOf makes a database with waiting runs of a kind.
func withRunsOf(t *testing.T, kind string, n int) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "test.db")
	store, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Create(t.Context(), app.CreateRequest{Kind: kind, Count: n}); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheBoardWarnsOfRunsThatNobodyWorksOn(t *testing.T) {
	t.Parallel()
	path := withRunsOf(t, "report", 2)
	p := startProgram(t, func(c *app.Config) { c.DatabaseURL = "sqlite:" + path }, workThat("backup", ""))
	e := newExpect(t, p)
	for _, path := range []string{"/process_runs", "/process_runs/statistics"} {
		e.GET(path).WithQuery("status", "failed").Expect().Body().Contains("2 runs of kind report are waiting, but no worker here handles this kind.")
	}
	e.GET("/process_runs/statistics").WithTransformer(jsonHeader).Expect().JSON().Object().
		Value("unserved").Array().IsEqual([]any{map[string]any{"kind": "report", "waiting": 2, "more": false}})

	tab := openTab(t, p.url+"/process_runs")
	tab.untilLive()
	says := func(text string) {
		t.Helper()
		tab.until("it says "+text, fmt.Sprintf(`document.getElementById("unserved").innerText === %q`, text))
	}
	says("2 runs of kind report are waiting, but no worker here handles this kind.")
	e.POST("/process_runs/1/cancel").Expect().Status(http.StatusSeeOther)
	says("1 run of kind report is waiting, but no worker here handles this kind.")
	e.POST("/process_runs/2/cancel").Expect().Status(http.StatusSeeOther)
	says("")
	if high := evaluate[float64](tab, `document.getElementById("unserved").getBoundingClientRect().height`); high != 0 {
		t.Errorf("what says nothing is %v pixels high", high)
	}
}
