package http

import (
	"net/http"
	"strings"
	"testing"

	"runboard/e2e/harness"
)

// Two thousand runs match "disks"; the texts of the bulk action itself contain "disk".
func TestSearch_DeletesWhatThePreviewSays(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	e := harness.NewExpect(t,
		harness.StartProgram(t, nil, harness.WorkThat("check", "disks offline"),
			harness.WorkThat("other", "no paper")))
	for range 2 {
		e.POST("/process_runs").WithFormField("count", 1000).WithFormField("kind", "check").Expect().
			Status(http.StatusSeeOther)
	}
	e.POST("/process_runs").WithFormField("count", 3).WithFormField("kind", "other").Expect().
		Status(http.StatusSeeOther)
	harness.WaitUntilDone(t, e)
	exported := e.GET("/process_runs.ndjson").WithQuery("q", "disk").Expect().Status(http.StatusOK).Body()
	if n := strings.Count(exported.Raw(), "\n"); n != 2000 {
		t.Errorf("an export has %d runs", n)
	}
	asked := map[string]any{"operation": "delete", "scope": "all", "q": "disk"}
	e.GET(harness.BulkPath).WithQueryString("operation=delete&scope=all&q=disk").
		WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusOK).
		JSON().Object().ContainsSubset(map[string]any{"runs": 2000, "skipped": 0, "more": false})
	startAction(t, e, asked).ContainsSubset(map[string]any{"percent": 100, "message": "2,000 runs deleted"})
	harness.CountsAre(t, e, map[string]any{"failed": 3, "completed": 1})
	list := e.GET("/process_runs").WithQuery("q", "disk").WithTransformer(harness.AcceptJSON).Expect().
		Status(http.StatusOK).JSON().Object()
	list.Value("matches").IsEqual(0) // the bulk action itself does not match either
}
