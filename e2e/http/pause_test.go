package http

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"runboard/board"
	"runboard/e2e/harness"
)

// waitingOf returns why a run waits, as its JSON says.
func waitingOf(t *testing.T, run map[string]any) string {
	t.Helper()
	waiting, _ := run["waiting"].(map[string]any)
	return fmt.Sprint(waiting)
}

func TestPause_NewRunsWaitUntilResumed(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("job", ""), harness.WorkThat("other", ""))
	e := harness.NewExpect(t, p)
	e.POST("/kinds/job/pause").Expect().Status(http.StatusSeeOther).Header("Location").IsEqual("/kinds/job")
	e.POST("/kinds/job/pause").WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusOK).JSON().
		Object().IsEqual(map[string]any{"name": "job", "paused": true})
	fragment := e.POST("/kinds/job/pause").WithTransformer(fragmentHeaders).Expect().Status(http.StatusOK)
	fragment.Body().Contains("Resume").Contains("paused").NotContains("<html")
	harness.StartRunsOf(e, "job", 3)
	harness.StartRunsOf(e, "other", 3)
	harness.CountsAre(t, e, map[string]any{"created": 3, "completed": 3})
	run := e.GET("/process_runs/1").WithTransformer(harness.AcceptJSON).Expect().JSON().Object().Raw()
	if got := waitingOf(t, run); got != "map[paused:true]" {
		t.Errorf("the run waits for %s", got)
	}
	for _, path := range []string{"/kinds", "/kinds/job", "/process_runs/1"} {
		e.GET(path).Expect().Status(http.StatusOK).Body().Contains("paused")
	}
	e.POST("/kinds/job/resume").WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusOK).JSON().
		Object().IsEqual(map[string]any{"name": "job", "paused": false})
	e.POST("/kinds/job/resume").Expect().Status(http.StatusSeeOther).Header("Location").IsEqual("/kinds/job")
	harness.WaitUntilDone(t, e)
	e.GET("/kinds/job").Expect().Body().NotContains("Resume")
}

func TestPause_RefusesUnknownKindsAndBodies(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("job", ""))
	for _, command := range []string{"pause", "resume"} {
		for _, a := range []attempt{
			{path: "/kinds/none/" + command, status: 404},
			{path: "/kinds/%00/" + command, status: 404},
			{path: "/kinds/%zz/" + command, status: 404},
			{path: "/kinds/job/" + command, body: "x", status: 415,
				headers: map[string]string{"Content-Type": "text/plain"}},
			{path: "/kinds/job/" + command, body: "{", status: 400,
				headers: map[string]string{"Content-Type": "application/json"}},
			{path: "/kinds/job/" + command + "/", status: 404},
		} {
			a.method = http.MethodPost
			send(t, p.URL, a, nil).check(t, a.status)
			send(t, p.URL, a, map[string]string{"Accept": "application/json"}).check(t, a.status)
		}
	}
}

func TestPause_IsInTheAuditLog(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, "--log-format=json")
	for _, command := range []string{"pause", "resume"} {
		if err := b.Do(http.MethodPost, "/kinds/simulated/"+command, "", nil); err != nil {
			t.Fatal(err)
		}
	}
	harness.Eventually(t, "both changes are logged", func() error {
		all := changes(b)
		if len(all) != 2 || all[0]["what"] != "pause" || all[1]["what"] != "resume" ||
			all[0]["kind"] != "simulated" {
			return fmt.Errorf("there are %v", all)
		}
		return nil
	})
}

// Posts to kinds count for the limit of an address like all others.
func TestPause_CountsAsAPost(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	for _, path := range []string{"/kinds/job/pause", "/kinds/job/resume", "/kinds/job/preview"} {
		p := harness.StartProgram(t, func(c *board.Config) { c.PostRate = 0.01 }, harness.WorkThat("job", ""))
		e := harness.NewExpect(t, p)
		if status := e.POST(path).Expect().Raw().StatusCode; status >= 400 {
			t.Errorf("%s is answered with %d", path, status)
		}
		e.POST(path).Expect().Status(http.StatusTooManyRequests).Header("Retry-After").NotEmpty()
		e.GET("/kinds/job").Expect().Status(http.StatusOK)
	}
}

func TestPreview_StartsNothing(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, allTypes).Start(nil))
	form := url.Values{"input.text": {"<b>"}, "input.number": {"7"}, "input.secret": {"hunter2"},
		"count": {"5"}}
	page := e.POST("/kinds/all/preview").WithHeader("Content-Type", formType).
		WithBytes([]byte(form.Encode())).WithTransformer(fragmentHeaders).Expect().
		Status(http.StatusOK).Body()
	page.Contains("--number=7").Contains("&lt;b&gt;").NotContains("<b>").NotContains("hunter2")
	for _, body := range []string{
		"", "count=x", "input.number=99", "input.other=1", "input.text=%00", "input.%FF=&&&=",
	} {
		e.POST("/kinds/all/preview").WithHeader("Content-Type", formType).WithBytes([]byte(body)).Expect().
			Status(http.StatusOK)
	}
	e.POST("/kinds/none/preview").Expect().Status(http.StatusNotFound)
	if n := total(e); n != 0 {
		t.Errorf("previews have created %d runs", n)
	}
}
