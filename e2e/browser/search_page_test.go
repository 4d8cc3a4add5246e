package browser

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"

	"runboard/e2e/harness"
)

func TestSearch_ExplainsSymbols(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 2)
	harness.WaitUntilDone(t, e)
	for _, query := range []string{"q=%F0%9F%99%82", "q=--", "q=%2F%20.", "q=%E2%84%A2&status=failed"} {
		for _, path := range []string{"/process_runs", "/process_runs.ndjson", "/process_runs.csv",
			harness.BulkPath} {
			asked := query
			if path == harness.BulkPath {
				asked += "&operation=delete&scope=all"
			}
			e.GET(path).WithQueryString(asked).WithTransformer(harness.AcceptJSON).Expect().
				Status(http.StatusBadRequest).
				JSON().Object().Value("error").IsEqual(harness.NothingToSearch)
		}
		e.GET("/process_runs").WithQueryString(query).Expect().Status(http.StatusBadRequest).Body().
			Contains(harness.NothingToSearch)
	}
	e.GET("/process_runs").WithQuery("q", "🙂 disk").WithTransformer(harness.AcceptJSON).Expect().
		Status(http.StatusOK).
		JSON().Object().Value("matches").IsEqual(2)
	tab := openTab(t, p.URL+"/process_runs")
	tab.expectProblems("400")
	tab.untilLive()
	tab.do(chromedp.SetValue(chromedp.CSS("#search_text"), "🙂"))
	tab.submitSearch()
	tab.until("the notice appears",
		fmt.Sprintf(`document.getElementById("notice").textContent.trim() === %q`, harness.NothingToSearch))
	tab.untilRows(2)
}
