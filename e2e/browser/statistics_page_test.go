package browser

import (
	"fmt"
	"net/http"
	"testing"

	"runboard/board"
	"runboard/e2e/harness"
)

func TestBoard_WarnsAboutUnhandledKinds(t *testing.T) {
	t.Parallel()
	path := harness.WithRunsOf(t, "report", 2)
	p := harness.StartProgram(t, func(c *board.Config) { c.DatabaseURL = "sqlite:" + path },
		harness.WorkThat("backup", ""))
	e := harness.NewExpect(t, p)
	for _, path := range []string{"/process_runs", "/process_runs/statistics"} {
		e.GET(path).WithQuery("status", "failed").Expect().Body().
			Contains("2 runs of kind report are waiting, but no worker here handles this kind.")
	}
	e.GET("/process_runs/statistics").WithTransformer(harness.AcceptJSON).Expect().JSON().Object().
		Value("unserved").Array().
		IsEqual([]any{map[string]any{"kind": "report", "waiting": 2, "more": false}})

	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	says := func(text string) {
		t.Helper()
		tab.until("it says "+text, fmt.Sprintf(`document.getElementById("unhandled").innerText === %q`, text))
	}
	says("2 runs of kind report are waiting, but no worker here handles this kind.")
	e.POST("/process_runs/1/cancel").Expect().Status(http.StatusSeeOther)
	says("1 run of kind report is waiting, but no worker here handles this kind.")
	e.POST("/process_runs/2/cancel").Expect().Status(http.StatusSeeOther)
	says("")
	if high := evaluate[float64](tab,
		`document.getElementById("unhandled").getBoundingClientRect().height`); high != 0 {
		t.Errorf("the empty warning is %v pixels high", high)
	}
}
