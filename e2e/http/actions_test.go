package http

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gavv/httpexpect/v2"

	"runboard/app"
	"runboard/board"
	"runboard/e2e/harness"
)

// startAction starts a bulk action with a form, as a program does, and waits until its run has completed.
func startAction(t *testing.T, e *httpexpect.Expect, form map[string]any) *httpexpect.Object {
	t.Helper()
	answer := e.POST(harness.BulkPath).WithForm(form).WithTransformer(harness.AcceptJSON).Expect().
		Status(http.StatusCreated)
	path := answer.Header("Location").NotEmpty().Raw()
	answer.JSON().Object().HasValue("status", "created").
		HasValue("kind", fmt.Sprint(form["operation"], " runs"))
	harness.UntilStatus(t, e, path, "completed")
	return e.GET(path).WithTransformer(harness.AcceptJSON).Expect().JSON().Object()
}

// checkPreviews checks that previews count the runs of TestBulk_RunsAsARunOfItsOwn, and change none.
func checkPreviews(t *testing.T, e *httpexpect.Expect) {
	t.Helper()
	for query, want := range map[string]string{
		"operation=cancel&scope=all":                         "Cancel 9 runs?",
		"operation=retry&scope=all&q=disk":                   "Retry 30 runs?",
		"operation=delete&scope=all&kind=mail&since=1h":      "Delete 30 runs?",
		"operation=delete&scope=all&status=completed":        "None of these runs has finished.",
		"operation=cancel&id=1&id=61&id=62&scope=selected":   "Cancel 2 selected runs?",
		"operation=retry&id=3&id=61&id=99":                   "1 other is neither failed nor cancelled and stays unchanged.",
		"operation=retry&scope=all&kind=import&ignored=this": "Retry 30 runs?",
	} {
		page := e.GET(harness.BulkPath).WithQueryString(query).Expect().Status(http.StatusOK).Body().Raw()
		if text := plain(page); !strings.Contains(text, want) {
			t.Errorf("%s is answered with %s", query, text)
		}
	}
	e.GET(harness.BulkPath).WithQueryString("operation=retry&scope=all&q=disk+full").
		WithTransformer(harness.AcceptJSON).Expect().
		JSON().Object().
		ContainsSubset(map[string]any{"runs": 30, "skipped": 0, "more": false, "newest": 69}).
		Value("confirm").Object().
		ContainsSubset(map[string]any{"operation": "retry", "scope": "all", "q": "disk full",
			"newest": 69, "previewed": 30})
	e.GET(harness.BulkPath).WithQueryString("operation=cancel&scope=all").
		WithTransformer(fragmentHeaders).Expect().
		Body().NotContains("<html").Contains("60 others are finished already and stay unchanged.")
	harness.CountsAre(t, e, map[string]any{"failed": 60, "started": 4, "created": 5})
}

