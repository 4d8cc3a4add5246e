package http

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gavv/httpexpect/v2"

	"runboard/e2e/harness"
)

// allTypes is a kinds file with an input of each type, and a kind without inputs.
const allTypes = `
kinds:
  all:
    run: [./dump.sh, "{text}", "--number={number}", "{flag}", "{choice}", "{tags}", "--tag={tags}",
      "--date={date}"]
    env: {DUMP_DIR: "%DIR%"}
    inputs:
      - {name: text, type: text, title: A text}
      - {name: code, type: text, pattern: '[a-z]{2}|x', min: 1, max: 2}
      - {name: lines, type: lines}
      - {name: number, type: number, min: 1, max: 9}
      - {name: tenth, type: number, step: 0.1}
      - {name: odd, type: number, min: 1, step: 2}
      - {name: flag, type: flag, flag: --flag}
      - {name: on, type: flag, default: true}
      - {name: choice, type: choice, choices: [shop, {value: crm, title: Customers}], default: shop}
      - {name: tags, type: choices, choices: [a, b, c]}
      - {name: date, type: date, min: 2026-01-01, max: 2026-12-31}
      - {name: secret, type: secret}
  plain:
    run: ["true"]
  needs:
    run: ["true"]
    inputs: [{name: what, type: text, required: true}]
`

// Messages for wrong inputs.
const (
	twice    = "is given more than once"
	noNumber = "must be a number such as 12 or -0.5, with at most 30 digits"
)

// postForm sends a form as it is encoded here, and asks for JSON.
func postForm(e *httpexpect.Expect, form string) *httpexpect.Response {
	return e.POST("/process_runs").WithTransformer(harness.AcceptJSON).WithHeader("Content-Type", formType).
		WithBytes([]byte(form)).Expect()
}

// postJSON sends JSON as it is encoded here, and asks for JSON.
func postJSON(e *httpexpect.Expect, body string) *httpexpect.Response {
	return e.POST("/process_runs").WithTransformer(harness.AcceptJSON).
		WithHeader("Content-Type", "application/json").WithBytes([]byte(body)).Expect()
}

// firstID returns the ID of the first run that an answer names.
func firstID(answer *httpexpect.Response) int64 {
	return int64(created(answer).Value(0).Object().Value("id").Number().Raw())
}

// created returns the runs that an answer names.
func created(answer *httpexpect.Response) *httpexpect.Array {
	return answer.Status(http.StatusCreated).JSON().Object().Value("process_runs").Array()
}

// inputsOf returns the inputs of a run as its JSON has them.
func inputsOf(t *testing.T, e *httpexpect.Expect, run int64) string {
	t.Helper()
	body := e.GET(fmt.Sprintf("/process_runs/%d", run)).WithTransformer(harness.AcceptJSON).Expect().
		Status(http.StatusOK).Body().Raw()
	var answer struct{ Inputs json.RawMessage }
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	return string(answer.Inputs)
}

// total returns the number of all runs.
func total(e *httpexpect.Expect) (n int) {
	counts := e.GET("/process_runs").WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusOK).
		JSON().Object().Value("counts").Object()
	for _, count := range counts.Iter() {
		n += int(count.Number().Raw())
	}
	return n
}

// checkFaults checks an answer to a request with wrong inputs.
func checkFaults(answer *httpexpect.Response, want map[string]any) {
	body := answer.Status(http.StatusUnprocessableEntity).JSON().Object()
	body.HasValue("code", "invalid").Value("error").String().NotEmpty().NotMatch(harness.Internals.String())
	body.Value("inputs").Object().IsEqual(want)
}

func TestInputs_FormsAreRead(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, allTypes).Start(nil))
	const defaults = `"on":true,"choice":"shop"`
	for form, want := range map[string]string{
		"":                                 `{` + defaults + `}`,
		"input.text=&input.number=":        `{` + defaults + `}`,
		"input.text=+a%20+":                `{"text":" a  ",` + defaults + `}`,
		"input.text=%C3%A4+%E2%82%AC":      `{"text":"ä €",` + defaults + `}`,
		"input.lines=a%0D%0Ab%0Ac%0D%0A":   `{"lines":"a\nb\nc\n",` + defaults + `}`,
		"input.number=9":                   `{"number":9,` + defaults + `}`,
		"input.number=1.50":                `{"number":1.50,` + defaults + `}`,
		"input.tenth=0.3":                  `{"tenth":0.3,` + defaults + `}`,
		"input.tenth=-0.7":                 `{"tenth":-0.7,` + defaults + `}`,
		"input.odd=3":                      `{"odd":3,` + defaults + `}`,
		"input.on=":                        `{` + defaults + `}`,
		"input.on=false":                   `{"on":false,"choice":"shop"}`,
		"input.on=false&input.on=true":     `{` + defaults + `}`,
		"input.flag=true":                  `{"flag":true,` + defaults + `}`,
		"input.flag=false":                 `{"flag":false,` + defaults + `}`,
		"input.flag=false&input.flag=true": `{"flag":true,` + defaults + `}`,
		"input.choice=crm":                 `{"on":true,"choice":"crm"}`,
		"input.choice=":                    `{` + defaults + `}`,
		"input.tags=c&input.tags=a":        `{` + defaults + `,"tags":["a","c"]}`,
		"input.tags=":                      `{` + defaults + `}`,
		"input.tags=&input.tags=b":         `{` + defaults + `,"tags":["b"]}`,
		"input.date=2026-11-27":            `{` + defaults + `,"date":"2026-11-27"}`,
		"input.code=x":                     `{"code":"x",` + defaults + `}`,
		"input.secret=s":                   `{` + defaults + `}`,
		"other=1&inputs=2&input=3":         `{` + defaults + `}`,
	} {
		run := firstID(postForm(e, "kind=all&"+form))
		if got := inputsOf(t, e, run); got != want {
			t.Errorf("%s: the inputs are %s, want %s", form, got, want)
		}
	}
	harness.WaitUntilDone(t, e)
}

