package http

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gavv/httpexpect/v2"

	"runboard/board"
	"runboard/e2e/harness"
)

// element returns the start tag of the only element with this name and, if value is not "", this value.
func element(t *testing.T, page, name, value string) string {
	t.Helper()
	text := `<[a-z]+[^>]* name="` + regexp.QuoteMeta(name) + `"`
	if value != "" {
		text += ` value="` + regexp.QuoteMeta(value) + `"`
	}
	found := regexp.MustCompile(text+`[^>]*>`).FindAllString(page, -1)
	if len(found) != 1 {
		t.Fatalf("%s %s is there %d times: %s", name, value, len(found), page)
	}
	return found[0]
}

// sendAs sends a form as a page does that wants a page, or as one that wants a fragment.
func sendAs(e *httpexpect.Expect, form url.Values, fragment bool) *httpexpect.Response {
	request := e.POST("/process_runs").WithHeader("Content-Type", formType).WithBytes([]byte(form.Encode()))
	if fragment {
		request.WithTransformer(fragmentHeaders)
	}
	return request.Expect()
}

func TestKindPage_HasItsForm(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, allTypes).Start(nil))
	page := e.GET("/kinds/all").Expect().Status(http.StatusOK)
	page.HasContentType("text/html", "utf-8")
	page.Body().Contains(`<form method="post" action="/process_runs"`).
		Contains(`hx-ws:connect="/process_runs/live?kind=all"`).Contains(`<tbody id="process_runs">`)
	for _, name := range []string{"text", "code", "lines", "number", "tenth", "odd", "date", "secret"} {
		element(t, page.Body().Raw(), "input."+name, "")
	}
	element(t, page.Body().Raw(), "input.flag", "false")
	element(t, page.Body().Raw(), "input.flag", "true")
	if tag := element(t, page.Body().Raw(), "input.choice", "shop"); !strings.Contains(tag, " checked") {
		t.Errorf("the default is not chosen: %s", tag)
	}
	for _, secret := range []string{"dump.sh", "DUMP_DIR"} {
		e.GET("/kinds").Expect().Status(http.StatusOK).Body().NotContains(secret)
	}
	e.GET("/kinds").Expect().Body().Contains(`href="/kinds/all"`).Contains(`href="/kinds/plain"`)
}

func TestKindPage_QueryFillsTheForm(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, allTypes).Start(nil))
	query := url.Values{"input.text": {`"><script>x`}, "input.number": {"7"}, "input.choice": {"crm"},
		"input.flag": {"true"}, "input.tags": {"a", "c"}, "input.secret": {"hunter2"},
		"input.other": {"o-t-h-e-r"}}
	page := e.GET("/kinds/all").WithQueryString(query.Encode()).Expect().Status(http.StatusOK).Body()
	page.NotContains("hunter2").NotContains("<script>x").NotContains("o-t-h-e-r")
	element(t, page.Raw(), "input.number", "7")
	for _, checked := range [][2]string{
		{"input.choice", "crm"}, {"input.flag", "true"}, {"input.tags", "a"}, {"input.tags", "c"},
	} {
		if tag := element(t, page.Raw(), checked[0], checked[1]); !strings.Contains(tag, " checked") {
			t.Errorf("it is not checked: %s", tag)
		}
	}
	if n := total(e); n != 0 {
		t.Errorf("reading has created %d runs", n)
	}
}

// A wrong value is answered with the form as it was typed, and with the message at its field.
func TestKindPage_WrongValuesAreShownAtTheirFields(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, allTypes).Start(nil))
	form := url.Values{"kind": {"all"}, "count": {"3"}, "input.text": {`a "<b>" 'c'`}, "input.number": {"10"},
		"input.choice": {"crm"}, "input.flag": {"false", "true"}, "input.on": {"false"}, "input.tags": {"b"},
		"input.lines": {"\r\none\r\ntwo"}, "input.date": {"2025-01-01"}, "input.secret": {"hunter2"}}
	for _, fragment := range []bool{false, true} {
		answer := sendAs(e, form, fragment).Status(http.StatusUnprocessableEntity)
		page := answer.Body()
		page.Contains(`<form method="post" action="/process_runs"`).NotContains("hunter2").NotContains("<b>")
		if fragment {
			answer.Header("HX-Retarget").IsEqual("#start")
			page.NotContains("<html")
		} else {
			page.HasPrefix("<!doctype html>")
		}
		html := page.Raw()
		for name, message := range map[string]string{
			"number": "must be between 1 and 9", "date": "must be between 2026-01-01 and 2026-12-31",
		} {
			tag := element(t, html, "input."+name, "")
			described := regexp.MustCompile(`aria-describedby="([^"]+)"`).FindStringSubmatch(tag)
			if !strings.Contains(tag, `aria-invalid="true"`) || described == nil {
				t.Fatalf("%s is not marked: %s", name, tag)
			}
			text := regexp.MustCompile(`id="` + described[1] + `"[^>]*>[^<]*` + message)
			if !text.MatchString(html) {
				t.Errorf("%s does not describe %s: %s", described[1], name, html)
			}
		}
		element(t, html, "count", "3")
		element(t, html, "input.number", "10")
		page.Contains(`a &#34;&lt;b&gt;&#34; &#39;c&#39;`).Contains("\n\r\none\r\ntwo</textarea>")
		for _, checked := range [][2]string{
			{"input.choice", "crm"}, {"input.flag", "true"}, {"input.tags", "b"},
		} {
			if tag := element(t, html, checked[0], checked[1]); !strings.Contains(tag, " checked") {
				t.Errorf("it is not checked: %s", tag)
			}
		}
		if tag := element(t, html, "input.on", "true"); strings.Contains(tag, " checked") {
			t.Errorf("it is checked: %s", tag)
		}
		if tag := element(t, html, "input.text", ""); strings.Contains(tag, "aria-invalid") {
			t.Errorf("a right value is marked: %s", tag)
		}
	}
	if n := total(e); n != 0 {
		t.Errorf("refused requests have created %d runs", n)
	}
}