func TestBulk_RunsAsARunOfItsOwn(t *testing.T) {
	t.Parallel()
	kind, open := harness.Gate("gate")
	defer open()
	p := harness.StartProgram(t, func(c *board.Config) { c.Workers = 4 }, kind,
		harness.WorkThat("import", "the disk is full"), harness.WorkThat("mail", "no answer"))
	e := harness.NewExpect(t, p)
	for _, kind := range []string{"import", "mail"} {
		e.POST("/process_runs").WithFormField("count", 30).WithFormField("kind", kind).Expect().
			Status(http.StatusSeeOther)
	}
	harness.CountsAre(t, e, map[string]any{"failed": 60})
	harness.StartRunsOf(e, "gate", 9) // each of the four workers starts one
	harness.CountsAre(t, e, map[string]any{"started": 4, "created": 5})

	checkPreviews(t, e)
	t.Run("all matching runs", func(t *testing.T) {
		run := startAction(t, e,
			map[string]any{"operation": "delete", "scope": "all", "q": "disk", "status": "failed"})
		run.ContainsSubset(map[string]any{"percent": 100, "message": "30 runs deleted"})
		harness.CountsAre(t, e, map[string]any{"failed": 30, "completed": 1})
	})
	t.Run("selected runs", func(t *testing.T) {
		run := e.POST(harness.BulkPath).
			WithJSON(map[string]any{"operation": "cancel", "id": []int{61, 69, 31, 61}}).
			WithTransformer(harness.AcceptJSON).
			Expect().Status(http.StatusCreated)
		harness.UntilStatus(t, e, run.Header("Location").Raw(), "completed")
		e.GET(run.Header("Location").Raw()).WithTransformer(harness.AcceptJSON).Expect().JSON().Object().
			HasValue("message", "2 runs cancelled or stopping, 1 skipped")
		harness.CountsAre(t, e, map[string]any{"cancelled": 2, "failed": 30})
	})
	t.Run("a browser is redirected to the run, and htmx gets a notice", func(t *testing.T) {
		path := e.POST(harness.BulkPath).
			WithForm(map[string]any{"operation": "retry", "scope": "all", "status": "cancelled"}).Expect().
			Status(http.StatusSeeOther).Header("Location").Raw()
		harness.UntilStatus(t, e, path, "completed")
		e.GET(path).Expect().Body().Contains("2 runs queued again").Contains("Retry all cancelled runs")
		e.POST(harness.BulkPath).WithForm(map[string]any{"operation": "cancel", "id": 999}).
			WithTransformer(fragmentHeaders).Expect().
			Status(http.StatusOK).Body().Contains("Cancelling runs…").NotContains("data-status")
	})
	open()
	harness.WaitUntilDone(t, e)
}

// plain returns the approximate text of a page.
func plain(page string) string {
	var text strings.Builder
	for _, part := range strings.Split(page, "<") {
		_, after, _ := strings.Cut(part, ">")
		text.WriteString(after)
	}
	return text.String()
}

func TestBulk_RefusesMalformedRequests(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	e := harness.NewExpect(t, harness.StartProgram(t, nil))
	many := "operation=cancel" + strings.Repeat("&id=7", app.MaxSelected+1)
	for form, want := range map[string]int{
		"":                          http.StatusBadRequest,
		"operation=start&scope=all": http.StatusBadRequest,
		"operation=cancel&operation=retry&scope=all": http.StatusBadRequest,
		"operation=cancel&scope=some":                http.StatusBadRequest,
		"operation=cancel":                           http.StatusUnprocessableEntity,
		"operation=cancel&scope=selected":            http.StatusUnprocessableEntity,
		"operation=cancel&id=0":                      http.StatusBadRequest,
		"operation=cancel&id=1&id=x":                 http.StatusBadRequest,
		"operation=cancel&id=":                       http.StatusBadRequest,
		"operation=cancel&id=99999999999999999999":   http.StatusBadRequest,
		"operation=cancel&scope=all&status=Failed":   http.StatusBadRequest,
		"operation=cancel&scope=all&since=never":     http.StatusBadRequest,
		"operation=cancel&scope=all&q=a&q=b":         http.StatusBadRequest,
		"operation=cancel&scope=all&failure=0":       http.StatusBadRequest,
		many:                                         http.StatusUnprocessableEntity,
	} {
		e.GET(harness.BulkPath).WithQueryString(form).WithTransformer(harness.AcceptJSON).Expect().
			Status(want).JSON().Object().ContainsKey("error")
		e.POST(harness.BulkPath).WithText(form).
			WithHeader("Content-Type", "application/x-www-form-urlencoded").
			WithTransformer(harness.AcceptJSON).Expect().Status(want).JSON().Object().ContainsKey("error")
	}
	const all = "operation=cancel&scope=all"
	// the query of a POST is ignored
	e.POST(harness.BulkPath).WithQueryString(all).Expect().Status(http.StatusBadRequest)
	e.POST(harness.BulkPath).WithJSON(map[string]any{"operation": "cancel", "id": "7"}).Expect().
		Status(http.StatusBadRequest)
	e.POST(harness.BulkPath).WithJSON(map[string]any{"operation": []string{"cancel"}, "scope": "all"}).
		Expect().Status(http.StatusBadRequest)
	e.POST(harness.BulkPath).WithText(all).Expect().Status(http.StatusUnsupportedMediaType)
	e.POST(harness.BulkPath).WithForm(map[string]any{"operation": "cancel", "scope": "all"}).
		WithHeader("Sec-Fetch-Site", "cross-site").
		Expect().Status(http.StatusForbidden)
	e.PUT(harness.BulkPath).Expect().Status(http.StatusMethodNotAllowed).Header("Allow").Contains("GET").
		Contains("POST")
	harness.CountsAre(t, e,
		map[string]any{"created": 0, "started": 0, "completed": 0, "failed": 0, "cancelled": 0})
}

