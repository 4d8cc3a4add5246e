package http

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"runboard/e2e/harness"
)

// changes returns the audit lines of the JSON log.
func changes(b *harness.Process) (all []map[string]any) {
	for line := range strings.Lines(b.Log.String()) {
		var entry map[string]any
		if json.Unmarshal([]byte(line), &entry) == nil && entry["msg"] == "change" {
			maps.DeleteFunc(entry,
				func(key string, _ any) bool { return key == "msg" || key == "time" || key == "level" })
			all = append(all, entry)
		}
	}
	return all
}

func TestAudit_EveryChangeIsLogged(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.NewProcess(t, "--log-format=json", "--delay-min=0s", "--delay-max=0s", "--failure-rate=0",
		"--auth-file="+authFile(t))
	b.Start("127.0.0.1:0")
	u, err := url.Parse(b.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("bert", "battery staple")
	b.URL = u.String()

	b.Post(3)
	b.WaitUntilDone(3)
	want := []string{`{"address":"127.0.0.1","first":1,"kind":"simulated","last":3,"runs":3,"user":"bert","what":"create"}`}
	for _, c := range []struct{ path, form, line string }{
		{"/process_runs/1/retry", "", ""}, // refused, because the run is completed
		{"/process_runs/9/delete", "", ""},
		{"/process_runs", "count=0", ""},
		{"/process_runs/2/delete", "",
			`{"address":"127.0.0.1","run":2,"runs":1,"user":"bert","what":"delete"}`},
		{
			"/process_runs/bulk", "operation=cancel&id=1&id=3",
			`{"address":"127.0.0.1","filter":"/process_runs","ids":[1,3],"run":4,"runs":2,"user":"bert","what":"bulk cancel"}`,
		},
		{
			"/process_runs/bulk", "operation=retry&scope=all&status=failed",
			`{"address":"127.0.0.1","filter":"/process_runs?status=failed","ids":null,"run":5,"runs":0,"user":"bert","what":"bulk retry"}`,
		},
	} {
		err := b.Do(http.MethodPost, c.path, c.form, nil)
		if (err == nil) != (c.line != "") {
			t.Errorf("%s %s is answered with %v", c.path, c.form, err)
		}
		if c.line != "" {
			want = append(want, c.line)
		}
	}
	if err := b.Get("/process_runs?q=nothing", nil); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "the log has each change", func() error {
		var got []string
		for _, entry := range changes(b) {
			line, _ := json.Marshal(entry)
			got = append(got, string(line))
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			return fmt.Errorf("the log is\n%s\ninstead of\n%s", strings.Join(got, "\n"),
				strings.Join(want, "\n"))
		}
		return nil
	})
}

func TestAudit_NotesAndMutesAreLogged(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.NewProcess(t, "--log-format=json", "--delay-min=0s", "--delay-max=0s", "--failure-rate=1")
	b.Start("127.0.0.1:0")
	b.Post(2)
	b.WaitUntilDone(2)
	until := time.Now().Add(24 * time.Hour).UTC().Truncate(time.Second).Format(time.RFC3339)
	const group = "/process_runs/failures/1"
	for _, c := range []struct{ path, form string }{
		{"/note", "note=INC-42"}, {"/mute", "until=" + until}, {"/unmute", ""}, {"/note", "note="},
	} {
		if err := b.Do(http.MethodPost, group+c.path, c.form, nil); err != nil {
			t.Errorf("%s %s is answered with %v", c.path, c.form, err)
		}
	}
	for _, refused := range []string{"/note", "/mute"} {
		if err := b.Do(http.MethodPost, group+refused, "", nil); err == nil {
			t.Errorf("an empty POST to %s is accepted", refused)
		}
	}
	const line = `{"address":"127.0.0.1","failure":1,`
	want := []string{
		line + `"note":"INC-42","runs":2,"user":"","what":"note"}`,
		line + `"runs":2,"until":"` + until + `","user":"","what":"mute"}`,
		line + `"runs":2,"user":"","what":"unmute"}`,
		line + `"note":"","runs":2,"user":"","what":"note"}`,
	}
	harness.Eventually(t, "the log has each change", func() error {
		var got []string
		for _, entry := range changes(b) {
			if line, _ := json.Marshal(entry); entry["what"] != "create" {
				got = append(got, string(line))
			}
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			return fmt.Errorf("the log is\n%s\ninstead of\n%s", strings.Join(got, "\n"),
				strings.Join(want, "\n"))
		}
		return nil
	})
}
