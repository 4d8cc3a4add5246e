package http

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gavv/httpexpect/v2"

	"runboard/e2e/harness"
)

// wantWaiting waits until the JSON of a run says that it waits for another one.
func wantWaiting(t *testing.T, e *httpexpect.Expect, path, want string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		run := e.GET(path).WithTransformer(harness.AcceptJSON).Expect().JSON().Object().Raw()
		if run["status"] == "created" && waitingOf(t, run) == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is %v", path, run)
		}
	}
}

// A limit holds for runs however they come to wait: by the page, by a program, by a retry or by a bulk
// action.
func TestLimits_HoldForEveryWayToStart(t *testing.T) {
	t.Parallel()
	kind, open := harness.Gate("single")
	defer open()
	kind.Info.Concurrency = 1
	p := harness.StartProgram(t, nil, kind, harness.WorkThat("other", ""))
	e := harness.NewExpect(t, p)
	const full = "map[by:1 limit:1]"
	harness.StartRunsOf(e, "single", 2) // as the page does
	harness.UntilStatus(t, e, "/process_runs/1", "started")
	wantWaiting(t, e, "/process_runs/2", full)
	path := harness.StartRun(e, "single") // as a program does
	wantWaiting(t, e, path, full)
	e.GET("/process_runs").Expect().Body().Contains("waiting: 1 of 1 running (#1)")
	e.GET(path).Expect().Body().Contains("1 of 1 of its kind running").Contains(`href="/process_runs/1"`)
	for range 2 {
		e.POST(path + "/cancel").WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusOK)
		e.POST(path + "/retry").WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusOK)
		wantWaiting(t, e, path, full)
	}
	startAction(t, e, map[string]any{"operation": "cancel", "id": "3"})
	startAction(t, e, map[string]any{"operation": "retry", "id": "3"})
	wantWaiting(t, e, "/process_runs/3", full)
	harness.UntilStatus(t, e, harness.StartRun(e, "other"), "completed") // other kinds go on
	e.POST("/process_runs/1/cancel").Expect()
	harness.UntilStatus(t, e, "/process_runs/1", "cancelled")
	harness.UntilStatus(t, e, "/process_runs/2", "started") // the oldest one
	wantWaiting(t, e, "/process_runs/3", "map[by:2 limit:1]")
	open()
	harness.UntilStatus(t, e, "/process_runs/3", "completed")
}

// A socket shows within a second what a run waits for, although the run itself does not change.
func TestLimits_SocketsFollow(t *testing.T) {
	t.Parallel()
	kind, open := harness.Gate("single")
	defer open()
	kind.Info.Concurrency = 1
	p := harness.StartProgram(t, nil, kind)
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "single", 3)
	wantWaiting(t, e, "/process_runs/3", "map[by:1 limit:1]")
	for _, watched := range []string{"/process_runs/live", "/process_runs/3/live"} {
		socket := harness.Watch(t, p, watched)
		for _, step := range []struct{ post, want string }{
			{"/kinds/single/pause", "he kind is paused"},
			{"/kinds/single/resume", "1 of 1 "},
		} {
			e.POST(step.post).Expect()
			for !strings.Contains(socket.Expect().Body().Raw(), step.want) {
				t.Logf("%s does not show yet: %s", watched, step.want)
			}
		}
	}
}