func TestKindPage_OtherFaultsAreShownWithTheForm(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, allTypes).Start(nil))
	for _, fragment := range []bool{false, true} {
		form := url.Values{"kind": {"all"}, "count": {"0"}, "input.text": {"typed"}}
		page := sendAs(e, form, fragment).Status(http.StatusUnprocessableEntity).Body()
		page.Contains("from 1 to 1000").Contains("typed").Contains(`action="/process_runs"`)
		form = url.Values{"kind": {"all"}, "input.<u>": {"x"}, "input.text": {"typed"}}
		page = sendAs(e, form, fragment).Status(http.StatusUnprocessableEntity).Body()
		page.Contains("is not an input of this kind").Contains("typed").NotContains("<u>")
		form = url.Values{"kind": {"plain"}, "input.x": {"x"}}
		sendAs(e, form, fragment).Status(http.StatusUnprocessableEntity).Body().
			Contains("is not an input of this kind").Contains(`value="plain"`)
	}
	key := "key-" + strings.Repeat("k", 10)
	sendAs(e, url.Values{"kind": {"all"}, "input.text": {"a"}, "idempotency_key": {key}}, false).
		Status(http.StatusSeeOther)
	page := sendAs(e, url.Values{"kind": {"all"}, "input.text": {"typed"}, "idempotency_key": {key}}, false).
		Status(http.StatusUnprocessableEntity).Body()
	page.Contains("typed").NotContains(key)
	harness.WaitUntilDone(t, e)
}

func TestStart_LeadsBackToThePageOfTheForm(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, allTypes).Start(nil))
	for from, location := range map[string]string{
		"": "/process_runs", "kind": "/kinds/plain", "//evil.example": "/process_runs",
		"/kinds/all": "/process_runs",
	} {
		form := url.Values{"kind": {"plain"}, "from": {from}}
		sendAs(e, form, false).Status(http.StatusSeeOther).Header("Location").IsEqual(location)
	}
	sendAs(e, url.Values{"kind": {"plain"}, "from": {"kind", "kind"}}, false).Status(http.StatusSeeOther).
		Header("Location").IsEqual("/process_runs")
	element(t, e.GET("/kinds/plain").Expect().Body().Raw(), "from", "kind")
	notice := sendAs(e, url.Values{"kind": {"plain"}, "from": {"kind"}}, true).Status(http.StatusOK).Body()
	notice.Contains("#6").Contains(`id="idempotency_key"`).NotContains("data-status")
	harness.WaitUntilDone(t, e)
}

func TestRunPage_ShowsInputsAndRunAgain(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, allTypes).Start(nil))
	form := url.Values{"kind": {"all"}, "input.text": {"<i>&"}, "input.tags": {"a", "b"},
		"input.secret": {"hunter2"}, "input.choice": {"crm"}}
	firstID(postForm(e, form.Encode()))
	harness.WaitUntilDone(t, e)
	page := e.GET("/process_runs/1").Expect().Status(http.StatusOK).Body()
	page.Contains("A text").Contains("&lt;i&gt;&amp;").Contains("Customers").Contains("Run again").
		NotContains("<i>").NotContains("hunter2")
	link := regexp.MustCompile(`href="(/kinds/all\?[^"]*)"`).FindStringSubmatch(page.Raw())
	if link == nil {
		t.Fatalf("there is no link: %s", page.Raw())
	}
	target, err := url.Parse(strings.ReplaceAll(link[1], "&amp;", "&"))
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{"input.text": {"<i>&"}, "input.tags": {"a", "b"}, "input.choice": {"crm"},
		"input.on": {"true"}}
	if got := target.Query(); got.Encode() != want.Encode() {
		t.Errorf("the link has %s, want %s", got.Encode(), want.Encode())
	}
	filled := e.GET("/kinds/all").WithQueryString(target.RawQuery).Expect().Status(http.StatusOK).Body()
	filled.Contains("&lt;i&gt;&amp;")
}

