package http

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"runboard/board"
	"runboard/e2e/harness"
	"runboard/e2e/script"
)

// secretKinds has a kind that prints its secret in all ways that a run can say something.
const secretKinds = `
kinds:
  job:
    run: [./tell.sh, "{name}"]
    env: {DUMP_DIR: "%DIR%"}
    inputs:
      - {name: name, type: text}
      - {name: token, type: secret, required: true}
`

const tellProgram = `#!/bin/sh
echo "log: $INPUT_TOKEN"
echo "progress: 50% $INPUT_TOKEN"
echo "error: $INPUT_TOKEN" >&2
[ "$1" = fail ] && exit 1
exit 0
`

// startTelling starts a board whose kind tells its secret.
func startTelling(t *testing.T, change func(*board.Config)) (harness.Dumper, *harness.Program) {
	t.Helper()
	d := harness.NewDumper(t, secretKinds)
	script.Write(t, filepath.Join(d.Dir, "tell.sh"), tellProgram)
	return d, d.Start(change)
}

func TestSecret_AppearsNowhere(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-hunter2"
	_, p := startTelling(t, nil)
	e := harness.NewExpect(t, p)
	for _, name := range []string{"ok", "fail"} {
		form := url.Values{"input.name": {name}, "input.token": {secret}}
		firstID(postForm(e, form.Encode()))
	}
	harness.WaitUntilDone(t, e)
	for _, path := range []string{
		"/process_runs", "/process_runs/1", "/process_runs/2", "/process_runs/1/log", "/process_runs/2/log",
		"/process_runs.csv", "/process_runs.ndjson", "/process_runs/failures", "/kinds", "/kinds/job",
		"/process_runs?q=hunter2", "/kinds/job?input.token=" + secret,
	} {
		for _, accept := range []string{"text/html", "application/json"} {
			path, query, _ := strings.Cut(path, "?")
			body := e.GET(path).WithQueryString(query).WithHeader("Accept", accept).Expect().
				Status(http.StatusOK).Body()
			if query == "" || strings.HasPrefix(query, "input") {
				body.NotContains(secret)
			}
		}
	}
	e.GET("/process_runs/1/log").Expect().Body().Contains("log: •••")
	if runs := found(e, "q=hunter2"); len(runs) > 0 {
		t.Errorf("a search finds the runs %v", runs)
	}
	if got := inputsOf(t, e, 1); got != `{"name":"ok"}` {
		t.Errorf("the inputs are %s", got)
	}
}

func TestSecret_IsRequiredAgainForARetry(t *testing.T) {
	t.Parallel()
	_, p := startTelling(t, nil)
	e := harness.NewExpect(t, p)
	firstID(postForm(e, "input.name=fail&input.token=hunter2-hunter2"))
	harness.WaitUntilDone(t, e)
	e.POST("/process_runs/1/retry").WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusConflict)
	e.POST("/process_runs/1/retry").Expect().Status(http.StatusConflict)
	e.GET("/process_runs/1").Expect().Body().Contains(`href="/kinds/job?input.name=fail"`).
		NotContains("hunter2")
}

func TestSecret_IsNotInTheFormAgain(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	_, p := startTelling(t, nil)
	e := harness.NewExpect(t, p)
	form := url.Values{"input.name": {"\x01"}, "input.token": {"hunter2-hunter2"}, "count": {"7"}}.Encode()
	for _, partial := range []bool{false, true} {
		request := e.POST("/process_runs").WithHeader("Content-Type", formType).WithBytes([]byte(form))
		if partial {
			request.WithTransformer(fragmentHeaders)
		}
		body := request.Expect().Status(http.StatusUnprocessableEntity).Body()
		body.NotContains("hunter2").Contains(`name="input.token"`).
			Contains("must not contain control characters")
	}
}

// The audit log names what was started, but no input.
func TestAudit_HasNoInputs(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	d := harness.NewDumper(t, secretKinds)
	script.Write(t, filepath.Join(d.Dir, "tell.sh"), tellProgram)
	b := d.NewProcess("--log-format=json")
	b.Start("127.0.0.1:0")
	const form = "input.name=public-value&input.token=hunter2-hunter2"
	if err := b.Do(http.MethodPost, "/process_runs", form, nil); err != nil {
		t.Fatal(err)
	}
	b.WaitUntilDone(1)
	if all := changes(b); len(all) != 1 || all[0]["kind"] != "job" {
		t.Errorf("the log has the changes %v", all)
	}
	for _, value := range []string{"hunter2", "public-value"} {
		if text := b.Log.String(); strings.Contains(text, value) {
			t.Errorf("the log has %s: %s", value, text)
		}
	}
}

// A process that is killed loses no run with its inputs, and its files have no secret in clear.
func TestSecret_SurvivesAKillEncrypted(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	const secret = "hunter2-hunter2-hunter2"
	d := harness.NewDumper(t, `
kinds:
  job:
    run: [./dump.sh, "{name}"]
    env: {DUMP_DIR: "%DIR%"}
    inputs: [{name: name, type: text}, {name: token, type: secret, required: true}]
  slow:
    run: [sleep, "3600"]
    concurrency: 1
    inputs: [{name: token, type: secret}]
`)
	b := d.NewProcess("--workers", "1")
	b.Start("127.0.0.1:0")
	post := func(form url.Values) {
		t.Helper()
		if err := b.Do(http.MethodPost, "/process_runs", form.Encode(), nil); err != nil {
			t.Fatal(err)
		}
	}
	post(url.Values{"kind": {"slow"}, "input.token": {secret}})
	b.UntilStarted(1)
	for n := range 5 {
		post(url.Values{"kind": {"job"}, "input.name": {fmt.Sprint("run ", n)}, "input.token": {secret}})
	}
	b.Kill()
	checkFilesLack(t, filepath.Dir(b.File()), secret)
	b.Args = []string{"--kinds", d.Path(), "--workers", "2"}
	b.Restart()
	harness.Eventually(t, "the waiting runs have completed", func() error {
		if completed := b.List("/process_runs").Counts["completed"]; completed != 5 {
			return fmt.Errorf("%d runs have completed", completed)
		}
		return nil
	})
	for n := range 5 {
		given := d.Given(int64(n + 2))
		if want := fmt.Sprint("run ", n); given.Words[0] != want || given.Env["INPUT_TOKEN"] != secret {
			t.Errorf("run %d was given %q and the secret %q", n+2, given.Words, given.Env["INPUT_TOKEN"])
		}
	}
	checkFilesLack(t, filepath.Dir(b.File()), secret)
}

// checkFilesLack checks that no file of a directory contains text.
func checkFilesLack(t *testing.T, dir, text string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		t.Fatalf("the directory has %v: %v", entries, err)
	}
	for _, entry := range entries {
		if content := harness.ReadFile(t, filepath.Join(dir, entry.Name())); strings.Contains(content, text) {
			t.Errorf("%s contains the secret in clear", entry.Name())
		}
	}
}
