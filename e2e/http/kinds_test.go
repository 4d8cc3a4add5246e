package http

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"runboard/board"
	"runboard/e2e/harness"
)

// describedKinds has a kind with everything that its JSON shows, and one with nothing.
const describedKinds = `
defaults: {attempts: 2}
kinds:
  backup:
    title: Back up a database
    description: Dumps one database.
    group: Databases
    run: [./dump.sh, "{database}", "--level={level}", "{compress}"]
    dir: "%DIR%"
    env: {DUMP_DIR: "%DIR%", PGHOST: db1.internal}
    timeout: 2h
    attempts: 3
    concurrency: 1
    concurrency_key: [database]
    inputs:
      - name: database
        type: choice
        title: Database
        choices: [shop, {value: crm, title: Customers}]
        default: shop
      - {name: level, type: number, min: 1, max: 9, step: 1, default: 6, help: How small.}
      - {name: compress, type: flag, title: Compress, flag: --gzip, default: false}
      - {name: tags, type: choices, choices: [a, b], default: [b, a]}
      - {name: day, type: date, min: 2026-01-01}
      - {name: code, type: text, pattern: '[a-z]+', max: 5, required: true}
      - {name: token, type: secret}
  clean:
    run: ["true"]
`

// backupJSON is the kind backup in JSON.
const backupJSON = `{
	"name": "backup", "title": "Back up a database", "description": "Dumps one database.",
	"group": "Databases", "timeout": "2h0m0s", "attempts": 3, "concurrency": 1,
	"inputs": [
		{"name": "database", "type": "choice", "title": "Database", "required": false, "default": "shop",
			"choices": [{"value": "shop", "title": "shop"}, {"value": "crm", "title": "Customers"}]},
		{"name": "level", "type": "number", "title": "level", "required": false, "default": 6,
			"min": 1, "max": 9, "step": 1, "help": "How small."},
		{"name": "compress", "type": "flag", "title": "Compress", "required": false, "default": false},
		{"name": "tags", "type": "choices", "title": "tags", "required": false, "default": ["a", "b"],
			"choices": [{"value": "a", "title": "a"}, {"value": "b", "title": "b"}]},
		{"name": "day", "type": "date", "title": "day", "required": false, "min": "2026-01-01"},
		{"name": "code", "type": "text", "title": "code", "required": true, "pattern": "[a-z]+", "max": 5},
		{"name": "token", "type": "secret", "title": "token", "required": false}
	]
}`

// cleanJSON is the kind clean in JSON, on a board whose runs take at most 30 minutes.
const cleanJSON = `{
	"name": "clean", "title": "clean", "description": "", "group": "", "timeout": "30m0s", "attempts": 2,
	"concurrency": 0, "inputs": []
}`

func TestKinds_InJSON(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	d := harness.NewDumper(t, describedKinds)
	e := harness.NewExpect(t, d.Start(func(c *board.Config) { c.RunTimeout = 30 * time.Minute }))
	list := e.GET("/kinds").WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusOK)
	list.JSON().Object().IsEqual(json.RawMessage(`{"kinds":[` + backupJSON + `,` + cleanJSON + `]}`))
	list.Body().NotContains("dump.sh").NotContains("db1").NotContains("--gzip")
	list.Header("Vary").Contains("Accept").Contains("HX-Request").Contains("HX-Request-Type")
	e.GET("/kinds/backup").WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusOK).JSON().Object().
		IsEqual(json.RawMessage(backupJSON))
	e.GET("/kinds/clean").WithQuery("input.x", "y").WithTransformer(harness.AcceptJSON).Expect().
		Status(http.StatusOK).JSON().Object().IsEqual(json.RawMessage(cleanJSON))
	if n := total(e); n != 0 {
		t.Errorf("reading has created %d runs", n)
	}
}

func TestKinds_AreFoundByTheirNames(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("Größe/50% & <more>", ""),
		harness.WorkThat("other", ""))
	for path, status := range map[string]int{
		"/kinds": 200, "/kinds/other": 200, "/kinds/none": 404, "/kinds/OTHER": 404, "/kinds/": 404,
		"/kinds/other/": 404, "/kinds/other/x": 404, "/kinds/%00": 404, "/kinds/%FF": 404, "/kinds/%zz": 404,
		"/kinds/..%2Fother": 404, "/kinds/simulated": 404,
		"/kinds/Gr%C3%B6%C3%9Fe%2F50%25%20&%20%3Cmore%3E": 200,
	} {
		for _, accept := range []string{"text/html", "application/json"} {
			headers := map[string]string{"Accept": accept}
			send(t, p.URL, attempt{method: "GET", path: path, headers: headers}, nil).check(t, status)
		}
	}
}

