package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/gavv/httpexpect/v2"

	"runboard/app"
	"runboard/jobs"
)

// newExpect speaks HTTP to a program as curl would: it follows no redirect.
func newExpect(t *testing.T, p *testProgram) *httpexpect.Expect {
	t.Helper()
	return httpexpect.WithConfig(httpexpect.Config{
		BaseURL:  p.url,
		Reporter: httpexpect.NewRequireReporter(t),
		Client: &http.Client{
			Transport:     whole{client.Transport},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	})
}

// whole reads every answer to its end: httpexpect leaves those open that a test does not look at.
type whole struct{ http.RoundTripper }

func (w whole) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := w.RoundTripper.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, err
}

func jsonHeader(r *http.Request) { r.Header.Set("Accept", "application/json") }

func fragmentHeaders(r *http.Request) {
	r.Header.Set("HX-Request", "true")
	r.Header.Set("HX-Request-Type", "partial")
}

// settled waits until no run is left to do, and returns how many there are in each status.
func settled(t *testing.T, e *httpexpect.Expect) map[string]any {
	t.Helper()
	var counts map[string]any
	eventually(t, "all runs are done", func() error {
		counts = e.GET("/process_runs").WithTransformer(jsonHeader).
			Expect().Status(http.StatusOK).JSON().Object().Value("counts").Object().Raw()
		if counts["created"] != 0.0 || counts["started"] != 0.0 {
			return fmt.Errorf("the counts are %v", counts)
		}
		return nil
	})
	return counts
}

func TestTheListIsWhereEverythingBegins(t *testing.T) {
	t.Parallel()
	e := newExpect(t, startProgram(t, nil))

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

	list := e.GET("/process_runs").WithTransformer(jsonHeader).Expect().Status(http.StatusOK).JSON().Object()
	list.Value("process_runs").Array().IsEmpty()
	list.Value("counts").Object().Keys().ContainsOnly("created", "started", "completed", "failed", "cancelled")
	list.Value("older").IsNull()
	list.Value("newer").IsNull()
}

func TestTheButtonStartsTenRuns(t *testing.T) {
	t.Parallel()
	e := newExpect(t, startProgram(t, nil))

	t.Run("a browser is sent back to the list", func(t *testing.T) {
		e.POST("/process_runs").WithFormField("count", "10").Expect().
			Status(http.StatusSeeOther).Header("Location").IsEqual("/process_runs")
	})
	t.Run("htmx gets a notice and never a status", func(t *testing.T) {
		notice := e.POST("/process_runs").WithTransformer(fragmentHeaders).WithFormField("count", "2").
			Expect().Status(http.StatusOK).Body()
		notice.Contains("#11").Contains("#12").Contains(`id="idempotency_key"`).NotContains("data-status")
	})
	t.Run("a program gets the new runs", func(t *testing.T) {
		answer := e.POST("/process_runs").WithTransformer(jsonHeader).WithJSON(map[string]int{"count": 3}).
			Expect().Status(http.StatusCreated).JSON().Object()
		runs := answer.Value("process_runs").Array()
		runs.Length().IsEqual(3)
		runs.Value(0).Object().ContainsSubset(map[string]any{"id": 13, "status": "created", "version": 1, "kind": "simulated"})
	})
	t.Run("nothing said means ten", func(t *testing.T) {
		e.POST("/process_runs").WithQuery("count", "500").Expect().Status(http.StatusSeeOther)
	})
	counts := settled(t, e)
	if counts["completed"] != 25.0 {
		t.Errorf("the counts are %v", counts)
	}
}

func TestARunCanBeAskedFor(t *testing.T) {
	t.Parallel()
	kind, open := gate("gate")
	e := newExpect(t, startProgram(t, nil, kind))
	e.POST("/process_runs").WithFormField("count", "1").Expect().Status(http.StatusSeeOther)
	started := func() error {
		status := e.GET("/process_runs/1").WithTransformer(jsonHeader).Expect().Status(http.StatusOK).JSON().Object().Value("status").String().Raw()
		if status != "started" {
			return fmt.Errorf("it is %s", status)
		}
		return nil
	}
	eventually(t, "the run is started", started)

	run := e.GET("/process_runs/1").WithTransformer(jsonHeader).Expect().JSON().Object()
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
	settled(t, e)
	e.GET("/process_runs/1/status").Expect().Body().Contains(`data-status="completed" data-version="3"`)
}

