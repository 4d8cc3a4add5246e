package http

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"runboard/e2e/harness"
)

// limitKinds returns a kinds file with the kind many, which has as many inputs as a kind can have, and the
// kind long, whose values can reach the limit of a run.
func limitKinds() string {
	var file strings.Builder
	file.WriteString("kinds:\n  many:\n    run: [\"true\"]\n    inputs:\n")
	for n := range 32 {
		fmt.Fprintf(&file, "      - {name: a%d, type: text}\n", n)
	}
	file.WriteString("  long:\n    run: [\"true\"]\n    inputs:\n")
	for n := range 4 {
		fmt.Fprintf(&file, "      - {name: lines%d, type: lines}\n", n)
	}
	file.WriteString(`
      - {name: text, type: text}
      - {name: wide, type: text, max: 2000}
      - {name: short, type: text, min: 2, max: 3}
      - {name: secret, type: secret}
      - {name: number, type: number}
      - {name: exact, type: number, min: 0.1, max: 999999999999999999999999999999, step: 0.1}
`)
	return file.String()
}

// Every limit of a value is tried at both sides of its edge, in a form and in JSON.
func TestInputLimits_BothSidesOfEachEdge(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, limitKinds()).Start(nil))
	const (
		characters = "must have at most 1000 characters"
		between    = "must have between 2 and 3 characters"
		tooLong    = "must have at most 16 KiB"
	)
	for _, limit := range []struct{ name, fits, exceeds, message string }{
		{"text", strings.Repeat("a", 1000), strings.Repeat("a", 1001), characters},
		{"text", strings.Repeat("ä", 1000), strings.Repeat("ä", 1001), characters},
		{"text", strings.Repeat("😀", 1000), strings.Repeat("😀", 1001), characters},
		{"wide", strings.Repeat("€", 2000), strings.Repeat("€", 2001),
			"must have at most 2000 characters"},
		{"short", "ää", "ä", between},
		{"short", "äää", "ääää", between},
		{"secret", strings.Repeat("ä", 1000), strings.Repeat("ä", 1001), characters},
		{"lines0", strings.Repeat("a", 16<<10), strings.Repeat("a", 16<<10+1), tooLong},
		{"lines0", strings.Repeat("ä", 8<<10), strings.Repeat("ä", 8<<10) + "a", tooLong},
		{"lines0", strings.Repeat("a\r\n", 8<<10), strings.Repeat("a\r\n", 8<<10) + "\n", tooLong},
		{"number", strings.Repeat("9", 30), strings.Repeat("9", 31), noNumber},
		{"number", "-0." + strings.Repeat("1", 29), "-0." + strings.Repeat("1", 30), noNumber},
		{"number", "0", "00", noNumber},
		{"number", "-0", "+0", noNumber},
		{"number", "10", "01", noNumber},
		{"number", "1.0", "1.", noNumber},
		{"number", "0.5", ".5", noNumber},
		{"exact", "0.1", "0", "must be between 0.1 and 999999999999999999999999999999"},
		{"exact", "99999999999999999999999999999.9", "1.0e3", noNumber},
		{"exact", "0.30", "0.300000000000000000000000001",
			"must be 0.1 plus a multiple of 0.1"},
	} {
		form := url.Values{"kind": {"long"}, "input." + limit.name: {limit.fits}}
		run := firstID(postForm(e, form.Encode()))
		checkKept(t, inputsOf(t, e, run), limit.name, limit.fits)
		form.Set("input."+limit.name, limit.exceeds)
		postForm(e, form.Encode()).Status(http.StatusUnprocessableEntity).JSON().Object().
			HasValue("inputs", map[string]any{limit.name: limit.message})
		if strings.HasPrefix(limit.name, "number") || limit.name == "exact" {
			continue // of which not all are numbers of JSON
		}
		body := `{"kind":"long","inputs":{` + quoteJSON(limit.name) + `:` + quoteJSON(limit.fits) + `}}`
		checkKept(t, inputsOf(t, e, firstID(postJSON(e, body))), limit.name, limit.fits)
		body = `{"kind":"long","inputs":{` + quoteJSON(limit.name) + `:` + quoteJSON(limit.exceeds) + `}}`
		postJSON(e, body).Status(http.StatusUnprocessableEntity).JSON().Object().
			HasValue("inputs", map[string]any{limit.name: limit.message})
	}
	harness.WaitUntilDone(t, e)
}

func quoteJSON(text string) string {
	quoted, _ := json.Marshal(text) // texts never fail
	return string(quoted)
}

