package harness

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gavv/httpexpect/v2"

	"runboard/jobs"
)

// Commands returns the kinds that --command creates from these lines.
func Commands(t *testing.T, lines ...string) []jobs.Kind {
	t.Helper()
	kinds, err := jobs.CommandKinds(lines, "", "", "")
	if err != nil {
		t.Fatal(err)
	}
	return kinds
}

// StartRun creates a run of a kind and returns its path.
func StartRun(e *httpexpect.Expect, kind string) string {
	run := e.POST("/process_runs").WithTransformer(AcceptJSON).WithFormField("kind", kind).WithFormField("count", 1).
		Expect().Status(http.StatusCreated).JSON().Object().Value("process_runs").Array().Value(0).Object()
	return fmt.Sprintf("/process_runs/%d", int(run.Value("id").Number().Raw()))
}

// UntilStatus waits until the run at path has this status.
func UntilStatus(t *testing.T, e *httpexpect.Expect, path, status string) {
	t.Helper()
	StatusOf(t, e, strings.TrimPrefix(path, "/process_runs/"), status)
}

// CountRunning returns the number of processes whose command line contains text.
func CountRunning(t *testing.T, text string) (n int) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		line, err := os.ReadFile(file) // fails if the process has ended meanwhile
		if err == nil && strings.Contains(string(line), text) {
			n++
		}
	}
	return n
}