func TestKinds_OtherMethodsAreToldTheAllowedOnes(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("job", ""))
	for path, allowed := range map[string]string{
		"/kinds": "GET, HEAD", "/kinds/job": "GET, HEAD",
		"/kinds/job/pause": "POST", "/kinds/job/resume": "POST", "/kinds/job/preview": "POST",
	} {
		for _, method := range []string{"DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "BREW"} {
			answer := send(t, p.URL, attempt{method: method, path: path}, nil)
			answer.check(t, http.StatusMethodNotAllowed)
			if got := answer.header.Get("Allow"); got != allowed {
				t.Errorf("%s %s: allowed is %q", method, path, got)
			}
		}
		for _, method := range []string{"GET", "HEAD", "POST"} {
			answer := send(t, p.URL, attempt{method: method, path: path}, nil)
			refused := answer.status == http.StatusMethodNotAllowed
			if refused == slices.Contains(strings.Split(allowed, ", "), method) {
				t.Errorf("%s %s is answered with %d", method, path, answer.status)
			}
		}
	}
	page := send(t, p.URL, attempt{method: "GET", path: "/kinds"}, nil)
	page.check(t, http.StatusOK)
	if !strings.HasPrefix(page.header.Get("Vary"), "Accept, HX-Request, HX-Request-Type") {
		t.Errorf("the page varies by %s", page.header.Get("Vary"))
	}
}

func TestKinds_RefuseOtherSites(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("job", ""))
	for _, a := range []attempt{
		{method: "GET", path: "/kinds", status: 403}, {method: "GET", path: "/kinds/job", status: 403},
		{method: "POST", path: "/kinds/job/pause", status: 403},
		{method: "POST", path: "/kinds/job/resume", status: 403},
		{method: "POST", path: "/kinds/job/preview", status: 403},
	} {
		for _, site := range []string{"cross-site", "same-site"} {
			send(t, p.URL, a, map[string]string{"Sec-Fetch-Site": site}).check(t, a.status)
		}
	}
	navigation := map[string]string{
		"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document",
	}
	send(t, p.URL, attempt{method: "GET", path: "/kinds/job?input.x=y"}, navigation).check(t, http.StatusOK)
	pause := attempt{method: "POST", path: "/kinds/job/pause"}
	send(t, p.URL, pause, navigation).check(t, http.StatusForbidden)
}

func TestCreate_KindMustBeNamedAmongSeveral(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, allTypes).Start(nil))
	for _, form := range []string{"", "kind=", "kind=none", "kind=simulated", "kind=all&kind=all", "kind=ALL",
		"kind=all%00", "count=5&input.text=a"} {
		answer := postForm(e, form).Status(http.StatusUnprocessableEntity).JSON().Object()
		answer.HasValue("code", "invalid").Value("error").String().Contains("all, plain, needs")
	}
	for _, body := range []string{`{}`, `{"kind":null}`, `{"kind":""}`, `{"inputs":{}}`} {
		postJSON(e, body).Status(http.StatusUnprocessableEntity).JSON().Object().Value("error").String().
			Contains("all, plain, needs")
	}
	e.POST("/process_runs").Expect().Status(http.StatusUnprocessableEntity).Body().
		Contains("all, plain, needs")
	if n := total(e); n != 0 {
		t.Errorf("there are %d runs", n)
	}
}

func TestCreate_OnlyKindIsTheDefault(t *testing.T) {
	t.Parallel()
	const one = `kinds: {job: {run: ["true"], inputs: [{name: x, type: text}]}}`
	e := harness.NewExpect(t, harness.NewDumper(t, one).Start(nil))
	created(postForm(e, "")).Length().IsEqual(1)
	runs := created(postForm(e, "input.x=1&count=2"))
	runs.Length().IsEqual(2)
	runs.Value(0).Object().HasValue("kind", "job")
	e.POST("/process_runs").Expect().Status(http.StatusSeeOther).Header("Location").IsEqual("/process_runs")
	harness.WaitUntilDone(t, e)
	if got := inputsOf(t, e, 3); got != `{"x":"1"}` {
		t.Errorf("run 3 has the inputs %s", got)
	}
	if got := inputsOf(t, e, 1); got != `{}` {
		t.Errorf("run 1 has the inputs %s", got)
	}
}

func TestCreate_SimulatedIsOfferedOnlyForDemonstrations(t *testing.T) {
	t.Parallel()
	d := harness.NewDumper(t, `kinds: {job: {run: ["true"]}}`)
	e := harness.NewExpect(t, d.Start(func(c *board.Config) { c.Demo = true }))
	postForm(e, "").Status(http.StatusUnprocessableEntity).JSON().Object().Value("error").String().
		Contains("job").Contains("simulated")
	created(postForm(e, "kind=simulated")).Length().IsEqual(10)
	created(postForm(e, "kind=job")).Length().IsEqual(1)
	harness.WaitUntilDone(t, e)
}
