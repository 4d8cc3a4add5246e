package http

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"runboard/board"
	"runboard/e2e/harness"
)

const timelinePath = "/process_runs/timeline"

func TestTimeline_InEveryFormat(t *testing.T) {
	t.Parallel()
	gated, open := harness.Gate("gated")
	p := harness.StartProgram(t, nil, gated, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "import", 3)
	harness.CountsAre(t, e, map[string]any{"failed": 3})
	run := harness.StartRun(e, "gated")
	harness.UntilStatus(t, e, run, "started")

	page := e.GET(timelinePath).WithQuery("unknown", "and ignored").Expect().Status(http.StatusOK)
	page.HasContentType("text/html", "utf-8")
	page.Header("Vary").Contains("Accept").Contains("HX-Request")
	page.Body().Contains("<!doctype html>").Contains("1 running, 3 failed.").NotContains("ignored").
		Contains(`hx-ws:connect="/process_runs/timeline/live?lanes=slots&amp;span=15m"`)
	part := e.GET(timelinePath).WithTransformer(fragmentHeaders).Expect().Status(http.StatusOK)
	part.Body().HasPrefix("<section").NotContains("<!doctype")

	asJSON := e.GET(timelinePath).WithQuery("lanes", "kinds").WithTransformer(harness.AcceptJSON).Expect().
		Status(http.StatusOK).JSON().Object()
	asJSON.ContainsSubset(map[string]any{"live": true, "cut": false, "bins": []any{}})
	bars := asJSON.Value("bars").Array()
	bars.Length().IsEqual(4)
	bars.Value(0).Object().ContainsSubset(map[string]any{"kind": "gated", "lane": 0, "row": 0,
		"status": "started", "attempt": 1}).NotContainsKey("finished_at")
	bars.Value(3).Object().ContainsSubset(map[string]any{"kind": "import", "lane": 1, "status": "failed",
		"error": "the disk is full"}).ContainsKey("queued_at").ContainsKey("started_at")
	open()
	e.GET(timelinePath + "/live").Expect().Status(http.StatusUpgradeRequired)
}

func TestTimeline_FiltersAndMoves(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil,
		harness.WorkThat("import", "the disk is full"), harness.WorkThat("mail", ""))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "import", 3)
	harness.StartRunsOf(e, "mail", 2)
	harness.WaitUntilDone(t, e)
	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	earlier := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	for query, bars := range map[string]int{
		"": 5, "span=24h": 5, "span=1m&lanes=kinds": 5, "kind=import": 3, "status=failed": 3,
		"kind=mail&status=failed": 0, "kind=&status=&span=&lanes=&until=": 5, "status=created": 0,
		"until=" + later: 5, "until=" + earlier: 0, "until=1h": 0,
	} {
		e.GET(timelinePath).WithQueryString(query).WithTransformer(harness.AcceptJSON).Expect().
			Status(http.StatusOK).JSON().Object().Value("bars").Array().Length().IsEqual(bars)
	}
}

func TestTimeline_RefusesBadParameters(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil)
	e := harness.NewExpect(t, p)
	for _, query := range []string{
		"span=7d", "span=15", "span=15M", "span=15m&span=2h", "span=%00", "lanes=workers", "lanes=Kinds",
		"until=yesterday", "until=-1h", "until=2026-13-01T00:00:00Z", "until=99999999999999999999",
		"until=" + url.QueryEscape("１２:00"), "status=running", "status=Failed",
		"kind=" + strings.Repeat("k", 101),
	} {
		for _, path := range []string{timelinePath, timelinePath + "/live"} {
			e.GET(path).WithQueryString(query).WithTransformer(harness.AcceptJSON).
				WithHeader("Connection", "Upgrade").WithHeader("Upgrade", "websocket").Expect().
				Status(http.StatusBadRequest).JSON().Object().Value("error").String().NotEmpty()
		}
	}
}

func TestTimeline_CountsWhatItCannotDraw(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, func(c *board.Config) { c.Workers = 20 }, harness.WorkThat("mail", ""))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "mail", 500)
	harness.WaitUntilDone(t, e)
	harness.Eventually(t, "the timeline counts", func() error { // the numbers are saved with a delay
		page := e.GET(timelinePath).Expect().Status(http.StatusOK).Body().Raw()
		if !strings.Contains(page, "500 completed.") || !strings.Contains(page, "Too many runs to draw") {
			return errors.New("it does not count them all")
		}
		return nil
	})
	if page := e.GET(timelinePath).Expect().Body().Raw(); strings.Contains(page, `class="work"`) {
		t.Error("it draws bars as well")
	}
}

func TestTimeline_IsLive(t *testing.T) {
	t.Parallel()
	gated, open := harness.Gate("gated")
	p := harness.StartProgram(t, nil, gated)
	e := harness.NewExpect(t, p)
	socket := harness.Watch(t, p, timelinePath+"/live?span=1m")
	defer socket.Disconnect()
	first := socket.Expect().Body().Raw()
	if !strings.Contains(first, "No runs in this window.") || strings.Contains(first, "<details") {
		t.Errorf("the first frame is %s", first)
	}
	run := harness.StartRun(e, "gated")
	until := func(pattern string) (frames int) {
		shown := regexp.MustCompile(pattern)
		for frames = 1; !shown.MatchString(socket.Expect().Body().Raw()); frames++ {
		}
		return frames
	}
	until(`\b1 running\.`)
	began := time.Now()
	frames := until(`running for ([3-9]|\d\d)`) // it grows although nothing changes; frames may skip a second
	if most := 2 + int(time.Since(began)/time.Second); frames > most {
		t.Errorf("in %s there came %d frames", time.Since(began), frames)
	}
	open()
	until(`\b1 completed\.`)
	harness.UntilStatus(t, e, run, "completed")
}
