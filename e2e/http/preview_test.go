package http

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gavv/httpexpect/v2"

	"runboard/app"
	"runboard/e2e/harness"
)

// confirmation returns the object that confirms the previewed action.
func confirmation(e *httpexpect.Expect, query string) map[string]any {
	return e.GET(harness.BulkPath).WithQueryString(query).WithTransformer(harness.AcceptJSON).Expect().
		Status(http.StatusOK).
		JSON().Object().Value("confirm").Object().Raw()
}

// hiddenFields returns the hidden fields of the last form on a page.
func hiddenFields(page string) map[string]any {
	form := map[string]any{}
	for _, part := range strings.Split(page[strings.LastIndex(page, "<form"):],
		`<input type="hidden" name="`)[1:] {
		name, rest, _ := strings.Cut(part, `" value="`)
		value, _, _ := strings.Cut(rest, `"`)
		form[name] = value
	}
	return form
}

func TestBulk_RefusesMoreRunsThanPreviewed(t *testing.T) {
	t.Parallel()
	kind, open := harness.Gate("gate")
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"), kind)
	e := harness.NewExpect(t, p)
	e.POST("/process_runs").WithFormField("count", 1).WithFormField("kind", "gate").Expect().
		Status(http.StatusSeeOther)
	harness.UntilStatus(t, e, "/process_runs/1", "started")
	harness.StartRunsOf(e, "import", 5)
	harness.CountsAre(t, e, map[string]any{"failed": 5})

	const query = "operation=retry&scope=all&since=24h"
	shown := confirmation(e, query)
	if shown["newest"] != 6.0 || shown["previewed"] != 5.0 ||
		!strings.Contains(fmt.Sprint(shown["since"]), "T") {
		t.Errorf("the preview is confirmed by %v", shown)
	}
	form := hiddenFields(e.GET(harness.BulkPath).WithQueryString(query).Expect().Body().Raw())
	e.POST("/process_runs/1/cancel").Expect().Status(http.StatusSeeOther)
	harness.CountsAre(t, e, map[string]any{"cancelled": 1})

	answer := e.POST(harness.BulkPath).WithJSON(shown).WithTransformer(harness.AcceptJSON).Expect().
		Status(http.StatusConflict).JSON().Object()
	answer.Value("error").String().Contains("6 instead of 5")
	answer.HasValue("code", "conflict").Value("preview").Object().HasValue("runs", 6)
	e.POST(harness.BulkPath).WithForm(form).Expect().Status(http.StatusConflict).
		Body().Contains("<html").Contains("Retry 6 runs?").Contains("6 instead of 5").
		Contains(`name="previewed" value="6"`)
	fragment := e.POST(harness.BulkPath).WithForm(form).WithTransformer(fragmentHeaders).Expect().
		Status(http.StatusConflict)
	fragment.Header("HX-Retarget").IsEqual("#confirm")
	fragment.Body().NotContains("<html").Contains("Retry 6 runs?").Contains(`name="previewed" value="6"`)
	harness.CountsAre(t, e,
		map[string]any{"failed": 5, "cancelled": 1, "created": 0, "started": 0, "completed": 0})

	again := answer.Value("preview").Object().Value("confirm").Object().Raw()
	path := e.POST(harness.BulkPath).WithJSON(again).WithTransformer(harness.AcceptJSON).Expect().
		Status(http.StatusCreated).Header("Location").Raw()
	harness.UntilStatus(t, e, path, "completed")
	e.GET(path).WithTransformer(harness.AcceptJSON).Expect().JSON().Object().
		HasValue("message", "6 runs queued again")
	open()
	harness.WaitUntilDone(t, e)
}

func TestBulkAction_WithoutPreviewIsDone(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full")))
	harness.StartRuns(e, 150)
	harness.CountsAre(t, e, map[string]any{"failed": 150})
	e.POST(harness.BulkPath).WithText("operation=delete&scope=all&q=disk").
		WithHeader("Content-Type", "application/x-www-form-urlencoded").
		Expect().Status(http.StatusSeeOther)
	harness.CountsAre(t, e, map[string]any{"failed": 0, "completed": 1})
}

