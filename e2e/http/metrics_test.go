package http

import (
	"net/http"
	"testing"

	"runboard/e2e/harness"
)

func TestMetrics_CountRunsAndSockets(t *testing.T) {
	t.Parallel()
	kind, open := harness.Gate("gate")
	defer open()
	p := harness.StartProgram(t, nil, kind)
	e := harness.NewExpect(t, p)
	harness.Watch(t, p, "/process_runs/live").Expect().TextMessage()
	e.POST("/process_runs").WithFormField("count", "3").Expect().Status(http.StatusSeeOther)
	harness.UntilStatus(t, e, "/process_runs/3", "started")
	e.POST("/process_runs/1/cancel").Expect().Status(http.StatusSeeOther)
	harness.UntilStatus(t, e, "/process_runs/1", "cancelled")

	answer := e.GET("/metrics").WithHeader("Accept", "application/json").Expect().Status(http.StatusOK)
	answer.HasContentType("text/plain", "utf-8")
	for _, line := range []string{
		`runboard_runs{status="created"} 0`, `runboard_runs{status="started"} 2`,
		`runboard_runs{status="cancelled"} 1`,
		"runboard_sockets 1", "runboard_ready 1", "go_goroutines ", "process_open_fds ",
	} {
		answer.Body().Contains(line)
	}
}
