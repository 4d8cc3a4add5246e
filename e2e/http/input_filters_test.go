package http

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gavv/httpexpect/v2"

	"runboard/app"
	"runboard/e2e/harness"
)

// filterKinds has two kinds whose inputs of the same name have different types.
const filterKinds = `
kinds:
  backup:
    run: ["true"]
    inputs:
      - {name: database, type: choice, choices: [shop, crm]}
      - {name: level, type: number}
      - {name: compress, type: flag}
      - {name: tags, type: choices, choices: [a, b, c]}
      - {name: note, type: lines}
      - {name: day, type: date}
      - {name: token, type: secret}
  import:
    run: ["true"]
    inputs:
      - {name: level, type: text, dash: true}
      - {name: database, type: text}
`

// startFiltered starts runs 1 to 6 for the tests of filters.
func startFiltered(t *testing.T) *httpexpect.Expect {
	t.Helper()
	e := harness.NewExpect(t, harness.NewDumper(t, filterKinds).Start(nil))
	for _, body := range []string{
		`{"kind":"backup","inputs":{"database":"shop","level":6,"compress":true,"tags":["a","b"],` +
			`"token":"hidden"}}`,
		`{"kind":"backup","inputs":{"database":"crm","level":6.0,"compress":false,"tags":["b"]}}`,
		`{"kind":"backup","inputs":{"database":"shop","level":-0.5,"note":"a;=1\r\nb","day":"2026-11-27"}}`,
		`{"kind":"import","inputs":{"database":"shop","level":"6"}}`,
		`{"kind":"import","inputs":{"database":"` + strings.Repeat("ä", 900) + `","level":"06"}}`,
		`{"kind":"import"}`,
	} {
		firstID(postJSON(e, body))
	}
	harness.WaitUntilDone(t, e)
	return e
}

// found returns the IDs of the runs of a list, newest first.
func found(e *httpexpect.Expect, query string) (ids []int) {
	runs := e.GET("/process_runs").WithQueryString(query).WithTransformer(harness.AcceptJSON).Expect().
		Status(http.StatusOK).JSON().Object().Value("process_runs").Array()
	for _, run := range runs.Iter() {
		ids = append(ids, int(run.Object().Value("id").Number().Raw()))
	}
	return ids
}

func TestInputFilter_FindsRunsWithAValue(t *testing.T) {
	t.Parallel()
	e := startFiltered(t)
	long := url.QueryEscape(strings.Repeat("ä", 900))
	for query, want := range map[string][]int{
		"input.database=shop":                             {4, 3, 1},
		"input.database=shop&kind=backup":                 {3, 1},
		"input.database=shop&input.level=6":               {4, 1},
		"input.database=shop&input.level=6&kind=import":   {4},
		"input.database=shop&status=failed":               {},
		"input.database=shop&status=completed&since=1h":   {4, 3, 1},
		"input.database=shop&before=4":                    {3, 1},
		"input.database=shop&after=1":                     {4, 3},
		"input.database=Shop":                             {},
		"input.database=sho":                              {},
		"input.database=" + long:                          {5},
		"input.database=" + long + "a":                    {},
		"input.level=6":                                   {4, 2, 1},
		"input.level=6.00":                                {2, 1},
		"input.level=06":                                  {5},
		"input.level=-0.50":                               {3},
		"input.level=-.5":                                 {},
		"input.compress=true":                             {1},
		"input.compress=false":                            {2},
		"input.tags=a":                                    {1},
		"input.tags=b":                                    {2, 1},
		"input.tags=a,b":                                  {},
		"input.tags=c":                                    {},
		"input.note=" + url.QueryEscape("a;=1\nb"):        {3},
		"input.note=" + url.QueryEscape("a;=1\r\nb"):      {3},
		"input.day=2026-11-27":                            {3},
		"input.other=shop":                                {},
		"input.Other=shop":                                {},
		"input.=shop":                                     {},
		"input.database=&input.level=&input.other=":       {6, 5, 4, 3, 2, 1},
		"input.database=%27+OR+1%3D1+--":                  {},
		"input.database=%25":                              {},
		"input.token=x&kind=import":                       {},
		"inputs=1&input=1&input.database=crm&unknown=%00": {2},
	} {
		if got := found(e, query); !slices.Equal(got, want) {
			t.Errorf("%s finds %v, want %v", query, got, want)
		}
	}
}

