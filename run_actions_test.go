package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gavv/httpexpect/v2"

	"runboard/app"
	"runboard/jobs"
)

// statusOf waits until a run has a status.
func statusOf(t *testing.T, e *httpexpect.Expect, run, want string) {
	t.Helper()
	eventually(t, "run "+run+" is "+want, func() error {
		got := e.GET("/process_runs/" + run).WithTransformer(jsonHeader).Expect().JSON().Object().Value("status").String().Raw()
		if got != want {
			return fmt.Errorf("it is %s", got)
		}
		return nil
	})
}

func TestARunCanBeCancelledAndTriedAgain(t *testing.T) {
	t.Parallel()
	kind, open := gate("gate")
	defer open()
	e := newExpect(t, startProgram(t, func(c *app.Config) { c.Workers = 1 }, kind))
	e.POST("/process_runs").WithFormField("count", "2").Expect().Status(http.StatusSeeOther)
	statusOf(t, e, "1", "started")

	t.Run("one that waits is cancelled at once", func(t *testing.T) {
		e.POST("/process_runs/2/cancel").WithTransformer(jsonHeader).Expect().Status(http.StatusOK).
			JSON().Object().ContainsSubset(map[string]any{"id": 2, "status": "cancelled", "version": 2})
		e.POST("/process_runs/2/cancel").Expect().Status(http.StatusConflict)
	})
	t.Run("for a started run cancellation is requested", func(t *testing.T) {
		e.POST("/process_runs/1/cancel").WithTransformer(jsonHeader).Expect().Status(http.StatusAccepted).
			JSON().Object().HasValue("id", 1).ContainsKey("cancel_requested_at")
		statusOf(t, e, "1", "cancelled")
		e.POST("/process_runs/1/cancel").WithTransformer(fragmentHeaders).Expect().Status(http.StatusConflict).
			Header("HX-Retarget").IsEqual("#notice")
	})
	t.Run("a browser is sent to the run", func(t *testing.T) {
		e.POST("/process_runs/2/retry").Expect().Status(http.StatusSeeOther).Header("Location").IsEqual("/process_runs/2")
		statusOf(t, e, "2", "started")
		e.POST("/process_runs/2/retry").Expect().Status(http.StatusConflict)
		notice := e.POST("/process_runs/2/cancel").WithTransformer(fragmentHeaders).Expect()
		if notice.Raw().StatusCode != http.StatusAccepted {
			t.Errorf("the answer is %s", notice.Raw().Status)
		}
		notice.Body().Contains("Stopping run #2").NotContains("data-status")
		statusOf(t, e, "2", "cancelled")
	})
	t.Run("its history stays", func(t *testing.T) {
		page := e.GET("/process_runs/2").Expect().Status(http.StatusOK).Body()
		page.Contains("cancelled before it was started").Contains("retried manually").Contains("cancellation requested")
	})
	for _, path := range []string{"/process_runs/99/", "/process_runs/abc/", "/process_runs/+1/"} {
		e.POST(path + "cancel").Expect().Status(http.StatusNotFound)
		e.POST(path + "retry").Expect().Status(http.StatusNotFound)
	}
	e.GET("/process_runs/1/cancel").Expect().Status(http.StatusMethodNotAllowed).Header("Allow").IsEqual("POST")
	e.POST("/process_runs/1/retry").WithHeader("Sec-Fetch-Site", "cross-site").Expect().Status(http.StatusForbidden)
}

func TestProgressIsShownAsItComes(t *testing.T) {
	t.Parallel()
	goOn := make(chan struct{})
	defer close(goOn)
	p := startProgram(t, nil, jobs.Kind{Name: "copy", Work: func(_ context.Context, run *jobs.Run) error {
		run.Progress(40, "copying <b>all</b>")
		<-goOn
		return nil
	}})
	e := newExpect(t, p)
	ws := watch(t, p, "/process_runs/live")
	e.POST("/process_runs").WithFormField("count", "1").Expect().Status(http.StatusSeeOther)
	eventually(t, "the progress is on the socket", func() error {
		frame := ws.Expect().TextMessage().Body().Raw()
		if want := `<progress value="40" max="100" aria-label="Progress"></progress> <small>40% copying &lt;b&gt;all&lt;/b&gt;</small>`; !strings.Contains(frame, want) {
			return fmt.Errorf("there is %s", frame)
		}
		return nil
	})
	e.GET("/process_runs/1").WithTransformer(jsonHeader).Expect().JSON().Object().
		ContainsSubset(map[string]any{"percent": 40, "message": "copying <b>all</b>", "version": 3})
}

// drain asks a program to stop, and returns when it drains. The channel is closed when it has stopped.
func drain(t *testing.T, p *testProgram) (stopped <-chan struct{}) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.stop()
	}()
	eventually(t, "the program drains", func() error {
		if p.Ready() == nil {
			return errors.New("it still serves")
		}
		return nil
	})
	return done
}

// It drains for longer than the test waits, unless what it drains ends.
func TestCancel_AcceptedDuringTheDrainStopsTheRun(t *testing.T) {
	t.Parallel()
	kind, _ := gate("gate")
	p := startProgram(t, func(c *app.Config) { c.DrainTimeout = 2 * patience }, kind)
	e := newExpect(t, p)
	e.POST("/process_runs").WithFormField("count", 2).Expect().Status(http.StatusSeeOther)
	statusOf(t, e, "1", "started")
	statusOf(t, e, "2", "started")
	stopped := drain(t, p)
	e.POST("/process_runs/1/cancel").WithTransformer(jsonHeader).Expect().Status(http.StatusAccepted)
	statusOf(t, e, "1", "cancelled")
	e.POST("/process_runs/2/cancel").WithTransformer(jsonHeader).Expect().Status(http.StatusAccepted)
	select {
	case <-stopped:
	case <-time.After(patience):
		t.Error("the cancelled run keeps the program from ending")
	}
}