func TestBulk_AppliesARepeatedRequestOnce(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full")))
	harness.StartRuns(e, 2)
	harness.CountsAre(t, e, map[string]any{"failed": 2})
	form := map[string]any{"operation": "delete", "id": []int{1, 2}, "idempotency_key": "once"}
	first := e.POST(harness.BulkPath).WithJSON(form).WithTransformer(harness.AcceptJSON).Expect().
		Status(http.StatusCreated).JSON().Object().Raw()
	again := e.POST(harness.BulkPath).WithJSON(form).WithTransformer(harness.AcceptJSON).Expect().
		Status(http.StatusCreated).JSON().Object()
	again.HasValue("id", first["id"])
	form["operation"] = "retry"
	e.POST(harness.BulkPath).WithJSON(form).Expect().Status(http.StatusUnprocessableEntity)
	form["operation"], form["idempotency_key"] = "delete", "a b"
	e.POST(harness.BulkPath).WithJSON(form).Expect().Status(http.StatusUnprocessableEntity)
	harness.CountsAre(t, e, map[string]any{"completed": 1, "failed": 0})
}

func TestDelete_OnlyOfFinalRuns(t *testing.T) {
	t.Parallel()
	kind, open := harness.Gate("gate")
	defer open()
	e := harness.NewExpect(t,
		harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"), kind))
	harness.StartRunsOf(e, "import", 3)
	harness.CountsAre(t, e, map[string]any{"failed": 3})
	e.GET("/process_runs/1").Expect().Body().Contains(`href="/process_runs/bulk?operation=delete&amp;id=1"`)
	e.GET("/process_runs/bulk").WithQueryString("operation=delete&id=1").Expect().Body().
		Contains(`action="/process_runs/1/delete"`)
	e.POST("/process_runs/1/delete").Expect().Status(http.StatusSeeOther).Header("Location").
		IsEqual("/process_runs")
	e.POST("/process_runs/2/delete").WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusOK).
		JSON().Object().IsEqual(map[string]any{"id": 2, "deleted": true})
	e.POST("/process_runs/3/delete").WithTransformer(fragmentHeaders).Expect().Status(http.StatusOK).Body().
		Contains("Run #3 is deleted")
	e.POST("/process_runs/1/delete").Expect().Status(http.StatusNotFound)
	e.POST("/process_runs/x/delete").Expect().Status(http.StatusNotFound)
	e.GET("/process_runs/1").Expect().Status(http.StatusNotFound)

	e.POST("/process_runs").WithFormField("count", 1).WithFormField("kind", "gate").Expect().
		Status(http.StatusSeeOther)
	harness.UntilStatus(t, e, "/process_runs/4", "started")
	e.POST("/process_runs/4/delete").Expect().Status(http.StatusConflict)
	e.GET("/process_runs/4").Expect().Body().NotContains("operation=delete")
	open()
	harness.WaitUntilDone(t, e)
}
