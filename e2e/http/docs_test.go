package http

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"runboard/e2e/harness"
	"runboard/e2e/script"
)

// docRunner does what a document says: it writes its files, and runs its commands.
type docRunner struct {
	t       *testing.T
	dir     string           // of the files
	bin     string           // has the programs runboard and pkill
	board   *harness.Process // the board that the document has started last, or nil
	done    int              // commands that were run
	started int              // runs that were started
}

func newDocRunner(t *testing.T) *docRunner {
	t.Helper()
	binary, err := harness.BuiltBinary()
	if err != nil {
		t.Fatal(err)
	}
	d := &docRunner{t: t, dir: t.TempDir(), bin: t.TempDir()}
	if err := os.Symlink(binary, filepath.Join(d.bin, "runboard")); err != nil {
		t.Fatal(err)
	}
	d.write("pg-password", "hunter2hunter2\n") // which the documents only refer to
	return d
}

func (d *docRunner) write(name, content string) {
	d.t.Helper()
	mode := os.FileMode(0o644)
	if strings.HasPrefix(content, "#!") {
		mode = 0o755
	}
	if err := os.WriteFile(filepath.Join(d.dir, name), []byte(content), mode); err != nil {
		d.t.Fatal(err)
	}
}

var (
	namedBlock = regexp.MustCompile("(?ms)^`([a-z-]+\\.(?:sh|yaml))`:\n\n```[a-z]+\n(.*?)^```\n")
	shownLine  = regexp.MustCompile(`^    ([a-z].*)$`)
)

// read goes through a document.
func (d *docRunner) read(document string) {
	d.t.Helper()
	for document != "" {
		at := namedBlock.FindStringSubmatchIndex(document)
		text, rest := document, ""
		if at != nil {
			text, rest = document[:at[0]], document[at[1]:]
		}
		for line := range strings.Lines(text) {
			if shown := shownLine.FindStringSubmatch(strings.TrimSuffix(line, "\n")); shown != nil {
				d.command(shown[1])
			}
		}
		if at != nil {
			name := document[at[2]:at[3]]
			d.write(name, document[at[4]:at[5]])
			if name == "kinds.yaml" {
				d.start("runboard --kinds kinds.yaml")
				d.startEveryKind()
			}
		}
		document = rest
	}
}

// command runs a line that the document shows.
func (d *docRunner) command(line string) {
	d.t.Helper()
	switch program, _, _ := strings.Cut(line, " "); {
	case strings.HasPrefix(line, "runboard --"):
		d.start(line)
	case strings.HasPrefix(line, "kinds.yaml:"):
		return // what the program says
	case program == "chmod", program == "runboard", program == "curl":
		d.shell(line)
	default:
		d.t.Errorf("the document shows what no test runs: %s", line)
	}
	d.done++
}

// shell runs a line in a shell, in which runboard is the program, and pkill finds no board but this one.
func (d *docRunner) shell(line string) {
	d.t.Helper()
	pid := 0
	if d.board != nil {
		pid = d.board.Cmd.Process.Pid
		line = strings.ReplaceAll(line, "http://127.0.0.1:3000", d.board.URL)
	}
	pkill := filepath.Join(d.bin, "pkill")
	script.Write(d.t, pkill, fmt.Sprintf("#!/bin/sh\ntest \"$*\" = '-HUP -x runboard' && kill -HUP %d\n",
		pid))
	shell := exec.CommandContext(d.t.Context(), "sh", "-ec", line)
	shell.Dir, shell.Env = d.dir, []string{"PATH=" + d.bin + ":" + os.Getenv("PATH")}
	out, err := shell.CombinedOutput()
	if err != nil || strings.Contains(string(out), `"error"`) {
		d.t.Errorf("%s: %v: %s", line, err, out)
	}
}

// start starts a board as a line of the document does.
func (d *docRunner) start(line string) {
	d.t.Helper()
	program := filepath.Join(d.bin, "start.sh")
	text := fmt.Sprintf("#!/bin/sh\ncd %s\nexec %s/%s \"$@\"\n", d.dir, d.bin, line)
	script.Write(d.t, program, text)
	d.board = harness.NewProcess(d.t)
	d.board.Program, d.board.Env = program, []string{"PATH=" + os.Getenv("PATH")}
	d.board.Start("127.0.0.1:0")
	if strings.Contains(d.board.Log.String(), "level=WARN msg=\"runs of a kind may fail\"") {
		d.t.Errorf("something is missing for runs: %s", d.board.Log.String())
	}
}

// startEveryKind starts a run of each kind of the board, with the values that it requires, and waits until it
// is completed.
func (d *docRunner) startEveryKind() {
	d.t.Helper()
	var answer struct {
		Kinds []struct {
			Name   string
			Inputs []struct {
				Name, Type string
				Required   bool
			}
		}
	}
	if err := d.board.Get("/kinds", &answer); err != nil {
		d.t.Fatal(err)
	}
	values := map[string]string{"date": "2026-11-27", "secret": "hunter2hunter2", "text": "v1.10.0"}
	for _, kind := range answer.Kinds {
		form := "kind=" + kind.Name
		for _, input := range kind.Inputs {
			if input.Required {
				form += "&input." + input.Name + "=" + values[input.Type]
			}
		}
		var created harness.ListJSON
		if err := d.board.Do(http.MethodPost, "/process_runs", form, &created); err != nil {
			d.t.Errorf("%s does not start: %v", kind.Name, err)
			continue
		}
		d.started++
		harness.Eventually(d.t, "a run of "+kind.Name+" is completed", func() error {
			var run struct{ Status, Error string }
			err := d.board.Get(fmt.Sprint("/process_runs/", created.ProcessRuns[0].ID), &run)
			if err == nil && run.Status != "completed" {
				err = errors.New(run.Status + " " + run.Error)
			}
			return err
		})
	}
}

func TestDocs_CommandsWork(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	d := newDocRunner(t)
	d.read(harness.ReadFile(t, "docs/commands.md"))
	if d.done < 5 || d.started < 2 {
		t.Errorf("only %d commands and %d runs were found", d.done, d.started)
	}
}

// TestDocs_ReadmeKindWorks starts the kind of the README with the script of docs/commands.md.
func TestDocs_ReadmeKindWorks(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	d := newDocRunner(t)
	script := namedBlock.FindStringSubmatch(harness.ReadFile(t, "docs/commands.md"))
	_, kinds, found := strings.Cut(harness.ReadFile(t, "README.md"), "```yaml\n")
	kinds, _, closed := strings.Cut(kinds, "```")
	if !found || !closed || script == nil || script[1] != "backup.sh" {
		t.Fatal("the README has no kind, or docs/commands.md no script")
	}
	d.write(script[1], script[2])
	d.write("kinds.yaml", kinds)
	d.start("runboard --kinds kinds.yaml")
	d.startEveryKind()
	if log := d.board.Log.String(); d.started != 1 {
		t.Errorf("%d runs were started: %s", d.started, log)
	}
}

func TestDocs_ExamplesWork(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	files, err := filepath.Glob("docs/examples/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("the examples are %v, %v", files, err)
	}
	for _, file := range files {
		d := newDocRunner(t)
		path, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		d.shell("runboard check " + path)
		d.start("runboard --kinds " + path)
		d.startEveryKind()
		if d.started == 0 {
			t.Errorf("%s has no kind", file)
		}
	}
}
