package http

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"runboard/e2e/harness"
	"runboard/e2e/script"
)

// startAPIBoard starts a board with a kind that completes and one that fails.
func startAPIBoard(t *testing.T) *harness.Process {
	t.Helper()
	kinds := filepath.Join(t.TempDir(), "kinds.yaml")
	script.Write(t, kinds, `kinds:
  backup:
    run: [sh, -c, "echo saved $INPUT_DATABASE"]
    inputs: [{name: database, type: text, default: shop}]
  broken:
    run: [sh, -c, "echo 'progress: 40% copying'; echo refused >&2; exit 3"]
    inputs: [{name: database, type: text, default: shop}]
`)
	p := harness.NewProcess(t, "--kinds", kinds)
	p.Env = []string{"PATH=" + os.Getenv("PATH")}
	p.Start("127.0.0.1:0")
	return p
}

// shellLine runs a line in a shell, with RUNBOARD as the URL of a board.
func shellLine(t *testing.T, p *harness.Process, line string) (out string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Env = append(cmd.Environ(), "RUNBOARD="+p.URL)
	said, err := cmd.CombinedOutput()
	return string(said), err
}

func TestDocs_StartAndWaitEndsAsTheRun(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := startAPIBoard(t)
	program, err := filepath.Abs("docs/examples/start-and-wait.sh")
	if err != nil {
		t.Fatal(err)
	}
	for arguments, want := range map[string]struct {
		says  string
		fails bool
	}{
		"backup 'database=a b&c'": {says: "saved a b&c\n"},
		"broken":                  {says: ": failed\n", fails: true},
		"nonsense":                {says: "The kind must be one of backup, broken.", fails: true},
	} {
		out, err := shellLine(t, p, program+" "+arguments)
		if !strings.Contains(out, want.says) || (err != nil) != want.fails {
			t.Errorf("%s says %q and ends with %v", arguments, out, err)
		}
	}
}

// Cron executes the line of the document, in which a backslash precedes a percent sign.
func TestDocs_CronStartsOnceANight(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := startAPIBoard(t)
	line := regexp.MustCompile(`(?m)^    30 2 \* \* \*  (.*)$`).
		FindStringSubmatch(harness.ReadFile(t, "docs/api.md"))
	if line == nil {
		t.Fatal("the document has no line for cron")
	}
	command := strings.ReplaceAll(strings.ReplaceAll(line[1], `\%`, "%"), "http://127.0.0.1:3000", p.URL)
	for range 2 {
		if out, err := shellLine(t, p, command); err != nil || out != "" {
			t.Errorf("it says %q and ends with %v", out, err)
		}
	}
	if runs := p.List("/process_runs").ProcessRuns; len(runs) != 1 {
		t.Errorf("%d runs were started", len(runs))
	}
}

// TestDocs_RunHasTheFieldsThatTheAPIShows compares the run in the document with a failed run.
func TestDocs_RunHasTheFieldsThatTheAPIShows(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := startAPIBoard(t)
	_, shown, _ := strings.Cut(harness.ReadFile(t, "docs/api.md"), "## Runs\n")
	shown, _, _ = strings.Cut(shown, "\n\nA run is")
	var documented, run map[string]any
	if err := json.Unmarshal([]byte(shown), &documented); err != nil {
		t.Fatalf("the document shows %s: %v", shown, err)
	}
	if err := p.Do(http.MethodPost, "/process_runs", "kind=broken", &run); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "the run is over", func() error {
		clear(run)
		if err := p.Get("/process_runs/1", &run); err != nil || run["status"] == "failed" {
			return err
		}
		return errors.New("it is not")
	})
	got, want := slices.Sorted(maps.Keys(run)), slices.Sorted(maps.Keys(documented))
	if !slices.Equal(got, want) {
		t.Errorf("a run has %v, the document shows %v", got, want)
	}
}
