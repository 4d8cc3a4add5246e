package http

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"runboard/app"
	"runboard/board"
	"runboard/e2e/harness"
	"runboard/jobs"
)

func TestRun_CanBeCancelledAndRetried(t *testing.T) {
	t.Parallel()
	kind, open := harness.Gate("gate")
	defer open()
	e := harness.NewExpect(t, harness.StartProgram(t, func(c *board.Config) { c.Workers = 1 }, kind))
	e.POST("/process_runs").WithFormField("count", "2").Expect().Status(http.StatusSeeOther)
	harness.UntilStatus(t, e, "/process_runs/1", "started")

	t.Run("a waiting run is cancelled at once", func(t *testing.T) {
		e.POST("/process_runs/2/cancel").WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusOK).
			JSON().Object().ContainsSubset(map[string]any{"id": 2, "status": "cancelled", "version": 2})
		e.POST("/process_runs/2/cancel").Expect().Status(http.StatusConflict)
	})
	t.Run("cancellation of a started run is requested", func(t *testing.T) {
		e.POST("/process_runs/1/cancel").WithTransformer(harness.AcceptJSON).Expect().
			Status(http.StatusAccepted).
			JSON().Object().HasValue("id", 1).ContainsKey("cancel_requested_at")
		harness.UntilStatus(t, e, "/process_runs/1", "cancelled")
		e.POST("/process_runs/1/cancel").WithTransformer(fragmentHeaders).Expect().
			Status(http.StatusConflict).
			Header("HX-Retarget").IsEqual("#notice")
	})
	t.Run("a browser is redirected to the run", func(t *testing.T) {
		e.POST("/process_runs/2/retry").Expect().Status(http.StatusSeeOther).Header("Location").
			IsEqual("/process_runs/2")
		harness.UntilStatus(t, e, "/process_runs/2", "started")
		e.POST("/process_runs/2/retry").Expect().Status(http.StatusConflict)
		notice := e.POST("/process_runs/2/cancel").WithTransformer(fragmentHeaders).Expect()
		if notice.Raw().StatusCode != http.StatusAccepted {
			t.Errorf("the answer is %s", notice.Raw().Status)
		}
		notice.Body().Contains("Stopping run #2").NotContains("data-status")
		harness.UntilStatus(t, e, "/process_runs/2", "cancelled")
	})
	t.Run("its history stays", func(t *testing.T) {
		page := e.GET("/process_runs/2").Expect().Status(http.StatusOK).Body()
		page.Contains("cancelled before it was started").Contains("retried by hand").
			Contains("stop requested")
	})
	for _, path := range []string{"/process_runs/99/", "/process_runs/abc/", "/process_runs/+1/"} {
		e.POST(path + "cancel").Expect().Status(http.StatusNotFound)
		e.POST(path + "retry").Expect().Status(http.StatusNotFound)
	}
	e.GET("/process_runs/1/cancel").Expect().Status(http.StatusMethodNotAllowed).Header("Allow").
		IsEqual("POST")
	e.POST("/process_runs/1/retry").WithHeader("Sec-Fetch-Site", "cross-site").Expect().
		Status(http.StatusForbidden)
}

func TestProgress_IsLive(t *testing.T) {
	t.Parallel()
	goOn := make(chan struct{})
	defer close(goOn)
	p := harness.StartProgram(t, nil,
		jobs.Kind{Name: "copy", Work: func(_ context.Context, run *jobs.Run) error {
			run.Progress(40, "copying <b>all</b>")
			<-goOn
			return nil
		}})
	e := harness.NewExpect(t, p)
	ws := harness.Watch(t, p, "/process_runs/live")
	e.POST("/process_runs").WithFormField("count", "1").Expect().Status(http.StatusSeeOther)
	harness.Eventually(t, "the progress is on the socket", func() error {
		frame := ws.Expect().TextMessage().Body().Raw()
		if want := `<progress value="40" max="100" aria-label="Progress"></progress> 40% copying &lt;b&gt;all&lt;/b&gt;`; !strings.Contains(frame, want) {
			return fmt.Errorf("there is %s", frame)
		}
		return nil
	})
	e.GET("/process_runs/1").WithTransformer(harness.AcceptJSON).Expect().JSON().Object().
		ContainsSubset(map[string]any{"percent": 40, "message": "copying <b>all</b>", "version": 3})
}

// The drain timeout is longer than the test waits, so the drain ends in time only if the run stops.
func TestCancel_DuringTheDrainStopsTheRun(t *testing.T) {
	t.Parallel()
	kind, _ := harness.Gate("gate")
	p := harness.StartProgram(t, func(c *board.Config) { c.DrainTimeout = 2 * harness.Patience }, kind)
	e := harness.NewExpect(t, p)
	e.POST("/process_runs").WithFormField("count", 2).Expect().Status(http.StatusSeeOther)
	harness.UntilStatus(t, e, "/process_runs/1", "started")
	harness.UntilStatus(t, e, "/process_runs/2", "started")
	stopped := harness.Drain(t, p)
	e.POST("/process_runs/1/cancel").WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusAccepted)
	harness.UntilStatus(t, e, "/process_runs/1", "cancelled")
	e.POST("/process_runs/2/cancel").WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusAccepted)
	select {
	case <-stopped:
	case <-time.After(harness.Patience):
		t.Error("the cancelled run keeps the program from ending")
	}
}

// The queue applies the bulk action during the drain. With PostgreSQL, another node does.
func TestBulkCancel_DuringTheDrainStopsRuns(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, _ := harness.Gate("gate")
	p := harness.StartProgram(t, func(c *board.Config) { c.DrainTimeout = 2 * harness.Patience }, kind)
	e := harness.NewExpect(t, p)
	e.POST("/process_runs").WithFormField("count", 3).Expect().Status(http.StatusSeeOther)
	for _, run := range []string{"1", "2", "3"} {
		harness.UntilStatus(t, e, "/process_runs/"+run, "started")
	}
	stopped := harness.Drain(t, p)
	if _, err := p.Store.CreateBulkAction(t.Context(),
		app.BulkAction{Operation: app.BulkCancel, IDs: []int64{1, 2}}, ""); err != nil {
		t.Fatal(err)
	}
	harness.UntilStatus(t, e, "/process_runs/1", "cancelled")
	harness.UntilStatus(t, e, "/process_runs/2", "cancelled")
	harness.UntilStatus(t, e, "/process_runs/4", "completed")
	e.POST("/process_runs/3/cancel").Expect().Status(http.StatusSeeOther)
	select {
	case <-stopped:
	case <-time.After(harness.Patience):
		t.Error("the cancelled runs keep the program from ending")
	}
}

func TestUndo_RefusesMalformedRequests(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	defer open()
	p := harness.StartProgram(t, func(c *board.Config) { c.Workers = 1 }, kind)
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 3)
	harness.CountsAre(t, e, map[string]any{"started": 1, "created": 2})
	for query, path := range map[string]string{
		"": "undo", "first=2": "undo", "first=3&last=2": "undo", "first=0&last=2": "undo",
		"first=2&last=x": "undo", "first=2&last=3&last=3": "undo", "first=1&last=1001": "undo",
		"first=1&last=9223372036854775807": "undo",
		"version=x":                        "2/undo", "version=1&version=1": "2/undo", "version": "2/undo",
	} {
		e.POST("/process_runs/"+path).WithQueryString(query).WithTransformer(harness.AcceptJSON).Expect().
			Status(http.StatusBadRequest).JSON().Object().HasValue("code", "malformed")
	}
	harness.CountsAre(t, e, map[string]any{"started": 1, "created": 2, "cancelled": 0})
}