func TestInputFilter_RefusesMalformedFilters(t *testing.T) {
	t.Parallel()
	p := harness.NewDumper(t, filterKinds).Start(nil)
	e := harness.NewExpect(t, p)
	var many []string
	for n := range app.MaxInputs + 1 {
		many = append(many, fmt.Sprintf("input.a%d=x", n))
	}
	for query, status := range map[string]int{
		"input.database=shop&input.database=shop": 400,
		"input.database=shop&input.database=":     400,
		"input.token=hidden":                      400,
		"input.token=hidden&kind=backup":          400,
		"input.token=":                            200,
		"input.database=%00":                      400,
		"input.database=%FF":                      400,
		"input.database=a%09":                     400,
		"input.data%00base=a":                     400,
		"input.%FF=a":                             400,
		"id=1&input.database=shop":                400,
		"id=1&input.database=":                    200,
		strings.Join(many[1:], "&"):               200,
		strings.Join(many, "&"):                   400,
	} {
		for _, path := range []string{"/process_runs", "/process_runs.csv", "/process_runs.ndjson"} {
			if strings.HasPrefix(query, "id=") && path != "/process_runs" {
				continue // exports ignore it
			}
			e.GET(path).WithQueryString(query).WithTransformer(harness.AcceptJSON).Expect().Status(status)
		}
		if !strings.HasPrefix(query, "id=") && status == 400 {
			answer := send(t, p.URL, attempt{method: "GET", path: "/process_runs/live?" + query,
				headers: map[string]string{"Connection": "Upgrade", "Upgrade": "websocket",
					"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}}, nil)
			if answer.status != status {
				t.Errorf("a socket with %s is answered with %d", query, answer.status)
			}
			e.GET("/process_runs/bulk").WithQueryString("operation=delete&scope=all&" + query).Expect().
				Status(status)
		}
	}
}

func TestInputFilter_IsPartOfLinksAndSockets(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, filterKinds).Start(nil))
	postJSON(e, `{"kind":"backup","count":30,"inputs":{"database":"shop"}}`).Status(http.StatusCreated)
	postJSON(e, `{"kind":"backup","count":30,"inputs":{"database":"crm"}}`).Status(http.StatusCreated)
	harness.WaitUntilDone(t, e)
	const query = "input.database=shop&status=completed"
	if ids := walk(e, "/process_runs?"+query, "older"); len(ids) != 30 || ids[0] != 30 || ids[29] != 1 {
		t.Errorf("the pages have the runs %v", ids)
	}
	page := e.GET("/process_runs").WithQueryString(query + "&unknown=1").Expect().Status(http.StatusOK).Body()
	page.Contains(`hx-ws:connect="/process_runs/live?input.database=shop&amp;status=completed"`).
		Contains(`/process_runs.csv?input.database=shop&amp;status=completed`).
		Contains(`before=6&amp;input.database=shop&amp;status=completed`).
		Contains(`<input type="hidden" name="input.database" value="shop">`).NotContains("unknown")
}

func TestInputFilter_LimitsBulkActions(t *testing.T) {
	t.Parallel()
	e := startFiltered(t)
	preview := e.GET("/process_runs/bulk").WithQueryString("operation=delete&scope=all&input.database=shop").
		WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusOK).JSON().Object()
	preview.HasValue("runs", 3).Value("filter").Object().HasValue("input.database", "shop")
	confirm := preview.Value("confirm").Object().HasValue("input.database", "shop").Raw()
	e.POST("/process_runs/bulk").WithTransformer(harness.AcceptJSON).WithJSON(confirm).Expect().
		Status(http.StatusCreated)
	harness.WaitUntilDone(t, e)
	if got := found(e, "kind=backup"); !slices.Equal(got, []int{2}) {
		t.Errorf("the runs %v are left", got)
	}
	if got := found(e, "kind=import"); !slices.Equal(got, []int{6, 5}) {
		t.Errorf("the runs %v are left", got)
	}
	e.POST("/process_runs/bulk").WithTransformer(harness.AcceptJSON).
		WithJSON(map[string]any{"operation": "delete", "scope": "all", "input.level": 6}).Expect().
		Status(http.StatusBadRequest)
}

