package http

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"runboard/e2e/harness"
)

const twoKinds = `kinds:
  backup:
    run: [./dump.sh, "{database}"]
    env: {DUMP_DIR: "%DIR%"}
    inputs: [{name: database, type: text}]
  clean:
    run: ["true"]
`

// writeKinds writes a kinds file into a new directory, and returns its path.
func writeKinds(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kinds.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestKindsFile_FaultIsOneLine starts the program and checks the file: both say the same.
func TestKindsFile_FaultIsOneLine(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	for content, want := range map[string]string{
		"kinds:\n  backup:\n    run: [ls]\n    timout: 5m\n":                          `:4: backup: unknown key "timout", did you mean "timeout"?`,
		"kinds:\n  backup:\n    run: [sh, -c, '{a}']\n    inputs:\n    - {name: a}\n": ":5: backup: an input needs a type",
		"kindz: {}\n":          `:1: unknown key "kindz", did you mean "kinds"?`,
		"kinds:\n  b: {run: [": `:2: `,
		"":                     ":1: the file is empty",
	} {
		path := writeKinds(t, content)
		for _, args := range [][]string{{"--kinds", path, "--addr=127.0.0.1:0"}, {"check", path}} {
			out, status := runToEnd(t, nil, args...)
			if status != 2 || !strings.HasPrefix(out, path+want) || strings.Count(out, "\n") != 1 {
				t.Errorf("%q: %v ends with %d and says %q", content, args, status, out)
			}
		}
		if out, status := runToEnd(t, []string{"KINDS=" + path}); status != 2 ||
			!strings.HasPrefix(out, path+want) {
			t.Errorf("%q: with KINDS it ends with %d and says %q", content, status, out)
		}
	}
}

func TestKindsFile_UnreadableOneNamesTheFlag(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	missing, good := filepath.Join(t.TempDir(), "missing.yaml"), writeKinds(t,
		"kinds:\n  backup: {run: [\"true\"]}\n")
	for want, args := range map[string][]string{
		"runboard: --kinds: ":                              {"--kinds", missing},
		"runboard: check: ":                                {"check", missing},
		"runboard: check: usage: ":                         {"check"},
		"runboard: check: usage: runboar":                  {"check", good, good},
		"runboard: --command: two kinds are named backup":  {"--kinds", good, "--command", "backup=true"},
		"runboard: --command: the name simulated is taken": {"--command", "simulated=true"},
		"runboard: --secret-key-file: ": {"--kinds", writeKinds(t, secretKind),
			"--secret-key-file", good + "/x"},
		"runboard: --secret-key-file: a kind has a secret in": {"--kinds", writeKinds(t, secretKind),
			"--database-url=postgres://h/d"},
	} {
		out, status := runToEnd(t, []string{"PATH=" + os.Getenv("PATH")}, args...)
		if status != 2 || !strings.HasPrefix(out, want) || strings.Count(out, "\n") != 1 {
			t.Errorf("%v ends with %d and says %q, want %s", args, status, out, want)
		}
	}
}

func TestCheck_CountsKindsAndWarns(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	path := writeKinds(t, "kinds:\n  a: {run: [sh, -c, exit]}\n  b: {run: [sh, -c, exit]}\n")
	if out, status := runToEnd(t, []string{"PATH=" + os.Getenv("PATH")}, "check", path); status != 0 ||
		out != "2 kinds\n" {
		t.Errorf("it ends with %d and says %q", status, out)
	}
	path = writeKinds(t, `kinds:
  a:
    run: [./missing.sh]
    dir: missing
    env: {A: {file: missing}, B: {env: MISSING}, C: {env: PRESENT}}
`)
	out, status := runToEnd(t, []string{"PRESENT=1"}, "check", path)
	for _, want := range []string{
		":3: a: warning: the program cannot be run: ", ":4: a: warning: dir: ",
		":5: a: warning: env: A: the file ",
		":5: a: warning: env: B: the variable MISSING is not set",
	} {
		if !strings.Contains(out, path+want) {
			t.Errorf("it does not say %s", want)
		}
	}
	if status != 0 || strings.Count(out, "\n") != 5 || !strings.Contains(out, "1 kind\n") {
		t.Errorf("it ends with %d and says %q", status, out)
	}
	var schema map[string]any
	out, status = runToEnd(t, nil, "check", "--schema")
	if err := json.Unmarshal([]byte(out), &schema); err != nil || status != 0 || schema["properties"] == nil {
		t.Errorf("the schema is %q: %v", out, err)
	}
}

// offered returns the names of the kinds that a board offers.
func offered(t *testing.T, b *harness.Process) string {
	t.Helper()
	var answer struct{ Kinds []struct{ Name string } }
	if err := b.Get("/kinds", &answer); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, kind := range answer.Kinds {
		names = append(names, kind.Name)
	}
	return strings.Join(names, " ")
}

func TestKindsFile_KindsComeInOrder(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	for want, args := range map[string][]string{
		"backup clean one two":           {"--command", "one=true", "--command", "two=true"},
		"backup clean one two simulated": {"--command", "one=true", "--command", "two=true", "--demo"},
		"backup clean":                   nil,
		"backup clean simulated":         {"--demo"},
	} {
		b := harness.NewDumper(t, twoKinds).NewProcess(args...)
		b.Start("127.0.0.1:0")
		if got := offered(t, b); got != want {
			t.Errorf("with %v the kinds are %s, want %s", args, got, want)
		}
	}
	for want, args := range map[string][]string{
		"simulated": nil, "one": {"--command", "one=/bin/true"},
		"one simulated": {"--command", "one=/bin/true", "--demo"},
	} {
		if got := offered(t, harness.StartProcess(t, args...)); got != want {
			t.Errorf("with %v and no file the kinds are %s, want %s", args, got, want)
		}
	}
}

// reload replaces the kinds file, sends SIGHUP, and waits until the log has one more line with text. It
// returns that line.
func reload(t *testing.T, d harness.Dumper, b *harness.Process, kinds, text string) (line string) {
	t.Helper()
	before := strings.Count(b.Log.String(), text)
	d.WriteKinds(kinds)
	b.Signal(syscall.SIGHUP)
	harness.Eventually(t, "the log says "+text, func() error {
		if strings.Count(b.Log.String(), text) == before {
			return fmt.Errorf("it says %s", b.Log.String())
		}
		return nil
	})
	for logged := range strings.Lines(b.Log.String()) {
		if strings.Contains(logged, text) {
			line = logged
		}
	}
	return line
}

const (
	reloaded = "the kinds file was read again"
	refused  = "the kinds stay as they are"
)

func TestReload_ReplacesAllKindsOrNone(t *testing.T) {
	t.Parallel()
	d := harness.NewDumper(t, twoKinds)
	b := d.NewProcess("--command", "one=true")
	b.AllowErrors = true
	b.Start("127.0.0.1:0")
	bad := strings.Replace(twoKinds, "clean:", "added:", 1) + "    timout: 1\n"
	if line := reload(t, d, b, bad, refused); !strings.Contains(line, "kinds.yaml:8: added: unknown key") {
		t.Errorf("the log says %s", line)
	}
	if got := offered(t, b); got != "backup clean one" {
		t.Errorf("after a fault the kinds are %s", got)
	}
	double := twoKinds + "  one: {run: [\"true\"]}\n"
	if line := reload(t, d, b, double, refused); !strings.Contains(line, "two kinds are named one") {
		t.Errorf("the log says %s", line)
	}
	good := strings.Replace(twoKinds, "  clean:", "  added:", 1)
	good = strings.Replace(good, "{name: database, type: text}",
		"{name: database, type: text, required: true}", 1)
	line := reload(t, d, b, good, reloaded)
	for _, want := range []string{"added=[added]", "removed=[clean]", "changed=[backup]", "kinds=3"} {
		if !strings.Contains(line, want) {
			t.Errorf("the log does not say %s: %s", want, line)
		}
	}
	if got := offered(t, b); got != "backup added one" {
		t.Errorf("the kinds are %s", got)
	}
	if line := reload(t, d, b, good, reloaded); !strings.Contains(line, "added=[] removed=[] changed=[]") {
		t.Errorf("without a change the log says %s", line)
	}
	e := harness.NewExpect(t, &harness.Program{URL: b.URL})
	e.POST("/process_runs").WithFormField("kind", "clean").Expect().Status(http.StatusUnprocessableEntity)
	e.POST("/process_runs").WithFormField("kind", "backup").Expect().Status(http.StatusUnprocessableEntity)
	e.GET("/kinds/clean").Expect().Status(http.StatusNotFound)
	e.GET("/kinds").Expect().Body().Contains("added").NotContains("clean")
	if id := harness.StartRun(e, "added"); id == "" {
		t.Error("a new kind does not start")
	}
	harness.WaitUntilDone(t, e)
}

// A run that works keeps its definition; a run that waits gets the new one, or waits for its kind to come
// back.
func TestReload_ChangesOnlyLaterAttempts(t *testing.T) {
	t.Parallel()
	const kinds = `kinds:
  slow:
    run: [sh, -c, "echo %s $INPUT_NAME; while [ ! -e %%DIR%%/open ]; do sleep 0.05; done; echo end"]
    concurrency: 1
    inputs: [{name: name, type: text, default: "%s"}]
  other: {run: ["true"]}
`
	d := harness.NewDumper(t, fmt.Sprintf(kinds, "old", "x"))
	b := d.NewProcess()
	b.Start("127.0.0.1:0")
	e := harness.NewExpect(t, &harness.Program{URL: b.URL})
	working := harness.StartRun(e, "slow")
	harness.UntilStatus(t, e, working, "started")
	waiting := harness.StartRun(e, "slow")
	reload(t, d, b, "kinds:\n  other: {run: [\"true\"]}\n", reloaded)
	if err := os.WriteFile(filepath.Join(d.Dir, "open"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	harness.UntilStatus(t, e, working, "completed")
	e.GET(working + "/log").Expect().Body().IsEqual("old x\nend\n")
	harness.Eventually(t, "the board warns of the run that waits", func() error {
		if page := e.GET("/process_runs").Expect().Body().
			Raw(); !strings.Contains(page, "no worker here handles this kind") {
			return fmt.Errorf("it says %.2000s", page)
		}
		return nil
	})
	other := harness.StartRun(e, "other")
	harness.UntilStatus(t, e, other, "completed")
	harness.UntilStatus(t, e, waiting, "created")
	reload(t, d, b, fmt.Sprintf(kinds, "new", "y"), reloaded)
	harness.UntilStatus(t, e, waiting, "completed")
	e.GET(waiting + "/log").Expect().Body().IsEqual("new x\nend\n") // it keeps its inputs
}

func TestReload_ReachesOpenPages(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	d := harness.NewDumper(t, twoKinds)
	b := d.NewProcess()
	b.Start("127.0.0.1:0")
	socket := harness.Watch(t, &harness.Program{URL: b.URL}, "/process_runs/kinds/live")
	socket.Expect().TextMessage().Body().Contains("clean").NotContains("Tidy up")
	reload(t, d, b, twoKinds+"    title: Tidy up\n", reloaded)
	socket.Expect().TextMessage().Body().Contains("Tidy up")
}

const secretKind = `kinds:
  login:
    run: [sh, -c, 'echo "${#INPUT_TOKEN}"']
    inputs: [{name: token, type: secret, required: true}]
`

func TestSecretKey_IsMadeForTheFirstSecret(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	d := harness.NewDumper(t, twoKinds)
	b := d.NewProcess()
	b.AllowErrors = true
	b.Start("127.0.0.1:0")
	key := b.File() + ".key"
	if _, err := os.Stat(key); !os.IsNotExist(err) {
		t.Errorf("there is a key without a secret: %v", err)
	}
	reload(t, d, b, secretKind, reloaded)
	info, err := os.Stat(key)
	if err != nil || info.Mode() != 0o600 {
		t.Fatalf("the key is %v, %v", info, err)
	}
	e := harness.NewExpect(t, &harness.Program{URL: b.URL})
	e.POST("/process_runs").WithFormField("input.token", "hunter2").Expect().Status(http.StatusSeeOther)
	harness.UntilStatus(t, e, "/process_runs/1", "completed")
	e.GET("/process_runs/1/log").Expect().Body().IsEqual("7\n")
	b.Signal(syscall.SIGTERM)
	b.Wait()
	before := harness.ReadFile(t, key)
	b.Restart()
	if harness.ReadFile(t, key) != before {
		t.Error("the key is another one after a restart")
	}
	left, err := filepath.Glob(filepath.Dir(key) + "/*.key*")
	if err != nil || len(left) != 1 {
		t.Errorf("there are %v, %v", left, err)
	}
}

func TestSecretKey_MustBePrivate(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	for name, test := range map[string]struct {
		mode fs.FileMode
		text string
		want string
	}{
		"others can read it": {0o604, strings.Repeat("k", 32),
			"other users can read it (mode 0604); use chmod 600"},
		"its group can read it": {0o640, strings.Repeat("k", 32),
			"other users can read it (mode 0640); use chmod 600"},
		"it is short": {0o600, "hunter2", "it has 7 bytes, and a key has 32 to 4096"},
		"it is long":  {0o600, strings.Repeat("k", 4097), "it has 4097 bytes, and a key has 32 to 4096"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "key")
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, test.mode); err != nil {
			t.Fatal(err)
		}
		kinds := writeKinds(t, secretKind)
		out, status := runToEnd(t, nil, "--kinds", kinds, "--secret-key-file", path, "--addr=127.0.0.1:0")
		if want := "runboard: --secret-key-file: " + path + ": " + test.want +
			"\n"; status != 2 || out != want {
			t.Errorf("%s: it ends with %d and says %q, want %q", name, status, out, want)
		}
		if strings.Contains(out, "hunter2") {
			t.Error("it repeats the key")
		}
	}
}
