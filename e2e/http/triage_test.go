package http

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gavv/httpexpect/v2"

	"runboard/e2e/harness"
)

// failing starts a board with a failed run, and returns the path of its group.
func failing(t *testing.T) (e *httpexpect.Expect, group string) {
	t.Helper()
	e = harness.NewExpect(t, harness.Failing(t, nil))
	harness.StartRunsOf(e, "import", 2)
	harness.CountsAre(t, e, map[string]any{"failed": 2})
	id := groups(e).Value("failures").Array().Value(0).Object().Value("id").Number().Raw()
	return e, fmt.Sprintf("%s/%.0f", harness.FailuresPath, id)
}

// groups returns the groups of failed runs.
func groups(e *httpexpect.Expect) *httpexpect.Object {
	return e.GET(harness.FailuresPath).WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusOK).
		JSON().Object()
}

// groupsBecome waits until the groups of failed runs are as wanted.
func groupsBecome(t *testing.T, e *httpexpect.Expect, what string, wanted func(map[string]any) bool) {
	t.Helper()
	harness.Eventually(t, what, func() error {
		if all := groups(e).Raw(); !wanted(all) {
			return fmt.Errorf("the groups are %v", all)
		}
		return nil
	})
}

func TestNote_IsSavedAndRemoved(t *testing.T) {
	t.Parallel()
	e, group := failing(t)
	const note = `supplier is down on Sundays, see https://example.org/INC-42?a=1&b=<2>.`
	e.POST(group+"/note").WithTransformer(harness.AcceptJSON).WithJSON(map[string]any{"note": note}).Expect().
		Status(http.StatusOK).JSON().Object().HasValue("note", note).HasValue("runs", 2).
		HasValue("kind", "import")
	groups(e).Value("failures").Array().Value(0).Object().HasValue("note", note)
	page := e.GET(harness.FailuresPath).Expect().Status(http.StatusOK).Body()
	page.Contains(`<a href="https://example.org/INC-42?a=1&amp;b=" rel="noopener noreferrer nofollow">`)
	page.Contains("&lt;2&gt;").NotContains("<2>")
	e.GET(group + "/note").Expect().Status(http.StatusOK).Body().Contains("supplier is down on Sundays")

	e.POST(group+"/note").WithFormField("note", " two\r\nlines ").Expect().Status(http.StatusSeeOther).
		Header("Location").IsEqual(harness.FailuresPath)
	groups(e).Value("failures").Array().Value(0).Object().HasValue("note", "two lines")
	e.POST(group+"/note").WithFormField("note", "").WithTransformer(fragmentHeaders).Expect().
		Status(http.StatusOK).Body().IsEqual("<p>Note removed.</p>")
	groups(e).Value("failures").Array().Value(0).Object().HasValue("note", "")
}

func TestMute_EndsByItself(t *testing.T) {
	t.Parallel()
	e, group := failing(t)
	all := groups(e)
	all.Value("muted").Object().HasValue("groups", 0)
	all.Value("failures").Array().Value(0).Object().NotContainsKey("muted_until").
		NotContainsKey("again_at").NotContainsKey("again_after_seconds")
	e.POST(group+"/mute").WithTransformer(harness.AcceptJSON).WithJSON(map[string]any{"until": "7d"}).
		Expect().Status(http.StatusOK).JSON().Object().Value("muted_until").String().AsDateTime().
		InRange(time.Now().Add(6*24*time.Hour), time.Now().Add(8*24*time.Hour))
	all = groups(e)
	all.HasValue("groups", 1).HasValue("runs", 2).Value("muted").Object().
		HasValue("groups", 1).HasValue("runs", 2)
	all.Value("failures").Array().Value(0).Object().ContainsKey("muted_until")
	e.POST(group + "/unmute").Expect().Status(http.StatusSeeOther)
	groups(e).Value("muted").Object().HasValue("groups", 0)

	soon := time.Now().Add(1500 * time.Millisecond).UTC().Format("2006-01-02T15:04:05.000Z")
	e.POST(group+"/mute").WithFormField("until", soon).WithTransformer(fragmentHeaders).Expect().
		Status(http.StatusOK).Body().Contains("Muted until <time")
	groupsBecome(t, e, "the mute ends", func(all map[string]any) bool {
		return all["muted"].(map[string]any)["groups"] == 0.0
	})
}