func TestInputs_JSONIsRead(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, allTypes).Start(nil))
	const defaults = `"on":true,"choice":"shop"`
	for inputs, want := range map[string]string{
		`{}`:   `{` + defaults + `}`,
		`null`: `{` + defaults + `}`,
		`{"text":"","number":"","on":"","choice":"","tags":"","date":"","lines":"","secret":""}`: `{` +
			defaults + `}`,
		`{"text":null,"number":null,"on":null,"choice":null,"tags":null,"date":null,"secret":null}`: `{` +
			defaults + `}`,
		`{"text":"a\u00e4\ud83d\ude00","number":1.50,"flag":true,"on":false,"choice":"crm"}`: `{` +
			`"text":"aä😀","number":1.50,"flag":true,"on":false,"choice":"crm"}`,
		`{"tags":["c","a"]}`: `{` + defaults + `,"tags":["a","c"]}`,
		`{"tags":[]}`:        `{` + defaults + `}`,
		`{"lines":"a\r\nb","date":"2026-11-27","secret":"hidden"}`: `{"lines":"a\nb",` + defaults +
			`,"date":"2026-11-27"}`,
	} {
		run := firstID(postJSON(e, `{"kind":"all","count":1,"inputs":`+inputs+`}`))
		if got := inputsOf(t, e, run); got != want {
			t.Errorf("%s: the inputs are %s, want %s", inputs, got, want)
		}
	}
	for _, body := range []string{
		`{"kind":"all"}`, `{"kind":"all","count":null,"inputs":null,"idempotency_key":null}`,
	} {
		postJSON(e, body).Status(http.StatusCreated)
	}
	harness.WaitUntilDone(t, e)
}

func TestInputs_WrongFormsAreRefused(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, allTypes).Start(nil))
	for form, want := range map[string]map[string]any{
		"input.other=": {"other": "is not an input of this kind"},
		"input.other=1&input.Text=2": {
			"other": "is not an input of this kind", "Text": "is not an input of this kind",
		},
		"input.=1":                        {"": "is not an input of this kind"},
		"input.text=a&input.text=a":       {"text": twice},
		"input.text=&input.text=a":        {"text": twice},
		"input.secret=a&input.secret=a":   {"secret": twice},
		"input.on=true&input.on=false":    {"on": twice},
		"input.on=false&input.on=false":   {"on": twice},
		"input.on=yes":                    {"on": "must be true or false"},
		"input.on=on":                     {"on": "must be true or false"},
		"input.choice=shop&input.choice=": {"choice": twice},
		"input.choice=Customers":          {"choice": "must be one of shop, crm"},
		"input.tags=a&input.tags=a":       {"tags": "contains a more than once"},
		"input.tags=a&input.tags=d":       {"tags": "must be any of a, b, c"},
		"input.number=0":                  {"number": "must be between 1 and 9"},
		"input.number=10&input.date=x": {
			"number": "must be between 1 and 9", "date": "must be a date such as 2026-11-27",
		},
		"input.tenth=0.35":       {"tenth": "must be a multiple of 0.1"},
		"input.odd=2":            {"odd": "must be 1 plus a multiple of 2"},
		"input.date=2027-01-01":  {"date": "must be between 2026-01-01 and 2026-12-31"},
		"input.code=y":           {"code": "must match [a-z]{2}|x"},
		"input.code=xyz":         {"code": "must have between 1 and 2 characters"},
		"input.text=-rf":         {"text": "must not begin with -"},
		"input.text=a%00":        {"text": "must not contain control characters"},
		"input.text=a%0A":        {"text": "must not contain control characters"},
		"input.text=a%09b":       {"text": "must not contain control characters"},
		"input.text=a%C2%85b":    {"text": "must not contain control characters"},
		"input.lines=a%0Db":      {"lines": "must not contain control characters"},
		"input.text=%E2%80%AE":   {"text": "must not contain characters that change the direction of text"},
		"input.text=%FF":         {"text": "must be valid UTF-8"},
		"input.secret=a%0Ab":     {"secret": "must not contain control characters"},
		"count=0&input.number=x": {"number": noNumber},
	} {
		checkFaults(postForm(e, "kind=all&"+form), want)
	}
	checkFaults(postForm(e, "kind=needs"), map[string]any{"what": "is required"})
	postForm(e, "kind=needs").JSON().Object().HasValue("error", "The input what is required.")
	checkFaults(postForm(e, "kind=plain&input.x="), map[string]any{"x": "is not an input of this kind"})
	postForm(e, "kind=all&count=0&input.number=10").JSON().Object().HasValue("error",
		"The input number must be between 1 and 9. The count must be a whole number from 1 to 1000.")
	postForm(e, "kind=all&count=0").Status(http.StatusUnprocessableEntity).JSON().Object().
		NotContainsKey("inputs").Value("error").String().Contains("1 to 1000")
	if n := total(e); n != 0 {
		t.Errorf("refused requests have created %d runs", n)
	}
}

