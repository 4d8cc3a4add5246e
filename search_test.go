package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

const nothingToSearch = "Enter a word to search for: only letters and digits are searched, not symbols and emoji."

func TestSearch_ForSymbolsSaysWhyItFindsNothing(t *testing.T) {
	t.Parallel()
	p := startProgram(t, nil, workThat("import", "the disk is full"))
	e := newExpect(t, p)
	startRuns(e, 2)
	settled(t, e)
	for _, query := range []string{"q=%F0%9F%99%82", "q=--", "q=%2F%20.", "q=%E2%84%A2&status=failed"} {
		for _, path := range []string{"/process_runs", "/process_runs.ndjson", "/process_runs.csv", bulkPath} {
			asked := query
			if path == bulkPath {
				asked += "&operation=delete&scope=all"
			}
			e.GET(path).WithQueryString(asked).WithTransformer(jsonHeader).Expect().Status(http.StatusBadRequest).
				JSON().Object().Value("error").IsEqual(nothingToSearch)
		}
		e.GET("/process_runs").WithQueryString(query).Expect().Status(http.StatusBadRequest).Body().Contains(nothingToSearch)
	}
	e.GET("/process_runs").WithQuery("q", "🙂 disk").WithTransformer(jsonHeader).Expect().Status(http.StatusOK).
		JSON().Object().Value("matches").IsEqual(2)
	tab := openTab(t, p.url+"/process_runs")
	tab.expectProblems("400")
	tab.untilLive()
	tab.do(chromedp.SetValue(chromedp.CSS("#find_text"), "🙂"))
	tab.click(".find button")
	tab.until("it is said", fmt.Sprintf(`document.getElementById("notice").textContent.trim() === %q`, nothingToSearch))
	tab.untilRows(2)
}

// Two thousand runs have "disks", and the bulk action's own texts have "disk".
func TestSearch_DeletesExactlyWhatThePreviewSays(t *testing.T) {
	t.Parallel()
	e := newExpect(t, startProgram(t, nil, workThat("check", "disks offline"), workThat("other", "no paper")))
	for range 2 {
		e.POST("/process_runs").WithFormField("count", 1000).WithFormField("kind", "check").Expect().Status(http.StatusSeeOther)
	}
	e.POST("/process_runs").WithFormField("count", 3).WithFormField("kind", "other").Expect().Status(http.StatusSeeOther)
	settled(t, e)
	if n := strings.Count(e.GET("/process_runs.ndjson").WithQuery("q", "disk").Expect().Status(http.StatusOK).Body().Raw(), "\n"); n != 2000 {
		t.Errorf("an export has %d runs", n)
	}
	asked := map[string]any{"operation": "delete", "scope": "all", "q": "disk"}
	e.GET(bulkPath).WithQueryString("operation=delete&scope=all&q=disk").WithTransformer(jsonHeader).Expect().Status(http.StatusOK).
		JSON().Object().ContainsSubset(map[string]any{"runs": 2000, "skipped": 0, "more": false})
	startAction(t, e, asked).ContainsSubset(map[string]any{"percent": 100, "message": "2,000 deleted"})
	countsAre(t, e, map[string]any{"failed": 3, "completed": 1})
	list := e.GET("/process_runs").WithQuery("q", "disk").WithTransformer(jsonHeader).Expect().Status(http.StatusOK).JSON().Object()
	list.Value("matches").IsEqual(0) // not the action either
}
