package http

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/gavv/httpexpect/v2"

	"runboard/app"
	"runboard/board"
	"runboard/e2e/harness"
	"runboard/jobs"
)

func fragmentHeaders(r *http.Request) {
	r.Header.Set("HX-Request", "true")
	r.Header.Set("HX-Request-Type", "partial")
}

func TestList_IsTheStartPage(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	e := harness.NewExpect(t, harness.StartProgram(t, nil))

	e.GET("/").WithQuery("next", "//evil.example").Expect().
		Status(http.StatusFound).Header("Location").IsEqual("/process_runs")
	e.GET("/up").Expect().Status(http.StatusOK)

	page := e.GET("/process_runs").Expect().Status(http.StatusOK)
	page.HasContentType("text/html", "utf-8")
	page.Header("Vary").Contains("Accept").Contains("HX-Request").Contains("HX-Request-Type")
	page.Body().Contains("<!doctype html>").
		Contains(`<section id="live" hx-ws:connect="/process_runs/live" hx-swap="none"`).
		Contains(`<tbody id="process_runs">`).
		Contains(`<form method="post" action="/process_runs"`).
		Contains("Start 10 processes").
		Contains(`<div id="notice" role="status">`).
		Contains("Nothing has been started yet")

	fragment := e.GET("/process_runs").WithTransformer(fragmentHeaders).Expect().Status(http.StatusOK).Body()
	fragment.HasPrefix(`<section id="live"`).NotContains("<!doctype")

	list := e.GET("/process_runs").WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusOK).JSON().
		Object()
	list.Value("process_runs").Array().IsEmpty()
	list.Value("counts").Object().Keys().
		ContainsOnly("created", "started", "completed", "failed", "cancelled")
	list.Value("older").IsNull()
	list.Value("newer").IsNull()
}

func TestCreate_StartsTenRuns(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.StartProgram(t, nil))

	t.Run("a browser is redirected to the list", func(t *testing.T) {
		e.POST("/process_runs").WithFormField("count", "10").Expect().
			Status(http.StatusSeeOther).Header("Location").IsEqual("/process_runs")
	})
	t.Run("htmx gets a notice and never a status", func(t *testing.T) {
		notice := e.POST("/process_runs").WithTransformer(fragmentHeaders).WithFormField("count", "2").
			Expect().Status(http.StatusOK).Body()
		notice.Contains("#11").Contains("#12").Contains(`id="idempotency_key"`).NotContains("data-status")
	})
	t.Run("JSON has the new runs", func(t *testing.T) {
		answer := e.POST("/process_runs").WithTransformer(harness.AcceptJSON).
			WithJSON(map[string]int{"count": 3}).
			Expect().Status(http.StatusCreated).JSON().Object()
		runs := answer.Value("process_runs").Array()
		runs.Length().IsEqual(3)
		runs.Value(0).Object().
			ContainsSubset(map[string]any{"id": 13, "status": "created", "version": 1, "kind": "simulated"})
	})
	t.Run("the default count is ten", func(t *testing.T) {
		e.POST("/process_runs").WithQuery("count", "500").Expect().Status(http.StatusSeeOther)
	})
	counts := harness.WaitUntilDone(t, e)
	if counts["completed"] != 25.0 {
		t.Errorf("the counts are %v", counts)
	}
}

func TestRun_InEveryFormat(t *testing.T) {
	t.Parallel()
	kind, open := harness.Gate("gate")
	e := harness.NewExpect(t, harness.StartProgram(t, nil, kind))
	e.POST("/process_runs").WithFormField("count", "1").Expect().Status(http.StatusSeeOther)
	started := func() error {
		status := e.GET("/process_runs/1").WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusOK).
			JSON().Object().Value("status").String().Raw()
		if status != "started" {
			return fmt.Errorf("it is %s", status)
		}
		return nil
	}
	harness.Eventually(t, "the run is started", started)

	run := e.GET("/process_runs/1").WithTransformer(harness.AcceptJSON).Expect().JSON().Object()
	run.ContainsSubset(map[string]any{"id": 1, "status": "started", "version": 2, "attempt": 1})
	for _, name := range []string{"created_at", "updated_at", "started_at"} {
		run.Value(name).String().AsDateTime("2006-01-02T15:04:05.999Z")
	}
	cell := `<td id="process_run_1_status" data-status="started" data-version="2" data-at="`
	e.GET("/process_runs/1").Expect().Status(http.StatusOK).Body().
		Contains("<!doctype html>").Contains(`hx-ws:connect="/process_runs/1/live"`).Contains(cell)
	e.GET("/process_runs/1").WithTransformer(fragmentHeaders).Expect().Status(http.StatusOK).Body().
		HasPrefix(`<tr id="process_run_1">`).HasSuffix("</tr>").Contains(cell)
	e.GET("/process_runs/1/status").Expect().Status(http.StatusOK).Body().HasPrefix(cell).HasSuffix("</td>")
	e.GET("/process_runs").Expect().Body().Contains(cell)
	open()
	harness.WaitUntilDone(t, e)
	e.GET("/process_runs/1/status").Expect().Body().Contains(`data-status="completed" data-version="3"`)
}