func TestRetry_KeepsTheInputs(t *testing.T) {
	t.Parallel()
	d := harness.NewDumper(t, `
kinds:
  job:
    run: [./dump.sh, "{text}"]
    env: {DUMP_DIR: "%DIR%", FAIL: {file: missing}}
    inputs:
      - {name: text, type: text}
      - {name: number, type: number, default: 1}
`)
	e := harness.NewExpect(t, d.Start(func(c *board.Config) { c.Workers = 2 }))
	first := firstID(postForm(e, "input.text=first&input.number=1.50"))
	second := firstID(postForm(e, "input.text=second"))
	harness.CountsAre(t, e, map[string]any{"failed": 2})
	e.POST("/process_runs/1/retry").WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusOK).JSON().
		Object().Value("inputs").Object().IsEqual(map[string]any{"text": "first", "number": 1.5})
	harness.CountsAre(t, e, map[string]any{"failed": 2})
	e.POST(harness.BulkPath).WithTransformer(harness.AcceptJSON).WithFormField("operation", "retry").
		WithFormField("scope", "all").Expect().Status(http.StatusCreated)
	harness.CountsAre(t, e, map[string]any{"failed": 2, "completed": 1})
	for run, want := range map[int64]string{
		first: `{"text":"first","number":1.50}`, second: `{"text":"second","number":1}`,
	} {
		if got := inputsOf(t, e, run); got != want {
			t.Errorf("run %d has the inputs %s, want %s", run, got, want)
		}
	}
}

func TestCreate_KeyCoversTheInputs(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, allTypes).Start(nil))
	const form = "kind=all&idempotency_key=k&"
	postForm(e, form+"input.number=99").Status(http.StatusUnprocessableEntity)
	postForm(e, form+"count=0").Status(http.StatusUnprocessableEntity)
	first := postForm(e, form+"input.number=9&input.secret=s").Status(http.StatusCreated).Body().Raw()
	postForm(e, form+"input.secret=s&input.number=9&input.choice=shop").Status(http.StatusCreated).Body().
		IsEqual(first)
	e.POST("/process_runs").WithTransformer(harness.AcceptJSON).WithHeader("Idempotency-Key", "k").
		WithHeader("Content-Type", "application/json").
		WithBytes([]byte(`{"kind":"all","inputs":{"number":9,"secret":"s"}}`)).Expect().
		Status(http.StatusCreated).Body().IsEqual(first)
	for _, other := range []string{
		"input.number=8&input.secret=s", "input.number=9.0&input.secret=s", "input.secret=s",
		"input.number=9", "input.number=9&input.secret=t", "input.number=9&input.secret=s&input.choice=crm",
		"input.number=9&input.secret=s&count=2", "input.number=9&input.secret=s&input.on=false",
	} {
		postForm(e, form+other).Status(http.StatusUnprocessableEntity).JSON().Object().
			HasValue("code", "invalid").NotContainsKey("inputs")
	}
	if n := total(e); n != 1 {
		t.Errorf("there are %d runs", n)
	}
	harness.WaitUntilDone(t, e)
}

// What was typed is still there after a mistake, so that a user corrects only that.
func TestKindPage_CorrectsAMistakeWithoutScripts(t *testing.T) {
	t.Parallel()
	d := harness.NewDumper(t, allTypes)
	e := harness.NewExpect(t, d.Start(nil))
	user := url.Values{"input.text": {" a'\" "}, "input.lines": {"\none\n"}, "input.number": {"10"},
		"input.choice": {"crm"}, "input.tags": {"a", "c"}, "input.on": {}, "input.flag": {"true"},
		"input.date": {"2026-11-27"}, "input.secret": {"hunter2"}}
	page := e.GET("/kinds/all").Expect().Status(http.StatusOK).Body().Raw()
	page = sendAs(e, formFields(t, page, "/process_runs", user), false).
		Status(http.StatusUnprocessableEntity).Body().Raw()
	corrected := url.Values{"input.number": {"9"}, "input.secret": {"hunter2"}}
	sendAs(e, formFields(t, page, "/process_runs", corrected), false).Status(http.StatusSeeOther)
	harness.WaitUntilDone(t, e)
	want := `{"text":" a'\" ","lines":"\none\n","number":9,"flag":true,"on":false,"choice":"crm",` +
		`"tags":["a","c"],"date":"2026-11-27"}`
	if got := inputsOf(t, e, 1); got != want {
		t.Errorf("the inputs are %s, want %s", got, want)
	}
	if got := d.Given(1).Env["INPUT_SECRET"]; got != "hunter2" {
		t.Errorf("the secret is %q", got)
	}
}
