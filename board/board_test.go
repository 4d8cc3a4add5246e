package board

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"runboard/app"
	"runboard/jobs"
	"runboard/jobs/command"
)

var update = flag.Bool("update", false, "write docs/configuration.md and the code in docs/go.md anew")

func TestMain(m *testing.M) {
	if os.Getenv(unpreparedVariable) != "" {
		newUnprepared()
		return
	}
	command.Main() // the test binary is also the supervisor of commands
	os.Exit(m.Run())
}

func newConfig(t *testing.T) Config {
	t.Helper()
	config, err := ParseConfig([]string{"--addr=127.0.0.1:0",
		"--database-url=sqlite:" + filepath.Join(t.TempDir(), "runs.db")})
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = slog.New(slog.DiscardHandler)
	return config
}

// runBoard runs a board until the test ends.
func runBoard(t *testing.T, kinds ...Kind) *Board {
	t.Helper()
	b, err := New(newConfig(t), kinds...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	return b
}

func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("timed out waiting until %s", what)
		}
	}
}

func TestEnqueue_RunsTheWork(t *testing.T) {
	t.Parallel()
	worked := make(chan int64, 3)
	b := runBoard(t, Kind{Name: "note", Work: func(_ context.Context, run *jobs.Run) error {
		worked <- run.ID
		return nil
	}})
	batch, err := b.Enqueue(t.Context(), "note", Count(3), IdempotencyKey("once"))
	if err != nil || batch.Count != 3 {
		t.Fatalf("Enqueue returned %+v, %v", batch, err)
	}
	again, err := b.Enqueue(t.Context(), "note", Count(3), IdempotencyKey("once"))
	if err != nil || again.First != batch.First {
		t.Errorf("with the same key, Enqueue returned %+v, %v", again, err)
	}
	waitFor(t, "all runs are completed", func() bool {
		page, err := b.Store().Page(t.Context(), app.Query{})
		return err == nil && page.Counts[app.Completed] == 3
	})
	if len(worked) != 3 {
		t.Errorf("the work was called %d times", len(worked))
	}
}

func TestEnqueue_RejectsInvalidRequests(t *testing.T) {
	t.Parallel()
	b := runBoard(t, Kind{Name: "note", Work: func(context.Context, *jobs.Run) error { return nil }})
	for name, enqueue := range map[string]func() error{
		"an unknown kind": func() error { _, err := b.Enqueue(t.Context(), "other"); return err },
		"no runs":         func() error { _, err := b.Enqueue(t.Context(), "note", Count(0)); return err },
		"too many runs": func() error {
			_, err := b.Enqueue(t.Context(), "note", Count(app.MaxCount+1))
			return err
		},
		"a key too long": func() error {
			_, err := b.Enqueue(t.Context(), "note", IdempotencyKey(strings.Repeat("k", app.MaxKey+1)))
			return err
		},
	} {
		if err := enqueue(); app.CodeOf(err) != app.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNew_ErrorLeavesNothingOpen(t *testing.T) {
	t.Parallel()
	config := newConfig(t)
	b, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	second := config
	if _, err := New(second); err == nil {
		t.Error("two boards use one file")
	}
	ended, stop := context.WithCancel(context.Background())
	stop()
	if err := b.Run(ended); err != nil {
		t.Errorf("Run returned %v", err)
	}
	listener, err := net.Listen("tcp", strings.TrimPrefix(b.URL(), "http://"))
	if err != nil {
		t.Fatalf("the address is still in use: %v", err)
	}
	_ = listener.Close()
	if b, err = New(config); err != nil {
		t.Fatalf("the file is still in use: %v", err)
	}
	if err := b.Run(ended); err != nil {
		t.Errorf("Run returned %v", err)
	}
}

func TestNew_NamesTheFlagForATakenAddress(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	config := newConfig(t)
	config.Addr = listener.Addr().String()
	if _, err := New(config); err == nil || !strings.Contains(err.Error(), "--addr") {
		t.Errorf("on an address that another program uses: %v", err)
	}
}

func TestNew_RejectsWrongKinds(t *testing.T) {
	t.Parallel()
	work := func(context.Context, *jobs.Run) error { return nil }
	for name, kinds := range map[string][]Kind{
		"without a name":     {{Work: work}},
		"without work":       {{Name: "note"}},
		"with the same name": {{Name: "note", Work: work}, {Name: "note", Work: work}},
		"with a taken name":  {{Name: "retry runs", Work: work}},
	} {
		if _, err := New(newConfig(t), kinds...); err == nil {
			t.Errorf("kinds %s are accepted", name)
		}
	}
}

func TestURL_ServesThePages(t *testing.T) {
	t.Parallel()
	b := runBoard(t)
	waitFor(t, "it is ready", func() bool { return b.Ready() == nil })
	response, err := http.Get(b.URL() + "/process_runs")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("the board answers %s", response.Status)
	}
}

// TestModule_BuildsAndRuns builds the program of docs/go.md as a separate module and lets it do a run.
func TestModule_BuildsAndRuns(t *testing.T) {
	t.Parallel()
	dir := buildModule(t)
	program := exec.CommandContext(t.Context(), filepath.Join(dir, "resizer"), "--addr=127.0.0.1:0",
		"--log-format=json")
	program.Dir = dir
	program.Cancel = func() error { return program.Process.Signal(os.Interrupt) }
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	program.Stderr = log
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = program.Process.Signal(os.Interrupt)
		if err := program.Wait(); err != nil {
			t.Errorf("the program ended with %v: %s", err, readFile(t, log.Name()))
		}
	}()
	var url string
	waitFor(t, "the program listens", func() bool {
		_, after, found := strings.Cut(readFile(t, log.Name()), `"url":"`)
		url, _, _ = strings.Cut(after, `"`)
		return found
	})
	waitFor(t, "the run is accepted", func() bool {
		response, err := http.Post(url+"/process_runs", "application/x-www-form-urlencoded",
			strings.NewReader("count=1&input.width=1200"))
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK // after the redirect
	})
	waitFor(t, "the run is completed", func() bool {
		response, err := http.Get(url + "/process_runs/1/log?follow=1")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		text := make([]byte, 100)
		n, _ := response.Body.Read(text)
		return strings.Contains(string(text[:n]), "resized to 1200 pixels, jpg")
	})
}

