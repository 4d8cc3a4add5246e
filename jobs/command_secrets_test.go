package jobs_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"runboard/app"
	"runboard/e2e/script"
	"runboard/jobs"
)

// secretInputs declare a secret and a text.
var secretInputs = []app.Input{{Name: "token", Type: app.SecretInput}, {Name: "user", Type: app.TextInput}}

const theSecret = "hunter2hunter2"

// secretValues are values of secretInputs.
func secretValues() app.InputValues {
	return app.InputValues{
		{Name: "token", Type: app.SecretInput, Texts: []string{theSecret}},
		{Name: "user", Type: app.TextInput, Texts: []string{"ann"}},
	}
}

// scriptKind returns a kind whose command is a shell script with secretInputs.
func scriptKind(t *testing.T, text string, env ...jobs.EnvVar) jobs.Kind {
	t.Helper()
	return scriptCommand(t, text, env...).Kind(app.Kind{})
}

func scriptCommand(t *testing.T, text string, env ...jobs.EnvVar) jobs.Command {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script.sh")
	script.Write(t, path, "#!/bin/sh\n"+text+"\n")
	template, err := jobs.ParseTemplate([]string{path, "{user}"}, secretInputs)
	if err != nil {
		t.Fatal(err)
	}
	return jobs.Command{Name: "job", Path: path, Template: template, Env: env}
}

// TestCommand_InputsFileIsGoneWhateverHappens covers each way in which an attempt can end.
func TestCommand_InputsFileIsGoneWhateverHappens(t *testing.T) {
	for name, test := range map[string]struct {
		script string
		cause  error // that ends the context of the work, if not nil
		status app.Status
	}{
		"completed":             {`exit 0`, nil, app.Completed},
		"failed":                {`exit 3`, nil, app.Failed},
		"killed":                {`kill -9 $$`, nil, app.Failed},
		"supervisor killed":     {`kill -9 $PPID; sleep 600`, nil, app.Failed},
		"made read-only":        {`chmod 500 $(dirname $RUNBOARD_INPUTS); exit 0`, nil, app.Completed},
		"removed by itself":     {`rm $RUNBOARD_INPUTS; exit 0`, nil, app.Completed},
		"timed out":             {`sleep 600`, jobs.ErrTimeout, app.Failed},
		"cancelled":             {`sleep 600`, jobs.ErrCancelled, app.Cancelled},
		"server stops":          {`sleep 600`, jobs.ErrShutdown, app.Created},
		"lease lost":            {`sleep 600`, app.ErrLeaseLost, app.Created},
		"stopped ignoring TERM": {`trap "" TERM; sleep 600 & wait; wait`, jobs.ErrShutdown, app.Created},
	} {
		t.Run(name, func(t *testing.T) {
			temp, seen := t.TempDir(), filepath.Join(t.TempDir(), "seen")
			t.Setenv("TMPDIR", temp)
			a := newAttempts(t, scriptKind(t, `stat -c "%a %u" "$RUNBOARD_INPUTS" >`+seen+`; pwd >>`+seen+`
				echo "$RUNBOARD_INPUTS" >>`+seen+`; cat "$RUNBOARD_INPUTS" >>`+seen+`; echo ready
				`+test.script))
			run := a.start(t, "job", secretValues()...)
			ctx, cancel := context.WithCancelCause(a.lifecycle.Work)
			defer cancel(nil)
			done := make(chan struct{})
			go func() {
				defer close(done)
				a.executor.Execute(ctx, a.lifecycle, run)
			}()
			if test.cause != nil {
				waitUntil(t, a.store, "the command", func() bool {
					return strings.Contains(textOf(logOf(t, a.store, run.ID)), "ready")
				})
				cancel(test.cause)
			}
			receive(t, done, "the end of the attempt")
			if run = read(t, a.store, run.ID); run.Status != test.status {
				t.Errorf("the run is %s, %q", run.Status, run.Error)
			}
			checkInputsFile(t, seen)
			if files, err := os.ReadDir(temp); err != nil || len(files) > 0 {
				t.Errorf("there are left %v: %v", files, err)
			}
		})
	}
}

// checkInputsFile checks what a command has seen of its file: its mode and owner, the working directory, its
// path, and its content.
func checkInputsFile(t *testing.T, seen string) {
	t.Helper()
	content, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitN(string(content), "\n", 4)
	if want := fmt.Sprintf("600 %d", os.Geteuid()); lines[0] != want {
		t.Errorf("its mode and owner are %s, want %s", lines[0], want)
	}
	if strings.HasPrefix(lines[2], lines[1]+"/") || !filepath.IsAbs(lines[2]) {
		t.Errorf("its path is %s, and the working directory is %s", lines[2], lines[1])
	}
	if want := `{"token":"` + theSecret + `","user":"ann"}`; lines[3] != want {
		t.Errorf("its content is %s, want %s", lines[3], want)
	}
}

func TestCommand_InputsFileBelongsToItsUser(t *testing.T) {
	t.Parallel()
	other := stranger(t)
	user, err := jobs.CommandUser(other.Username)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/var/tmp", "runboard-test-") // the user cannot enter t.TempDir()
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c := scriptCommand(t, "")
	c.Path, c.User = filepath.Join(dir, "script.sh"), user
	const text = "#!/bin/sh\nid -u; stat -c '%u %a' \"$RUNBOARD_INPUTS\"; stat -c '%u %a' " +
		"\"${RUNBOARD_INPUTS%/*}\"; wc -c <\"$RUNBOARD_INPUTS\"\n"
	script.Write(t, c.Path, text)
	a := newAttempts(t, c.Kind(app.Kind{}))
	run, log := a.execute(t, a.start(t, "job", secretValues()...))
	want := fmt.Sprintf("%[1]s\n%[1]s 600\n%[1]s 700\n39\n", other.Uid)
	if run.Status != app.Completed || log != want {
		t.Errorf("it is %s, %q, and the log is %q, want %q", run.Status, run.Error, log, want)
	}
}

