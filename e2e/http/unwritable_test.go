package http

import (
	"fmt"
	"net/http"
	"testing"

	"runboard/e2e/harness"
)

func TestDatabase_ServerSurvivesWhenItIsNotWritable(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	p := harness.StartProgram(t, nil, kind)
	e := harness.NewExpect(t, p)
	ws, seen := harness.Watch(t, p, "/process_runs/live"), harness.Screen{}
	e.POST("/process_runs").WithFormField("count", 1).Expect().Status(http.StatusSeeOther)
	for seen.Count("started") < 1 {
		seen.Apply(t, ws.Expect().TextMessage().Body().Raw())
	}
	unlock := harness.LockDatabase(t, p.Config.DatabasePath())
	open() // the result of the run cannot be written now
	for _, command := range []string{"", "/1/cancel"} {
		refused := e.POST("/process_runs" + command).WithTransformer(harness.AcceptJSON).Expect().
			Status(http.StatusServiceUnavailable)
		refused.Header("Retry-After").AsNumber().Gt(0)
		if word := harness.Internals.FindString(refused.Body().Raw()); word != "" {
			t.Errorf("the answer reveals %s", word)
		}
	}
	e.GET("/up").Expect().Status(http.StatusServiceUnavailable).Header("Retry-After").NotEmpty()
	e.GET("/process_runs").Expect().Status(http.StatusOK)
	e.GET("/process_runs/1/status").Expect().Status(http.StatusOK).Body().Contains(`data-status="started"`)
	unlock()
	harness.Eventually(t, "the server is ready again", p.Ready)
	for seen.Count("completed") < 1 { // on the same socket, and without a second attempt
		seen.Apply(t, ws.Expect().TextMessage().Body().Raw())
	}
	if got := fmt.Sprint(seen); got != "map[1:{completed 3}]" {
		t.Errorf("what is seen is %s", got)
	}
	if counts := harness.WaitUntilDone(t, e); counts["completed"] != 1.0 {
		t.Errorf("what was refused was done: %v", counts)
	}
}