func TestRuns_ByID(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.StartProgram(t, nil))
	harness.StartRuns(e, 3)
	harness.WaitUntilDone(t, e)
	some := e.GET("/process_runs").WithQueryString("id=1&id=3&id=77").WithTransformer(harness.AcceptJSON).
		Expect().Status(http.StatusOK).JSON().Object().Value("process_runs").Array()
	some.Length().IsEqual(2)
	some.Value(0).Object().HasValue("id", 3).ContainsKey("status")
	e.GET("/process_runs").WithQueryString("id=1&id=77").Expect().Status(http.StatusOK).Body().
		HasPrefix(`<td id="process_run_1_status"`).
		Contains(`<hx-partial hx-target="#process_run_77" hx-swap="delete">`)
	many := strings.Repeat("id=7&", 100)
	for query, status := range map[string]int{
		"id=": 200, many: 200, many + "id=8": 400, "id=x": 400, "id=-1": 400, "id=0": 400, "id=1&id=": 400,
		"id=&id=1":           400,
		"id=1&status=failed": 400, "id=1&before=7": 400, "id=1&status=": 200, "id=1&unknown=1": 200,
	} {
		e.GET("/process_runs").WithQueryString(query).WithTransformer(harness.AcceptJSON).Expect().
			Status(status)
	}
}

func TestList_PagesLeadThroughAllRuns(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.StartProgram(t, func(c *board.Config) { c.FailureRate = 0.5 }))
	e.POST("/process_runs").WithFormField("count", "60").Expect().Status(http.StatusSeeOther)
	failed := harness.WaitUntilDone(t, e)["failed"].(float64)

	if ids := walk(e, "/process_runs", "older"); len(ids) != 60 || ids[0] != 60 || ids[59] != 1 {
		t.Errorf("the older pages have the runs %v", ids)
	}
	if ids := walk(e, "/process_runs?after=0", "newer"); len(ids) != 60 {
		t.Errorf("the newer pages have the runs %v", ids)
	}
	if ids := walk(e, "/process_runs?status=failed&utm=x", "older"); len(ids) != int(failed) {
		t.Errorf("%v runs have failed, but the pages have %v", failed, ids)
	}
	page := e.GET("/process_runs").WithQuery("before", "36").WithQuery("status", "").Expect().
		Status(http.StatusOK).Body()
	page.Contains(`hx-ws:connect="/process_runs/live?before=36"`).Contains(`id="process_run_35"`).
		NotContains(`id="process_run_36"`)
	page.Contains(`href="/process_runs?after=35"`).Contains(`href="/process_runs?before=11"`)
}

func TestList_EmptyIsAnArrayInJSON(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.StartProgram(t, nil))
	for _, query := range []string{"", "status=failed", "before=5", "after=5", "kind=x", "q=x", "since=1h",
		"status=failed&before=0"} {
		body := e.GET("/process_runs").WithQueryString(query).WithTransformer(harness.AcceptJSON).Expect().
			Status(http.StatusOK).Body()
		body.Contains(`"process_runs":[]`)
	}
	e.POST("/process_runs").WithFormField("count", "1").Expect().Status(http.StatusSeeOther)
	harness.WaitUntilDone(t, e)
	e.GET("/process_runs").WithQuery("before", "0").WithTransformer(harness.AcceptJSON).Expect().JSON().
		Object().
		HasValue("newer", "/process_runs?after=0").HasValue("older", nil)
}

// walk follows the older or newer link from page to page and returns the IDs on the way.
func walk(e *httpexpect.Expect, next, link string) (ids []int) {
	for next != "" {
		path, query, _ := strings.Cut(next, "?")
		page := e.GET(path).WithQueryString(query).WithTransformer(harness.AcceptJSON).Expect().
			Status(http.StatusOK).JSON().Object()
		for _, run := range page.Value("process_runs").Array().Iter() {
			ids = append(ids, int(run.Object().Value("id").Number().Raw()))
		}
		next, _ = page.Value(link).Raw().(string)
	}
	return ids
}

func TestCreate_RepeatedRequestCreatesOnce(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.StartProgram(t, nil))
	post := func(count, headerKey, formKey string) *httpexpect.Response {
		request := e.POST("/process_runs").WithTransformer(harness.AcceptJSON).WithFormField("count", count)
		if headerKey != "" {
			request.WithHeader("Idempotency-Key", headerKey)
		}
		if formKey != "" {
			request.WithFormField("idempotency_key", formKey)
		}
		return request.Expect()
	}
	first := post("4", "abc", "").Status(http.StatusCreated).Body().Raw()
	harness.WaitUntilDone(t, e)
	if again := post("4", "abc", "").Status(http.StatusCreated).Body().Raw(); again != first {
		t.Errorf("the second answer is %s and not %s", again, first)
	}
	if inForm := post("4", "", "abc").Status(http.StatusCreated).Body().Raw(); inForm != first {
		t.Errorf("with the key in the form the answer is %s", inForm)
	}
	post("5", "abc", "").Status(http.StatusUnprocessableEntity)
	post("4", "abc", "def").Status(http.StatusUnprocessableEntity)
	post("4", "with space", "").Status(http.StatusUnprocessableEntity)
	post("4", strings.Repeat("k", app.MaxKey+1), "").Status(http.StatusUnprocessableEntity)
	if counts := harness.WaitUntilDone(t, e); counts["completed"] != 4.0 {
		t.Errorf("the counts are %v", counts)
	}
}