func TestInputs_WrongJSONIsRefused(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, allTypes).Start(nil))
	for inputs, want := range map[string]map[string]any{
		`{"other":null}`:            {"other": "is not an input of this kind"},
		`{"text":5}`:                {"text": "must be a string"},
		`{"text":["a"]}`:            {"text": "must be a string"},
		`{"text":{"a":1}}`:          {"text": "must be a string"},
		`{"text":true}`:             {"text": "must be a string"},
		`{"lines":["a","b"]}`:       {"lines": "must be a string"},
		`{"number":"5"}`:            {"number": "must be a JSON number"},
		`{"number":true}`:           {"number": "must be a JSON number"},
		`{"number":1e0}`:            {"number": noNumber},
		`{"on":"true"}`:             {"on": "must be true or false"},
		`{"on":1}`:                  {"on": "must be true or false"},
		`{"tags":"a"}`:              {"tags": "must be an array of strings"},
		`{"tags":["a",1]}`:          {"tags": "must be an array of strings"},
		`{"tags":["a","a"]}`:        {"tags": "contains a more than once"},
		`{"choice":["shop"]}`:       {"choice": "must be a string"},
		`{"date":20261127}`:         {"date": "must be a string"},
		`{"secret":5}`:              {"secret": "must be a string"},
		`{"text":"a","text":"a"}`:   {"text": twice},
		`{"text":1,"choice":"x"}`:   {"text": "must be a string", "choice": "must be one of shop, crm"},
		`{"text":"a\u0000"}`:        {"text": "must not contain control characters"},
		`{"on":null,"on":true}`:     {"on": twice},
		`{"number":10,"tags":null}`: {"number": "must be between 1 and 9"},
	} {
		checkFaults(postJSON(e, `{"kind":"all","inputs":`+inputs+`}`), want)
	}
	for body, status := range map[string]int{
		`{"kind":"all","inputs":[]}`:                          http.StatusUnprocessableEntity,
		`{"kind":"all","inputs":"x"}`:                         http.StatusUnprocessableEntity,
		`{"kind":"all","inputs":{},"inputs":{}}`:              http.StatusUnprocessableEntity,
		`{"kind":"all","input":{}}`:                           http.StatusUnprocessableEntity,
		`{"kind":"all","input.text":"a"}`:                     http.StatusUnprocessableEntity,
		`{"kind":"all","Count":1}`:                            http.StatusUnprocessableEntity,
		`{"kind":"all","kind":"all"}`:                         http.StatusUnprocessableEntity,
		`{"kind":["all"]}`:                                    http.StatusUnprocessableEntity,
		`{"kind":"all","inputs":{"text":}}`:                   http.StatusBadRequest,
		`{"kind":"all","inputs":{"text":"a"}`:                 http.StatusBadRequest,
		`{"kind":"all","inputs":{"text":"a",}}`:               http.StatusBadRequest,
		"{\"kind\":\"all\",\"inputs\":{\"text\":\"\xff\"}}":   http.StatusBadRequest,
		`{"kind":"all","inputs":{"text":"\ud800"}}`:           http.StatusBadRequest,
		`{"kind":"all","inputs":{"text":"\udc00\ud800"}}`:     http.StatusBadRequest,
		`{"kind":"all","inputs":{}}` + `{}`:                   http.StatusBadRequest,
		strings.Repeat(`{"inputs":`, 20000):                   http.StatusBadRequest,
		`{"inputs":` + strings.Repeat("[", 20000) + `"`:       http.StatusBadRequest,
		`{"kind":"all","inputs":{"text":"a"},"unknown":null}`: http.StatusUnprocessableEntity,
	} {
		postJSON(e, body).Status(status).JSON().Object().ContainsKey("error").ContainsKey("code")
	}
	if n := total(e); n != 0 {
		t.Errorf("refused requests have created %d runs", n)
	}
}

func TestInputs_QueryOfAPostIsIgnored(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, allTypes).Start(nil))
	query := url.Values{"input.text": {"x"}, "kind": {"plain"}, "count": {"9"}}.Encode()
	answer := e.POST("/process_runs").WithQueryString(query).WithTransformer(harness.AcceptJSON).
		WithFormField("kind", "all").WithFormField("input.text", "y").Expect()
	if got := inputsOf(t, e, firstID(answer)); got != `{"text":"y","on":true,"choice":"shop"}` {
		t.Errorf("the inputs are %s", got)
	}
	harness.WaitUntilDone(t, e)
}
