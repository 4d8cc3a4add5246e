package http

import (
	"net/http"
	"strings"
	"testing"

	"runboard/e2e/harness"
)

// comparable starts a board with a kind that writes a log, fails in the mode bad, and knows a secret.
func comparable(t *testing.T) *harness.Program {
	t.Helper()
	dumper := harness.NewDumper(t, `kinds:
  nightly:
    run:
    - sh
    - -c
    - for i in 1 2 3 4 5; do echo "$(date) step $i"; done; echo mode is $INPUT_MODE; [ $INPUT_MODE = good ]
    inputs:
      - {name: mode, type: choice, choices: [good, bad]}
      - {name: token, type: secret}
  other:
    run: [echo, hello]
`)
	return dumper.Start(nil)
}

func TestComparison_ShowsWhatDiffers(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, comparable(t))
	for _, mode := range []string{"good", "bad"} {
		e.POST("/process_runs").WithFormField("kind", "nightly").WithFormField("input.mode", mode).
			WithFormField("input.token", "s3cr3t-"+mode).Expect().Status(http.StatusSeeOther)
		harness.WaitUntilDone(t, e)
	}
	const path = "/process_runs/2/compare/1"
	page := e.GET(path).Expect().Status(http.StatusOK)
	page.HasContentType("text/html", "utf-8")
	page.Body().Contains("Compare #2 with #1").Contains("The first 5 lines are alike.").
		Contains("mode is bad</a></del>").Contains("mode is good</a></ins>").NotContains("s3cr3t").
		NotContains("different kinds")
	asJSON := e.GET(path).WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusOK)
	asJSON.Body().NotContains("s3cr3t")
	answer := asJSON.JSON().Object()
	answer.ContainsSubset(map[string]any{"same_kind": true, "same_inputs": false,
		"differing_inputs": []any{"mode"}})
	answer.Value("process_runs").Array().Value(0).Object().
		ContainsSubset(map[string]any{"id": 2, "status": "failed"})
	logs := answer.Value("logs").Object()
	logs.ContainsSubset(map[string]any{"same": false, "alike_lines": 5, "stopped": false,
		"dropped": []bool{false, false}})
	first := logs.Value("first_difference").Array()
	first.Value(0).Object().HasValue("text", "mode is bad")
	first.Value(1).Object().HasValue("text", "mode is good")
	e.GET("/process_runs/1/compare/2").Expect().Status(http.StatusOK).Body().Contains("Compare #1 with #2")
}

func TestComparison_OfDifferentKindsSaysSo(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, comparable(t))
	harness.StartRunsOf(e, "other", 2)
	e.POST("/process_runs").WithFormField("kind", "nightly").WithFormField("input.mode", "good").
		WithFormField("input.token", "x").Expect().Status(http.StatusSeeOther)
	harness.WaitUntilDone(t, e)
	e.GET("/process_runs/1/compare/3").Expect().Status(http.StatusOK).Body().
		Contains("These runs are of different kinds: other and nightly.")
	e.GET("/process_runs/1/compare/2").Expect().Status(http.StatusOK).Body().Contains("The logs are alike.")
}

func TestComparison_RefusesBadPaths(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("mail", ""))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "mail", 2)
	for path, status := range map[string]int{
		"1/compare/3": http.StatusNotFound, "3/compare/1": http.StatusNotFound,
		"1/compare/0": http.StatusNotFound, "0/compare/1": http.StatusNotFound,
		"1/compare/-2": http.StatusNotFound, "1/compare/+2": http.StatusNotFound,
		"1/compare/x": http.StatusNotFound, "x/compare/1": http.StatusNotFound,
		"1/compare/2/3": http.StatusNotFound, "1/compare": http.StatusNotFound,
		"1/compare/%00": http.StatusNotFound, "1/compare/２": http.StatusNotFound,
		"1/compare/99999999999999999999": http.StatusNotFound,
		"1/compare/1":                    http.StatusBadRequest, "1/compare/01": http.StatusBadRequest,
	} {
		got := send(t, p.URL, attempt{method: "GET", path: "/process_runs/" + path}, nil)
		got.check(t, status)
		const itself = "Run #1 cannot be compared with itself"
		if status == http.StatusBadRequest && !strings.Contains(got.body, itself) {
			t.Errorf("%s: it says %s", path, got.body)
		}
	}
}