// TestCommand_SupervisorShowsNoValues looks at what other processes can see of the supervisor.
func TestCommand_SupervisorShowsNoValues(t *testing.T) {
	t.Parallel()
	seen := filepath.Join(t.TempDir(), "seen")
	a := newAttempts(t, scriptKind(t, `cat /proc/$PPID/cmdline /proc/$PPID/environ >`+seen+` 2>/dev/null
		tr "\000" " " </proc/$$/cmdline; exit 0`))
	run, log := a.execute(t, a.start(t, "job", secretValues()...))
	if run.Status != app.Completed || strings.Contains(log, mask) ||
		!strings.HasSuffix(log, "script.sh ann \n") {
		t.Errorf("it is %s, %q, and its own command line is %q", run.Status, run.Error, log)
	}
	content, err := os.ReadFile(seen)
	if err != nil || !strings.Contains(string(content), "supervise") {
		t.Fatalf("it sees %q: %v", content, err)
	}
	for _, text := range []string{theSecret, "ann", "INPUT_", "RUNBOARD_"} {
		if strings.Contains(string(content), text) {
			t.Errorf("it sees %q", content)
		}
	}
}

// mask stands for a secret.
const mask = "•••"

func TestCommand_MasksSecretsInAllItReports(t *testing.T) {
	t.Parallel()
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("first line of it\nsecond line of it\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const script = `echo "the token is $INPUT_TOKEN, $INPUT_TOKEN."
		printf hunter; sleep 0.5; printf '2hun\033[1mter2\033[0m\n' # split, and coloured
		printf hunter2hun; sleep 0.5; echo ger
		cat "$RUNBOARD_INPUTS"; echo
		echo "progress: 40% with $INPUT_TOKEN"
		echo "$KEY"; echo "$KEY" | sed 's/^/> /'; echo "short $SHORT"
		printf hunter2 >&2; sleep 0.3; printf hunter2; sleep 0.3; echo hunter2 >&2 # the streams are told apart
		echo; echo "cannot log in with $INPUT_TOKEN or $SHORT" >&2; printf "at last $INPUT_TOKEN" >&2; exit 3`
	a := newAttempts(t, scriptKind(t, script, jobs.EnvVar{Name: "KEY", File: key},
		jobs.EnvVar{Name: "SHORT", Text: "visible"}))
	run, _ := a.execute(t, a.start(t, "job", secretValues()...))
	var streams [3]string
	for _, line := range logOf(t, a.store, run.ID).Lines {
		streams[line.Stream] += line.Text
	}
	const stdout = "the token is •••, •••.\n•••\nhunter2hunger\n{\"token\":\"•••\",\"user\":\"ann\"}\n" +
		"progress: 40% with •••\n•••\n> •••\n> •••\nshort visible\nhunter2\n"
	if streams[app.Stdout] != stdout {
		t.Errorf("stdout is %q, want %q", streams[app.Stdout], stdout)
	}
	const stderr = "•••\ncannot log in with ••• or visible\nat last •••\n"
	if streams[app.Stderr] != stderr {
		t.Errorf("stderr is %q, want %q", streams[app.Stderr], stderr)
	}
	const reason = "exit status 3\n•••\ncannot log in with ••• or visible\nat last •••"
	if run.Status != app.Failed || run.Error != reason {
		t.Errorf("it is %s, %q, want %q", run.Status, run.Error, reason)
	}
	if run.Progress.Message != "with •••" {
		t.Errorf("the progress is %+v", run.Progress)
	}
}

// TestCommand_MasksReferences covers short values, and one that the log would cut.
func TestCommand_MasksReferences(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	long := strings.Repeat("0123456789", 5000)
	for name, content := range map[string]string{"short": "pin\n", "long": long} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := newAttempts(t, scriptKind(t, `echo "<$SHORT>"; echo "<$LONG>"; echo "<$SHORT>" >&2; exit 1`,
		jobs.EnvVar{Name: "SHORT", File: filepath.Join(dir, "short")},
		jobs.EnvVar{Name: "LONG", File: filepath.Join(dir, "long")}))
	run, log := a.execute(t, a.start(t, "job"))
	if run.Error != "exit status 1\n<•••>" || strings.Count(log, "<•••>\n") != 3 ||
		len(log) != 3*len("<•••>\n") {
		t.Errorf("the error is %q, and the log is %.200q", run.Error, log)
	}
}

func TestCommand_ShortSecretsAreShown(t *testing.T) {
	t.Parallel()
	a := newAttempts(t, scriptKind(t, `echo "$INPUT_TOKEN"`))
	for secret, want := range map[string]string{"sieben7": "sieben7\n", "ächtacht": "•••\n",
		"ässäßßé": "ässäßßé\n"} {
		value := app.InputValue{Name: "token", Type: app.SecretInput, Texts: []string{secret}}
		if _, log := a.execute(t, a.start(t, "job", value)); log != want {
			t.Errorf("%q is shown as %q, want %q", secret, log, want)
		}
	}
}