func TestInputFilter_LimitsExports(t *testing.T) {
	t.Parallel()
	e := startFiltered(t)
	const query = "input.database=shop"
	lines := bufio.NewScanner(strings.NewReader(e.GET("/process_runs.ndjson").WithQueryString(query).Expect().
		Status(http.StatusOK).Body().NotContains("hidden").Raw()))
	var inputs []string
	for lines.Scan() {
		var run struct{ Inputs json.RawMessage }
		if err := json.Unmarshal(lines.Bytes(), &run); err != nil {
			t.Fatal(err)
		}
		inputs = append(inputs, string(run.Inputs))
	}
	want := []string{
		`{"database":"shop","level":"6"}`,
		`{"database":"shop","level":-0.5,"note":"a;=1\nb","day":"2026-11-27"}`,
		`{"database":"shop","level":6,"compress":true,"tags":["a","b"]}`,
	}
	order := strings.NewReplacer(`"level":"6","database":"shop"`, `"database":"shop","level":"6"`)
	for i := range inputs {
		inputs[i] = order.Replace(inputs[i])
	}
	if !slices.Equal(inputs, want) {
		t.Errorf("the inputs are %q", inputs)
	}
	all := e.GET("/process_runs.ndjson").WithQuery("kind", "import").Expect().Body()
	all.HasSuffix("\n").Contains(`"inputs":{}`)
}

// The column of inputs is JSON, and a spreadsheet evaluates nothing in it.
func TestExport_CSVHasTheInputsAsJSON(t *testing.T) {
	t.Parallel()
	e := startFiltered(t)
	text := e.GET("/process_runs.csv").Expect().Status(http.StatusOK).Body().NotContains("hidden").
		NotContains(";=").Raw()
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(records) != 7 {
		t.Fatalf("the file is %s: %v", text, err)
	}
	column := slices.Index(records[0], "inputs")
	if column < 0 {
		t.Fatalf("the columns are %q", records[0])
	}
	for i, want := range []map[string]any{
		{},
		{"database": strings.Repeat("ä", 900), "level": "06"},
		{"database": "shop", "level": "6"},
		{"database": "shop", "level": -0.5, "note": "a;=1\nb", "day": "2026-11-27"},
		{"database": "crm", "level": 6.0, "compress": false, "tags": []any{"b"}},
		{"database": "shop", "level": 6.0, "compress": true, "tags": []any{"a", "b"}},
	} {
		var got map[string]any
		if err := json.Unmarshal([]byte(records[i+1][column]), &got); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("record %d has the inputs %v, want %v", i+1, got, want)
		}
	}
}

// A socket with a filter shows the runs that match, also those that are created later.
func TestInputFilter_LimitsSockets(t *testing.T) {
	t.Parallel()
	p := harness.NewDumper(t, filterKinds).Start(nil)
	e := harness.NewExpect(t, p)
	ws := harness.Watch(t, p, "/process_runs/live?input.database=shop&input.level=6")
	ws.Expect().TextMessage().Body().NotContains("process_run_1")
	for _, inputs := range []string{
		`{"database":"shop","level":6.0}`, `{"database":"crm","level":6}`, `{"database":"shop","level":5}`,
		`{"database":"shop","level":6}`,
	} {
		firstID(postJSON(e, `{"kind":"backup","inputs":`+inputs+`}`))
	}
	seen := harness.Screen{}
	for seen.Count("completed") < 2 {
		seen.Apply(t, ws.Expect().TextMessage().Body().Raw())
	}
	if len(seen) != 2 || seen["1"].Status == "" || seen["4"].Status == "" {
		t.Errorf("it shows %v", seen)
	}
}
