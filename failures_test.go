package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/gavv/httpexpect/v2"

	"runboard/app"
)

const failuresPath = "/process_runs/failures"

// failing are two commands whose errors differ from run to run.
func failing(t *testing.T, change func(*app.Config)) *testProgram {
	t.Helper()
	return startProgram(t, change, commands(t,
		`import=sh -c 'echo "reading /data/$RUNBOARD_RUN_ID.csv"; echo "no customer $RUNBOARD_RUN_ID" >&2; exit 1'`,
		`mail=sh -c 'echo "connect to 10.0.0.$RUNBOARD_RUN_ID:25: refused"; exit 2'`)...)
}

func start(e *httpexpect.Expect, kind string, count int) {
	e.POST("/process_runs").WithFormField("count", count).WithFormField("kind", kind).Expect().Status(http.StatusSeeOther)
}

func TestRunsThatFailAlikeAreFoundTogether(t *testing.T) {
	t.Parallel()
	e := newExpect(t, failing(t, nil))
	start(e, "import", 12)
	start(e, "mail", 5)
	countsAre(t, e, map[string]any{"failed": 17})

	all := e.GET(failuresPath).WithTransformer(jsonHeader).Expect().Status(http.StatusOK).JSON().Object()
	all.HasValue("groups", 2).HasValue("runs", 17)
	groups := all.Value("failures").Array()
	groups.Length().IsEqual(2)
	groups.Value(0).Object().ContainsSubset(map[string]any{"kind": "import", "pattern": "exit status #\nno customer #", "runs": 12})
	groups.Value(1).Object().ContainsSubset(map[string]any{"kind": "mail", "pattern": "exit status #\nconnect to #: refused", "runs": 5})
	groups.Value(0).Object().Value("hours").Array().Length().IsEqual(24)
	id := groups.Value(1).Object().Value("id").Number().Raw()

	found := e.GET("/process_runs").WithQuery("failure", id).WithTransformer(jsonHeader).Expect().Status(http.StatusOK).JSON().Object()
	found.HasValue("matches", 5).Value("process_runs").Array().Length().IsEqual(5)
	found.Value("process_runs").Array().Value(0).Object().HasValue("kind", "mail").HasValue("failure", id)
	e.GET("/process_runs").WithQuery("failure", id).Expect().Body().Contains("5 runs match with this error")
	lines := e.GET("/process_runs.ndjson").WithQuery("failure", id).Expect().Status(http.StatusOK).Body().Raw()
	if n := strings.Count(lines, "\n"); n != 5 {
		t.Errorf("as lines there are %d", n)
	}
	for _, wrong := range []string{"x", "-1", "1&failure=2", "99999999999999999999", "%00"} {
		e.GET("/process_runs").WithQueryString("failure=" + wrong).WithTransformer(jsonHeader).Expect().Status(http.StatusBadRequest)
	}
	e.GET("/process_runs").WithQuery("failure", 999).WithTransformer(jsonHeader).Expect().JSON().Object().HasValue("matches", 0)
	e.POST(failuresPath).Expect().Status(http.StatusMethodNotAllowed)

	startAction(t, e, map[string]any{"operation": "delete", "scope": "all", "failure": id})
	e.GET(failuresPath).WithTransformer(jsonHeader).Expect().JSON().Object().HasValue("groups", 1).HasValue("runs", 12)
}

// As somebody would who has read nothing: from a failed run to all that failed like it, and have them tried again.
func TestFromAFailureToAllLikeItAndBackToWork(t *testing.T) {
	t.Parallel()
	p := failing(t, nil)
	e := newExpect(t, p)
	start(e, "mail", 40)
	start(e, "import", 3)
	countsAre(t, e, map[string]any{"failed": 43})
	tab := openTab(t, p.url+"/process_runs?status=failed", chromedp.EmulateViewport(1000, 800))
	tab.untilLive()
	tab.click("#process_run_40 a")
	tab.until("it is the run's page", `location.pathname === "/process_runs/40"`)
	tab.do(chromedp.Click(`a[href*="failure="]`))
	tab.until("all like it are found", `document.getElementById("matches")?.textContent.startsWith("40 runs match with this error: exit status #")`)
	tab.untilLive()
	tab.chooseAll()
	tab.click("#many button[value=retry]")
	tab.until("it is asked", asked+`.includes("Retry 40 runs?")`)
	tab.click("#ask button[type=submit]")
	tab.until("it is said", noticed+`.includes("Retrying runs. Details: run #44.")`)
	untilStatus(t, e, "/process_runs/44", "completed")
	e.GET("/process_runs/44").WithTransformer(jsonHeader).Expect().JSON().Object().HasValue("message", "40 queued again")
	tab.until("they fail again", `document.getElementById("matches").textContent.startsWith("40 runs match") &&
		document.querySelector("#process_runs td[data-version]")?.dataset.version === "6"`)
}

func TestThePageOfFailuresIsLive(t *testing.T) {
	t.Parallel()
	p := failing(t, nil)
	e := newExpect(t, p)
	tab := openTab(t, p.url+"/process_runs")
	tab.untilLive()
	tab.do(chromedp.Click(`nav.pages a[href$=failures]`))
	tab.until("there is none", `document.getElementById("failures")?.textContent.includes("No failed runs.")`)
	tab.untilLive()
	start(e, "mail", 3)
	tab.until("there is one", `document.querySelector("#failures .groups a")?.textContent === "3 runs"`)
	start(e, "import", 5)
	tab.until("there are two, the larger first", `[...document.querySelectorAll("#failures .pattern")].map((one) => one.textContent).join() ===
		"exit status #\nno customer #,exit status #\nconnect to #: refused"`)
	e.POST(bulkPath).WithForm(map[string]any{"operation": "delete", "scope": "all", "kind": "import"}).Expect().Status(http.StatusSeeOther)
	tab.until("one is gone", `document.querySelectorAll("#failures .pattern").length === 1`)
	if n := tab.socketsSoFar(); n != 2 { // one on each page
		t.Errorf("%d sockets were opened", n)
	}
}