// checkKept checks that the inputs of a run are the one that was given.
func checkKept(t *testing.T, inputs, name, value string) {
	t.Helper()
	value = strings.ReplaceAll(value, "\r\n", "\n")
	want := `{"` + name + `":` + value + `}`
	switch name {
	case "secret":
		want = "{}"
	case "number", "exact":
	default:
		want = `{"` + name + `":"` + strings.ReplaceAll(value, "\n", `\n`) + `"}`
	}
	if inputs != want {
		t.Errorf("the inputs are %.60s, want %.60s", inputs, want)
	}
}

func TestInputLimits_AllValuesTogether(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, limitKinds()).Start(nil))
	form := url.Values{"kind": {"long"}}
	for n := range 4 {
		form.Set(fmt.Sprintf("input.lines%d", n), strings.Repeat("%", 16<<10)) // 3 bytes each in the body
	}
	run := firstID(postForm(e, form.Encode()))
	if size := len(inputsOf(t, e, run)); size < 64<<10 {
		t.Errorf("of 64 KiB, %d bytes are kept", size)
	}
	form.Set("input.text", "a")
	postForm(e, form.Encode()).Status(http.StatusUnprocessableEntity).JSON().Object().
		HasValue("inputs", map[string]any{"text": "is too long: all inputs together have at most 64 KiB"})
	harness.WaitUntilDone(t, e)
}

// The answer to a start does not repeat long inputs a thousand times.
func TestInputLimits_LongInputsOfManyRunsAreNotRepeated(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, limitKinds()).Start(nil))
	e.POST("/kinds/long/pause").Expect().Status(http.StatusSeeOther)
	form := url.Values{"kind": {"long"}, "count": {"100"}, "input.lines0": {strings.Repeat("x", 10_000)}}
	created(postForm(e, form.Encode())).Value(0).Object().ContainsKey("inputs")
	form.Set("count", "110")
	runs := created(postForm(e, form.Encode()))
	runs.Length().IsEqual(110)
	runs.Value(0).Object().NotContainsKey("inputs")
	if got := inputsOf(t, e, 210); len(got) < 10_000 {
		t.Errorf("the inputs of the last run have %d bytes", len(got))
	}
}

func TestInputLimits_AKindHas32Inputs(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, limitKinds()).Start(nil))
	form, want := url.Values{"kind": {"many"}}, map[string]string{}
	for n := range 32 {
		name := fmt.Sprintf("a%d", n)
		form.Set("input."+name, strings.Repeat("x", n+1))
		want[name] = strings.Repeat("x", n+1)
	}
	run := firstID(postForm(e, form.Encode()))
	var got map[string]string
	err := json.Unmarshal([]byte(inputsOf(t, e, run)), &got)
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("the inputs are %v: %v", got, err)
	}
	form.Set("input.a32", "x")
	postForm(e, form.Encode()).Status(http.StatusUnprocessableEntity).JSON().Object().
		HasValue("inputs", map[string]any{"a32": "is not an input of this kind"})
	harness.WaitUntilDone(t, e)
}

func TestInputLimits_SizeOfTheBody(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, limitKinds()).Start(nil))
	fill := func(start string, size int) string { return start + strings.Repeat("x", size-len(start)) }
	const largest = 256 << 10
	postForm(e, fill("kind=many&other=", largest)).Status(http.StatusCreated)
	postForm(e, fill("kind=many&other=", largest+1)).Status(http.StatusRequestEntityTooLarge)
	e.POST("/process_runs").WithQuery("a", "b").WithHeader("Content-Type", formType).
		WithBytes([]byte(fill("kind=many&other=", largest))).Expect().Status(http.StatusSeeOther)
	for _, path := range []string{"/process_runs/bulk", "/process_runs/1/retry", "/kinds/many/pause"} {
		e.POST(path).WithHeader("Content-Type", formType).WithBytes([]byte(fill("other=", 16<<10+1))).
			Expect().Status(http.StatusRequestEntityTooLarge)
	}
	e.POST("/kinds/many/pause").WithHeader("Content-Type", formType).
		WithBytes([]byte(fill("other=", 16<<10))).Expect().Status(http.StatusSeeOther)
	e.POST("/kinds/many/resume").Expect().Status(http.StatusSeeOther)
	harness.WaitUntilDone(t, e)
}

// A request can name thousands of inputs: the answer does not grow beyond what was sent.
func TestInputLimits_ManyUndeclaredInputs(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, limitKinds()).Start(nil))
	var form strings.Builder
	form.WriteString("kind=many")
	for n := range 15_000 {
		fmt.Fprintf(&form, "&input.%d=", n)
	}
	for _, accept := range []string{"application/json", "text/html"} {
		answer := e.POST("/process_runs").WithHeader("Content-Type", formType).WithHeader("Accept", accept).
			WithBytes([]byte(form.String())).Expect().Status(http.StatusUnprocessableEntity).Body().Raw()
		if len(answer) > 128<<10 {
			t.Errorf("the answer as %s has %d bytes", accept, len(answer))
		}
	}
}
