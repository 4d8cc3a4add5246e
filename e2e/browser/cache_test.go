package browser

import (
	"testing"

	"runboard/app"
	"runboard/e2e/harness"
)

// A browser that kept the page as it was when one left it would show that again, with a closed socket. It is told not to
// keep any; and whatever it does, the page is to be right and live.
func TestWhoeverComesBackToAPageSeesWhatIsTrueAndLive(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	p := harness.StartProgram(t, func(c *app.Config) { c.Workers = 5 }, kind)
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 3)
	harness.CountsAre(t, e, map[string]any{"started": 3})
	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	tab.until("they are at work", states+` === "started,started,started"`)
	tab.click("nav.pages a")
	tab.until("another page is there", `location.pathname === "/process_runs/failures" && document.readyState === "complete"`)
	tab.untilLive()
	open()
	harness.CountsAre(t, e, map[string]any{"completed": 3})
	evaluate[bool](tab, `history.back(), true`)
	tab.until("the list is back", `location.pathname === "/process_runs" && document.readyState === "complete"`)
	tab.until("it is right", states+` === "completed,completed,completed"`)
	tab.untilLive()
	harness.StartRuns(e, 2)
	tab.untilRows(5)
}
