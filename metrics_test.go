package main

import (
	"net/http"
	"testing"
)

func TestMetricsSayWhatTheBoardShows(t *testing.T) {
	t.Parallel()
	kind, open := gate("gate")
	defer open()
	p := startProgram(t, nil, kind)
	e := newExpect(t, p)
	watch(t, p, "/process_runs/live").Expect().TextMessage()
	e.POST("/process_runs").WithFormField("count", "3").Expect().Status(http.StatusSeeOther)
	statusOf(t, e, "3", "started")
	e.POST("/process_runs/1/cancel").Expect().Status(http.StatusSeeOther)
	statusOf(t, e, "1", "cancelled")

	answer := e.GET("/metrics").WithHeader("Accept", "application/json").Expect().Status(http.StatusOK)
	answer.HasContentType("text/plain", "utf-8")
	for _, line := range []string{
		`runboard_runs{status="created"} 0`, `runboard_runs{status="started"} 2`, `runboard_runs{status="cancelled"} 1`,
		"runboard_sockets 1", "runboard_ready 1", "go_goroutines ", "process_open_fds ",
	} {
		answer.Body().Contains(line)
	}
}