func TestBulkDelete_AsksForTheNumber(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	e := harness.NewExpect(t, harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full")))
	harness.StartRuns(e, app.TypedAbove)
	harness.CountsAre(t, e, map[string]any{"failed": app.TypedAbove})
	const query = "operation=delete&scope=all"
	e.GET(harness.BulkPath).WithQueryString(query).Expect().Body().NotContains(`name="typed"`)
	harness.StartRuns(e, 1)
	harness.CountsAre(t, e, map[string]any{"failed": app.TypedAbove + 1})
	e.GET(harness.BulkPath).WithQueryString("operation=retry&scope=all").Expect().Body().
		NotContains(`name="typed"`)
	page := e.GET(harness.BulkPath).WithQueryString(query).Expect().Body().Contains(`name="typed"`).Raw()
	form := hiddenFields(page)
	for _, typed := range []string{"", "100", "102", "all", "1 0 1 1", "１０１", "101x", "-101"} {
		form["typed"] = typed
		e.POST(harness.BulkPath).WithForm(form).Expect().Status(http.StatusUnprocessableEntity).
			Body().Contains("Delete 101 runs?").Contains("type their number").Contains(`name="typed"`)
		fragment := e.POST(harness.BulkPath).WithForm(form).WithTransformer(fragmentHeaders).Expect().
			Status(http.StatusUnprocessableEntity)
		fragment.Header("HX-Retarget").IsEqual("#confirm")
	}
	e.POST(harness.BulkPath).WithForm(map[string]any{"operation": "delete", "scope": "all"}).
		WithHeader("Sec-Fetch-Site", "same-origin").
		Expect().Status(http.StatusUnprocessableEntity)
	harness.CountsAre(t, e, map[string]any{"failed": 101})
	form["typed"] = " 101 "
	e.POST(harness.BulkPath).WithForm(form).Expect().Status(http.StatusSeeOther)
	harness.CountsAre(t, e, map[string]any{"failed": 0, "completed": 1})

	harness.StartRuns(e, 101)
	harness.CountsAre(t, e, map[string]any{"failed": 101})
	e.POST(harness.BulkPath).WithJSON(confirmation(e, query)).WithTransformer(harness.AcceptJSON).Expect().
		Status(http.StatusCreated)
	harness.CountsAre(t, e, map[string]any{"failed": 0})
}

func TestBulkAction_RefusesAPreviewThatIsNone(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	e := harness.NewExpect(t, harness.StartProgram(t, nil))
	for _, wrong := range []string{
		"newest=x", "newest=-1", "previewed=1.5", "previewed=%2B5", "previewed=99999999999999999999",
		"previewed_at=soon",
		"newest=1&newest=2", "previewed=1&previewed=1",
	} {
		e.POST(harness.BulkPath).WithText("operation=cancel&scope=all&"+wrong).
			WithHeader("Content-Type", "application/x-www-form-urlencoded").
			WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusBadRequest).JSON().Object().
			ContainsKey("error")
	}
	harness.CountsAre(t, e, map[string]any{"created": 0, "completed": 0})
}

func TestBulkAction_KeyIsGoodForARelativeTime(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full")))
	harness.StartRuns(e, 2)
	harness.CountsAre(t, e, map[string]any{"failed": 2})
	post := func() string {
		return e.POST(harness.BulkPath).
			WithForm(map[string]any{"operation": "delete", "scope": "all", "since": "24h"}).
			WithHeader("Idempotency-Key", "once").
			WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusCreated).Header("Location").Raw()
	}
	if first, again := post(), post(); first != again {
		t.Errorf("the action was done by %s and by %s", first, again)
	}
}

// A request that both names runs and asks for all of them is ambiguous.
func TestBulk_RefusesAllTogetherWithNamedRuns(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "import", 3)
	harness.CountsAre(t, e, map[string]any{"failed": 3})
	e.POST(harness.BulkPath).WithTransformer(harness.AcceptJSON).
		WithForm(map[string]any{"operation": "delete", "scope": "all", "id": 1}).
		Expect().Status(http.StatusUnprocessableEntity).JSON().Object().Value("error").String().
		Contains("not both")
	harness.CountsAre(t, e, map[string]any{"failed": 3})
}

// A filter that is misspelled, or one of the list that bulk actions do not have, would widen the action.
func TestBulk_RefusesUnknownFields(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "import", 3)
	harness.CountsAre(t, e, map[string]any{"failed": 3})
	for _, name := range []string{"statu", "Kind", "before", "rows", "input"} {
		e.POST(harness.BulkPath).WithTransformer(harness.AcceptJSON).
			WithForm(map[string]any{"operation": "delete", "scope": "all", name: "2"}).
			Expect().Status(http.StatusUnprocessableEntity).JSON().Object().Value("error").String().
			Contains(name)
	}
	harness.CountsAre(t, e, map[string]any{"failed": 3})
}

// The form of the list calls a span of time created. Its address also filters exports and bulk actions.
func TestFilter_SpanOfTheFormIsAFilterEverywhere(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "import", 3)
	harness.CountsAre(t, e, map[string]any{"failed": 3})
	const query = "operation=delete&scope=all&created=1ns" // no run is as new as that
	e.GET(harness.BulkPath).WithQueryString(query).WithTransformer(harness.AcceptJSON).Expect().
		JSON().Object().HasValue("runs", 0)
	e.GET("/process_runs.ndjson").WithQueryString("created=1ns").Expect().Status(http.StatusOK).
		Body().IsEmpty()
	e.GET("/process_runs.csv").WithQueryString("created=soon").Expect().Status(http.StatusBadRequest)
}