func TestFailures_SayThatTheyReturned(t *testing.T) {
	t.Parallel()
	e, _ := failing(t)
	failure := groups(e).Value("failures").Array().Value(0).Object()
	startAction(t, e, map[string]any{"operation": "delete", "scope": "all", "failure": failure.Raw()["id"]})
	groupsBecome(t, e, "the group is gone", func(all map[string]any) bool { return all["groups"] == 0.0 })
	harness.StartRunsOf(e, "import", 1)
	groupsBecome(t, e, "it returns", func(all map[string]any) bool { return all["groups"] == 1.0 })
	again := groups(e).Value("failures").Array().Value(0).Object()
	again.HasValue("id", failure.Raw()["id"]).ContainsKey("again_at").Value("again_after_seconds").Number().
		InRange(0, 3600)
}

func TestTriage_RefusesBadInput(t *testing.T) {
	t.Parallel()
	e, group := failing(t)
	long := strings.Repeat("ä", 501)
	for _, one := range []struct {
		command, body string
		status        int
		message       string
	}{
		{"note", "", 422, "The note is missing. Send an empty one to remove it."},
		{"note", "note=" + long, 422, "The note has 501 characters. It may have at most 500."},
		{"note", "note=a%00b", 422, "The note must not contain control characters."},
		{"note", "note=a%FFb", 422, "The note must be valid UTF-8."},
		{"note", "note=a&note=b", 400, "note is given more than once."},
		{"mute", "", 422, "A group is muted for a time like 24h or 7d, " +
			"or until one like 2026-11-23T15:04Z or 2026-11-23."},
		{"mute", "until=2020-01-01", 422, "The time until which a group is muted must be in the future."},
		{"mute", "until=-1h", 422, "The time until which a group is muted must be in the future."},
		{"mute", "until=400d", 422, "A group can be muted for at most a year."},
		{"mute", "until=1d&until=2d", 400, "until is given more than once."},
	} {
		post := func() *httpexpect.Request {
			return e.POST(group+"/"+one.command).WithBytes([]byte(one.body)).
				WithHeader("Content-Type", "application/x-www-form-urlencoded")
		}
		post().WithTransformer(harness.AcceptJSON).Expect().Status(one.status).JSON().Object().
			HasValue("error", one.message)
		page := post().Expect().Status(one.status).Body().Contains(one.message)
		if one.status == 422 && one.body != "" {
			page.Contains(`aria-describedby="triage_problem"`)
			post().WithTransformer(fragmentHeaders).Expect().Status(422).
				HasContentType("text/html", "utf-8").Header("HX-Retarget").IsEqual("#confirm")
		}
	}
	e.POST(group + "/note").WithJSON(map[string]any{"note": 7}).WithTransformer(harness.AcceptJSON).Expect().
		Status(http.StatusUnprocessableEntity)
	for _, command := range []string{"note", "mute", "unmute"} {
		e.POST(group + "/" + command).WithText("note=a").Expect().Status(http.StatusUnsupportedMediaType)
		e.POST(group+"/"+command).WithHeader("Sec-Fetch-Site", "cross-site").WithFormField("note", "a").
			WithFormField("until", "1d").Expect().Status(http.StatusForbidden)
		e.PUT(group + "/" + command).Expect().Status(http.StatusMethodNotAllowed)
		for _, id := range []string{"0", "99", "-1", "x", "9999999999999999999", "%00", "１"} {
			e.POST(harness.FailuresPath+"/"+id+"/"+command).WithFormField("note", "a").
				WithFormField("until", "1d").Expect().Status(http.StatusNotFound)
		}
	}
	first := groups(e).Value("failures").Array().Value(0).Object()
	first.HasValue("note", "").NotContainsKey("muted_until")
	for _, sort := range []string{"Most", "oldest", "most&sort=latest"} {
		e.GET(harness.FailuresPath).WithQueryString("sort=" + sort).Expect().Status(http.StatusBadRequest)
	}
	e.GET(harness.FailuresPath).WithQueryString("sort=").Expect().Status(http.StatusOK)
}