func TestSomeRunsCanBeAskedForTogether(t *testing.T) {
	t.Parallel()
	e := newExpect(t, startProgram(t, nil))
	startRuns(e, 3)
	settled(t, e)
	some := e.GET("/process_runs").WithQueryString("id=1&id=3&id=77").WithTransformer(jsonHeader).Expect().Status(http.StatusOK).JSON().Object().Value("process_runs").Array()
	some.Length().IsEqual(2)
	some.Value(0).Object().HasValue("id", 3).ContainsKey("status")
	e.GET("/process_runs").WithQueryString("id=1&id=77").Expect().Status(http.StatusOK).Body().
		HasPrefix(`<td id="process_run_1_status"`).Contains(`<hx-partial hx-target="#process_run_77" hx-swap="delete">`)
	many := strings.Repeat("id=7&", 100)
	for query, status := range map[string]int{
		"id=": 200, many: 200, many + "id=8": 400, "id=x": 400, "id=-1": 400, "id=0": 400, "id=1&id=": 400, "id=&id=1": 400,
		"id=1&status=failed": 400, "id=1&before=7": 400, "id=1&status=": 200, "id=1&unknown=1": 200,
	} {
		e.GET("/process_runs").WithQueryString(query).WithTransformer(jsonHeader).Expect().Status(status)
	}
}

func TestPagesLeadThroughAllRuns(t *testing.T) {
	t.Parallel()
	e := newExpect(t, startProgram(t, func(c *app.Config) { c.FailureRate = 0.5 }))
	e.POST("/process_runs").WithFormField("count", "60").Expect().Status(http.StatusSeeOther)
	failed := settled(t, e)["failed"].(float64)

	if ids := walk(e, "/process_runs", "older"); len(ids) != 60 || ids[0] != 60 || ids[59] != 1 {
		t.Errorf("going to older ones, one sees %v", ids)
	}
	if ids := walk(e, "/process_runs?after=0", "newer"); len(ids) != 60 {
		t.Errorf("going to newer ones, one sees %v", ids)
	}
	if ids := walk(e, "/process_runs?status=failed&utm=x", "older"); len(ids) != int(failed) {
		t.Errorf("there are %v failed ones, and one sees %v", failed, ids)
	}
	page := e.GET("/process_runs").WithQuery("before", "36").WithQuery("status", "").Expect().Status(http.StatusOK).Body()
	page.Contains(`hx-ws:connect="/process_runs/live?before=36"`).Contains(`id="process_run_35"`).NotContains(`id="process_run_36"`)
	page.Contains(`href="/process_runs?after=35"`).Contains(`href="/process_runs?before=11"`)
}

func TestAListWithoutRunsIsAListInJSON(t *testing.T) {
	t.Parallel()
	e := newExpect(t, startProgram(t, nil))
	for _, query := range []string{"", "status=failed", "before=5", "after=5", "kind=x", "q=x", "since=1h", "status=failed&before=0"} {
		body := e.GET("/process_runs").WithQueryString(query).WithTransformer(jsonHeader).Expect().Status(http.StatusOK).Body()
		body.Contains(`"process_runs":[]`)
	}
	e.POST("/process_runs").WithFormField("count", "1").Expect().Status(http.StatusSeeOther)
	settled(t, e)
	e.GET("/process_runs").WithQuery("before", "0").WithTransformer(jsonHeader).Expect().JSON().Object().
		HasValue("newer", "/process_runs?after=0").HasValue("older", nil)
}

// walk follows one of the two links from page to page and returns the ids that it meets.
func walk(e *httpexpect.Expect, next, link string) (ids []int) {
	for next != "" {
		path, query, _ := strings.Cut(next, "?")
		page := e.GET(path).WithQueryString(query).WithTransformer(jsonHeader).Expect().Status(http.StatusOK).JSON().Object()
		for _, run := range page.Value("process_runs").Array().Iter() {
			ids = append(ids, int(run.Object().Value("id").Number().Raw()))
		}
		next, _ = page.Value(link).Raw().(string)
	}
	return ids
}

