package http

import (
	"net/http"
	"strings"
	"testing"

	"runboard/e2e/harness"
)

func TestFailures_AreGroupedByError(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.Failing(t, nil))
	harness.StartRunsOf(e, "import", 12)
	harness.StartRunsOf(e, "mail", 5)
	harness.CountsAre(t, e, map[string]any{"failed": 17})

	all := e.GET(harness.FailuresPath).WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusOK).
		JSON().Object()
	all.HasValue("groups", 2).HasValue("runs", 17)
	groups := all.Value("failures").Array()
	groups.Length().IsEqual(2)
	groups.Value(0).Object().
		ContainsSubset(map[string]any{"kind": "import", "pattern": "exit status #\nno customer #",
			"runs": 12})
	groups.Value(1).Object().
		ContainsSubset(map[string]any{"kind": "mail", "pattern": "exit status #\nconnect to #: refused",
			"runs": 5})
	groups.Value(0).Object().Value("hours").Array().Length().IsEqual(24)
	id := groups.Value(1).Object().Value("id").Number().Raw()

	found := e.GET("/process_runs").WithQuery("failure", id).WithTransformer(harness.AcceptJSON).Expect().
		Status(http.StatusOK).JSON().Object()
	found.HasValue("matches", 5).Value("process_runs").Array().Length().IsEqual(5)
	found.Value("process_runs").Array().Value(0).Object().HasValue("kind", "mail").HasValue("failure", id)
	e.GET("/process_runs").WithQuery("failure", id).Expect().Body().Contains("5 runs with this error")
	lines := e.GET("/process_runs.ndjson").WithQuery("failure", id).Expect().Status(http.StatusOK).Body().
		Raw()
	if n := strings.Count(lines, "\n"); n != 5 {
		t.Errorf("as lines there are %d", n)
	}
	for _, wrong := range []string{"x", "-1", "1&failure=2", "99999999999999999999", "%00"} {
		e.GET("/process_runs").WithQueryString("failure=" + wrong).WithTransformer(harness.AcceptJSON).
			Expect().Status(http.StatusBadRequest)
	}
	e.GET("/process_runs").WithQuery("failure", 999).WithTransformer(harness.AcceptJSON).Expect().JSON().
		Object().HasValue("matches", 0)
	e.POST(harness.FailuresPath).Expect().Status(http.StatusMethodNotAllowed)

	startAction(t, e, map[string]any{"operation": "delete", "scope": "all", "failure": id})
	e.GET(harness.FailuresPath).WithTransformer(harness.AcceptJSON).Expect().JSON().Object().
		HasValue("groups", 1).HasValue("runs", 12)
}
