package http

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"runboard/board"
	"runboard/e2e/harness"
)

func TestLog_IsText(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t,
		harness.StartProgram(t, nil,
			harness.Commands(t, `job=sh -c 'echo one; echo "<b>"; sleep 0.3; echo three >&2'`)...))
	path := harness.StartRun(e, "job")
	harness.UntilStatus(t, e, path, "completed")
	const text = "one\n<b>\nthree\n"

	whole := e.GET(path + "/log").Expect().Status(http.StatusOK)
	whole.HasContentType("text/plain", "utf-8").Body().IsEqual(text)
	whole.Header("Log-Offset").IsEqual("0")
	for offset := range len(text) + 3 {
		e.GET(path+"/log").WithQuery("offset", offset).Expect().Status(http.StatusOK).Body().
			IsEqual(text[min(offset, len(text)):])
	}
	e.GET(path+"/log").WithQuery("follow", 1).Expect().Status(http.StatusOK).Body().IsEqual(text)
	e.GET(path+"/log").WithQuery("follow", "1").WithQuery("offset", "4").Expect().Status(http.StatusOK).
		Body().IsEqual(text[4:])

	json := e.GET(path + "/log").WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusOK).JSON().
		Object()
	json.ContainsSubset(map[string]any{"start": 0, "end": len(text)})
	for i, want := range []map[string]any{
		{"offset": 0, "line": 1, "stream": "stdout", "text": "one\n"},
		{"offset": 4, "line": 2, "stream": "stdout", "text": "<b>\n"},
		{"offset": 8, "line": 3, "stream": "stderr", "text": "three\n"},
	} {
		line := json.Value("lines").Array().Value(i).Object()
		line.ContainsSubset(want)
		line.Value("written_at").String().AsDateTime(time.RFC3339Nano).
			InRange(time.Now().Add(-time.Hour), time.Now())
	}
	e.GET(path).Expect().Body().Contains(`aria-label="Line 2"></a>&lt;b&gt;</div>`).
		Contains(`data-stream="stderr"><a href="?line=3#L3" tabindex="-1" data-line="3" aria-label="Line 3, stderr"></a>three</div>`)
}

func TestLog_RefusesMalformedRequests(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	e := harness.NewExpect(t, harness.StartProgram(t, nil, harness.Commands(t, "job=true")...))
	path := harness.StartRun(e, "job")
	harness.UntilStatus(t, e, path, "completed")
	for _, query := range []string{
		"offset=-1", "offset=+1", "offset=1.5", "offset=x", "offset=12345678901234567890",
		"offset=99999999999999999999",
		"offset=1&offset=1", "follow=2", "follow=yes", "follow=-1", "before=1", "before=1&offset=1",
		"plain=2", "download=x", "line=0", "line=x", "line=1-2", "line=1&offset=1",
		"context=1", "context=1001", "q=x", "after=x",
		"offset=%00",
	} {
		e.GET(path + "/log").WithQueryString(query).Expect().Status(http.StatusBadRequest)
	}
	for _, query := range []string{"", "offset=", "follow=", "follow=0", "offset=0",
		"offset=9223372036854775807", "utm=x"} {
		e.GET(path + "/log").WithQueryString(query).Expect().Status(http.StatusOK).Body().IsEqual("")
	}
	for _, path := range []string{"/process_runs/9/log", "/process_runs/x/log",
		"/process_runs/9/log?follow=1"} {
		path, query, _ := strings.Cut(path, "?")
		e.GET(path).WithQueryString(query).Expect().Status(http.StatusNotFound)
	}
	e.POST(path + "/log").Expect().Status(http.StatusMethodNotAllowed)
}

func TestLog_FollowerSeesNewLines(t *testing.T) {
	t.Parallel()
	followNewLines(t, func(board string) (string, *http.Client) { return board, harness.Client })
}