func TestARepeatedRequestCreatesNothingTwice(t *testing.T) {
	t.Parallel()
	e := newExpect(t, startProgram(t, nil))
	post := func(count, headerKey, formKey string) *httpexpect.Response {
		request := e.POST("/process_runs").WithTransformer(jsonHeader).WithFormField("count", count)
		if headerKey != "" {
			request.WithHeader("Idempotency-Key", headerKey)
		}
		if formKey != "" {
			request.WithFormField("idempotency_key", formKey)
		}
		return request.Expect()
	}
	first := post("4", "abc", "").Status(http.StatusCreated).Body().Raw()
	settled(t, e)
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
	if counts := settled(t, e); counts["completed"] != 4.0 {
		t.Errorf("the counts are %v", counts)
	}
}

func TestAKindCanBeChosenWhenThereAreSeveral(t *testing.T) {
	t.Parallel()
	backup, openBackup := gate("backup")
	report, openReport := gate("report")
	openBackup()
	openReport()
	e := newExpect(t, startProgram(t, nil, backup, report))
	e.GET("/process_runs").Expect().Body().Contains("<option>backup</option><option>report</option>")
	runs := e.POST("/process_runs").WithTransformer(jsonHeader).WithFormField("kind", "report").WithFormField("count", "1").
		Expect().Status(http.StatusCreated).JSON().Object().Value("process_runs").Array()
	runs.Value(0).Object().HasValue("kind", "report")
	e.POST("/process_runs").WithTransformer(jsonHeader).WithFormField("kind", "rm -rf").Expect().
		Status(http.StatusUnprocessableEntity).JSON().Object().Value("error").String().Contains("backup, report")
	settled(t, e)
}

func TestWaitingRunsHaveALimit(t *testing.T) {
	t.Parallel()
	kind, open := gate("gate")
	defer open()
	e := newExpect(t, startProgram(t, func(c *app.Config) { c.MaxPending, c.Workers = 20, 1 }, kind))
	e.POST("/process_runs").WithFormField("count", "15").Expect().Status(http.StatusSeeOther)
	refused := e.POST("/process_runs").WithTransformer(fragmentHeaders).WithFormField("count", "10").Expect()
	refused.Status(http.StatusServiceUnavailable).Header("Retry-After").AsNumber().Gt(0)
	refused.Header("HX-Retarget").IsEqual("#notice")
	refused.Header("HX-Reswap").IsEqual("innerHTML")
	e.POST("/process_runs").WithFormField("count", "1").Expect().Status(http.StatusSeeOther)
}

func TestStaticFilesMayBeKeptForEver(t *testing.T) {
	t.Parallel()
	e := newExpect(t, startProgram(t, nil))
	page := e.GET("/process_runs").Expect().Body().Raw()
	paths := regexp.MustCompile(`(?:href|src)="(/static/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(paths) != 13 {
		t.Fatalf("the page asks for %v", paths)
	}
	for _, path := range paths {
		for _, encoding := range []string{"br", "gzip", "identity"} {
			file := e.GET(path[1]).WithHeader("Accept-Encoding", encoding).Expect().Status(http.StatusOK)
			file.Header("Cache-Control").IsEqual("public, max-age=31536000, immutable")
			file.Header("Vary").IsEqual("Accept-Encoding")
			if encoding != "identity" {
				file.Header("Content-Encoding").IsEqual(encoding)
			}
		}
	}
	e.GET("/static/app.css").Expect().Status(http.StatusNotFound)
	e.GET("/static/../main.go").Expect().Status(http.StatusNotFound)
}

func TestAPanicInTheWorkDoesNotReachTheClient(t *testing.T) {
	t.Parallel()
	boom := jobs.Kind{Name: "boom", Work: func(context.Context, *jobs.Run) error { panic("password=secret") }}
	e := newExpect(t, startProgram(t, nil, boom))
	e.POST("/process_runs").WithFormField("count", "1").Expect().Status(http.StatusSeeOther)
	if counts := settled(t, e); counts["failed"] != 1.0 {
		t.Errorf("the counts are %v", counts)
	}
	e.GET("/process_runs/1").Expect().Body().Contains("panicked").NotContains("secret")
}