// buildModule builds the module of docs/go.md, and returns the directory of its program, resizer.
func buildModule(t *testing.T) (dir string) {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	module := strings.Replace(readFile(t, "testdata/resizer/go.mod.txt"), "../runboard", root, 1)
	writeFile(t, filepath.Join(dir, "go.mod"), module)
	writeFile(t, filepath.Join(dir, "main.go"), readFile(t, "testdata/resizer/main.go.txt"))
	writeFile(t, filepath.Join(dir, "go.sum"), readFile(t, "../go.sum"))
	writeFile(t, filepath.Join(dir, "main_test.go"), readFile(t, "testdata/resizer/main_test.go.txt"))
	for _, args := range [][]string{{"build", "-o", "resizer"}, {"test"}} {
		args = append(args, "-mod=mod", "-tags", "sqlite_fts5", ".")
		build := exec.CommandContext(t.Context(), "go", args...)
		build.Dir = dir
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("go %v: %v: %s", args, err, out)
		}
	}
	return dir
}

// TestDocs_CodeIsTested compares the code in the documents with that module and with the examples.
func TestDocs_CodeIsTested(t *testing.T) {
	t.Parallel()
	tested := readFile(t, "example_test.go") + readFile(t, "testdata/resizer/main.go.txt") +
		readFile(t, "testdata/resizer/main_test.go.txt")
	if !strings.Contains(readFile(t, "../docs/go.md"),
		strings.TrimSpace(readFile(t, "testdata/resizer/go.mod.txt"))) {
		t.Error("docs/go.md does not have the go.mod of the tests")
	}
	indented := strings.NewReplacer("\n\t", "\n", "\n", "\n")
	for _, path := range []string{"../README.md", "../docs/go.md"} {
		for _, block := range strings.Split(readFile(t, path), "```go\n")[1:] {
			code, _, _ := strings.Cut(block, "```")
			for part := range strings.SplitSeq(code, "func main() { ") {
				part = strings.TrimRight(part, " }\n")
				if !strings.Contains(tested, part) && !strings.Contains(indented.Replace(tested), part) {
					t.Errorf("%s has code that no test compiles:\n%s", path, part)
				}
			}
		}
	}
}

// TestDocs_ListEveryFlag checks that docs/configuration.md lists every flag.
func TestDocs_ListEveryFlag(t *testing.T) {
	t.Parallel()
	const path = "../docs/configuration.md"
	var text strings.Builder
	text.WriteString("# Configuration\n\n" +
		"Each flag has an environment variable, which a flag overrides; an empty variable counts as " +
		"absent. Durations are written\n" +
		"like `90s`, `1h30m` or `7d`, sizes like `64KiB` or `10GiB`. A wrong value ends the program with " +
		"exit status 2 and one line that names\n" +
		"the flag. This page is generated from the flags.\n\n" +
		"| flag | variable | default | meaning |\n|---|---|---|---|\n")
	fields := reflect.TypeFor[Config]()
	for i := range fields.NumField() {
		tag := fields.Field(i).Tag
		if tag.Get("kong") == "-" {
			continue
		}
		variable, byDefault := "–", "–"
		if tag.Get("env") != "" {
			variable = "`" + tag.Get("env") + "`"
		}
		if tag.Get("default") != "" {
			byDefault = "`" + tag.Get("default") + "`"
		}
		_, _ = fmt.Fprintf(&text, "| `--%s` | %s | %s | %s |\n", tag.Get("name"), variable, byDefault,
			tag.Get("help"))
	}
	if *update {
		writeFile(t, path, text.String())
	}
	if got := readFile(t, path); got != text.String() {
		t.Errorf("%s is out of date: go test ./board -update", path)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A program that embeds a board may crash like any other, and its next start begins the same runs again.
func TestNew_SweepsLeftoversOfCommands(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	left := filepath.Join(os.TempDir(), "runboard-7-1")
	if err := os.MkdirAll(filepath.Join(left, "work"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"", "list=ls"} { // a board without commands leaves it
		if _, err := os.Stat(left); err != nil {
			t.Fatal(err)
		}
		config := newConfig(t)
		if command != "" {
			config.Command = []string{command}
		}
		b, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		stopped, stop := context.WithCancel(t.Context())
		stop()
		if err := b.Run(stopped); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is still there: %v", err)
	}
}