// followNewLines follows the log of a command that waits after its first line until that has arrived.
func followNewLines(t *testing.T, via func(board string) (url string, client *http.Client)) {
	t.Helper()
	dir := t.TempDir()
	gate := filepath.Join(dir, "gate")
	p := harness.StartProgram(t, nil,
		harness.Commands(t,
			fmt.Sprintf(`job=sh -c 'echo first; while [ ! -e %s ]; do sleep 0.05; done; echo last'`,
				gate))...)
	url, client := via(p.URL)
	url += harness.StartRun(harness.NewExpect(t, p), "job") + "/log?follow=1"
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewReader(response.Body)
	if line, err := lines.ReadString('\n'); line != "first\n" {
		t.Fatalf("the first line is %q: %v", line, err)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(lines); string(rest) != "last\n" || err != nil {
		t.Errorf("then comes %q: %v", rest, err)
	}
}

func TestLog_FollowerReleasesItsSlot(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	defer open()
	p := harness.StartProgram(t, func(c *board.Config) { c.MaxSocketsPerAddress = 1 }, kind)
	path := harness.StartRun(harness.NewExpect(t, p), "gate")
	follow := func() (*http.Response, context.CancelFunc) {
		ctx, cancel := context.WithCancel(t.Context())
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+path+"/log?follow=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := harness.Client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		return response, cancel
	}
	first, leave := follow()
	defer first.Body.Close()
	second, cancel := follow()
	defer cancel()
	_ = second.Body.Close()
	if first.StatusCode != http.StatusOK || second.StatusCode != http.StatusTooManyRequests ||
		second.Header.Get("Retry-After") == "" {
		t.Errorf("the first one gets %s, the second %s", first.Status, second.Status)
	}
	leave()
	harness.Eventually(t, "a slot is free again", func() error {
		again, cancel := follow()
		defer cancel()
		defer again.Body.Close()
		if again.StatusCode != http.StatusOK {
			return fmt.Errorf("it gets %s", again.Status)
		}
		return nil
	})
}

func TestLog_SaysWhatWasDropped(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t,
		harness.StartProgram(t, func(c *board.Config) { c.LogLimit = 16 << 10 },
			harness.Commands(t, "job=seq 1 20000")...))
	path := harness.StartRun(e, "job")
	harness.UntilStatus(t, e, path, "completed")
	whole := e.GET(path + "/log").Expect().Status(http.StatusOK)
	start, err := strconv.Atoi(whole.Raw().Header.Get("Log-Offset"))
	if err != nil || start < 1 {
		t.Fatalf("it begins at %d: %v", start, err)
	}
	whole.Body().HasPrefix(fmt.Sprintf("[%d bytes were dropped]\n", start)).HasSuffix("\n19999\n20000\n")
	resumed := e.GET(path+"/log").WithQuery("offset", 1).Expect()
	resumed.Header("Log-Offset").AsNumber().IsEqual(start)
	resumed.Body().NotContains("dropped")
	page := e.GET(path+"/log").WithTransformer(fragmentHeaders).WithQuery("before", start+50).Expect().
		Status(http.StatusOK)
	page.Body().Contains("The first part").Contains("was dropped").NotContains("Load earlier")
}

func TestCommands_GetNothingFromTheRequest(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	e := harness.NewExpect(t,
		harness.StartProgram(t, nil, harness.Commands(t, `job=sh -c 'echo "$# $0 $1"; env' name fixed`)...))
	e.POST("/process_runs").WithQuery("kind", "$(id)").WithHeader("X-Command", "id").
		WithHeader("User-Agent", "tell-tale").
		WithFormField("kind", "job").WithFormField("count", "1").WithFormField("args", "tell-tale").
		WithFormField("env", "TELL=tell-tale").
		WithFormField("idempotency_key", "tell-tale").Expect().Status(http.StatusSeeOther)
	harness.UntilStatus(t, e, "/process_runs/1", "completed")
	e.GET("/process_runs/1/log").Expect().Body().HasPrefix("1 name fixed\n").NotContains("tell-tale")
}

func TestServer_KilledOneLeavesNoProcess(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	temp, seconds := t.TempDir(), fmt.Sprintf("8%d.5", os.Getpid())
	file := filepath.Join(t.TempDir(), "commands")
	line := fmt.Sprintf(`job=sh -c 'trap "" TERM; setsid sleep %[1]s & sleep %[1]s & echo attempt $RUNBOARD_ATTEMPT; wait; sleep %[1]s'`, seconds)
	if err := os.WriteFile(file, []byte("# one kind\n"+line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := harness.NewProcess(t, "--commands", file)
	b.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + temp}
	b.Start("127.0.0.1:0")
	if err := b.Do(http.MethodPost, "/process_runs", "kind=job&count=3", nil); err != nil {
		t.Fatal(err)
	}
	processes := func(want int) {
		t.Helper()
		harness.Eventually(t, fmt.Sprintf("%d processes sleep", want), func() error {
			if n := harness.CountRunning(t, seconds); n != want {
				return fmt.Errorf("there are %d", n)
			}
			return nil
		})
	}
	processes(9) // three commands with two child processes each
	b.Kill()
	processes(0)
	harness.Eventually(t, "their directories are removed", func() error {
		if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
			return fmt.Errorf("there are %v: %w", left, err)
		}
		return nil
	})
	b.Restart()
	processes(9) // one crash quarantines no run
	var run struct {
		Status  string
		Crashes int
	}
	if err := b.Get("/process_runs/1", &run); err != nil || run.Crashes != 1 {
		t.Errorf("the run is %+v: %v", run, err)
	}
	b.Signal(syscall.SIGKILL)
	b.Wait()
	processes(0)
}

func TestConfig_InvalidCommandNamesItsFlag(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	for flag, value := range map[string]string{
		"--command": "Bad=true", "--commands": "/no/such/file", "--command-dir": "/no/such/dir",
		"--log-limit": "1KB",
	} {
		cmd := harness.Command(t, flag, value, "--database-url", "sqlite:"+filepath.Join(t.TempDir(), "x.db"))
		var said strings.Builder
		cmd.Stderr = &said
		err := cmd.Run()
		if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(said.String(), flag+":") ||
			strings.Count(said.String(), "\n") != 1 {
			t.Errorf("%s %s: %v, %q", flag, value, err, said.String())
		}
	}
	cmd := harness.Command(t, "--command", "simulated=/bin/true")
	if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 2 ||
		!strings.Contains(string(out), "--command: the name simulated is taken") {
		t.Errorf("a command with the name of the demonstration: %s", out)
	}
}