func TestCreate_ChoosesTheKind(t *testing.T) {
	t.Parallel()
	backup, openBackup := harness.Gate("backup")
	report, openReport := harness.Gate("report")
	openBackup()
	openReport()
	e := harness.NewExpect(t, harness.StartProgram(t, nil, backup, report))
	e.GET("/process_runs").Expect().Body().
		Contains(`<option value="backup">backup</option><option value="report">report</option>`)
	runs := e.POST("/process_runs").WithTransformer(harness.AcceptJSON).WithFormField("kind", "report").
		WithFormField("count", "1").
		Expect().Status(http.StatusCreated).JSON().Object().Value("process_runs").Array()
	runs.Value(0).Object().HasValue("kind", "report")
	e.POST("/process_runs").WithTransformer(harness.AcceptJSON).WithFormField("kind", "rm -rf").Expect().
		Status(http.StatusUnprocessableEntity).JSON().Object().Value("error").String().
		Contains("backup, report")
	harness.WaitUntilDone(t, e)
}

func TestCreate_LimitsWaitingRuns(t *testing.T) {
	t.Parallel()
	kind, open := harness.Gate("gate")
	defer open()
	e := harness.NewExpect(t,
		harness.StartProgram(t, func(c *board.Config) { c.MaxPending, c.Workers = 20, 1 }, kind))
	e.POST("/process_runs").WithFormField("count", "15").Expect().Status(http.StatusSeeOther)
	refused := e.POST("/process_runs").WithTransformer(fragmentHeaders).WithFormField("count", "10").Expect()
	refused.Status(http.StatusServiceUnavailable).Header("Retry-After").AsNumber().Gt(0)
	refused.Header("HX-Retarget").IsEqual("#notice")
	refused.Header("HX-Reswap").IsEqual("innerHTML")
	e.POST("/process_runs").WithFormField("count", "1").Expect().Status(http.StatusSeeOther)
}

func TestStatic_FilesAreImmutable(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	e := harness.NewExpect(t, harness.StartProgram(t, nil))
	page := e.GET("/process_runs").Expect().Body().Raw()
	paths := regexp.MustCompile(`(?:href|src)="(/static/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(paths) != 5 {
		t.Fatalf("the page asks for %v", paths)
	}
	for _, path := range paths {
		for accepted, encoding := range map[string]string{
			"br": "br", "gzip": "gzip", "br;q=0, gzip": "gzip", "identity": "", "": "", "unknown": "",
		} {
			file := e.GET(path[1]).WithHeader("Accept-Encoding", accepted).Expect().Status(http.StatusOK)
			file.Header("Cache-Control").IsEqual("public, max-age=31536000, immutable")
			file.Header("Vary").IsEqual("Accept-Encoding")
			file.Header("Content-Encoding").IsEqual(encoding)
		}
	}
	e.GET("/static/app.css").Expect().Status(http.StatusNotFound)
	e.GET("/static/../main.go").Expect().Status(http.StatusNotFound)
}

func TestRun_PanicIsHiddenFromTheClient(t *testing.T) {
	t.Parallel()
	boom := jobs.Kind{Name: "boom", Work: func(context.Context, *jobs.Run) error { panic("password=secret") }}
	e := harness.NewExpect(t, harness.StartProgram(t, nil, boom))
	e.POST("/process_runs").WithFormField("count", "1").Expect().Status(http.StatusSeeOther)
	if counts := harness.WaitUntilDone(t, e); counts["failed"] != 1.0 {
		t.Errorf("the counts are %v", counts)
	}
	e.GET("/process_runs/1").Expect().Body().Contains("panicked").NotContains("secret")
}

func TestErrorPage_HasTheHeaderAndTheRun(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.StartProgram(t, nil, harness.WorkThat("mail", "")))
	harness.StartRuns(e, 1)
	harness.WaitUntilDone(t, e)
	refused := e.POST("/process_runs/1/cancel").Expect().Status(http.StatusConflict).Body()
	refused.Contains(`id="connection"`).Contains(`href="/process_runs/1">Run #1</a>`)
	e.GET("/process_runs/2").Expect().Status(http.StatusNotFound).Body().
		Contains(`id="connection"`).NotContains(">Run #2</a>")
	e.GET("/favicon.ico").WithRedirectPolicy(httpexpect.DontFollowRedirects).Expect().
		Status(http.StatusFound).Header("Location").HasPrefix("/static/favicon.")
}
