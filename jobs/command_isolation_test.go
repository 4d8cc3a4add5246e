package jobs_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"runboard/app"
	"runboard/e2e/script"
	"runboard/jobs"
)

func TestCommand_MayStopItsSupervisor(t *testing.T) {
	t.Parallel()
	store, id := begin(t, `sh -c 'kill -STOP $PPID; exit 3'`, nil)
	run, _ := end(t, store, id)
	if run.Status != app.Failed || run.Error != "exit status 3" {
		t.Errorf("it is %s, %q", run.Status, run.Error)
	}
}

// TestCommand_CannotKeepItsSupervisorStopped covers a process that the command leaves running, and a
// command that is cancelled.
func TestCommand_CannotKeepItsSupervisorStopped(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"left running": `sh -c 'trap "" TERM; s=$PPID; (while :; do kill -STOP $s; : %s; done) & sleep 0.5; exit 0'`,
		"cancelled":    `sh -c 'trap "" TERM; echo ready; while :; do kill -STOP $PPID; : %s; done'`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mark := marker(t)
			store, id := begin(t, fmt.Sprintf(line, mark), nil)
			if name == "cancelled" {
				waitUntil(t, store, "the trap",
					func() bool { return textOf(logOf(t, store, id)) == "ready\n" })
				if _, err := store.Cancel(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
			run, _ := end(t, store, id)
			awaitMarked(t, mark, 0)
			want := map[string]app.Status{"left running": app.Completed, "cancelled": app.Cancelled}[name]
			// The supervisor must live to report the result, so the server first kills only the
			// processes that stop it.
			if run.Status != want || strings.Contains(run.Error, "supervisor") {
				t.Errorf("it is %s, %q", run.Status, run.Error)
			}
		})
	}
}

// TestCommand_KillsItsSupervisor also covers processes that have left the session of the command and
// cleared their environment.
func TestCommand_KillsItsSupervisor(t *testing.T) {
	t.Parallel()
	mark := marker(t)
	store, id := begin(t, fmt.Sprintf(
		`sh -c 'env -i setsid setsid sleep %[1]s & (env -i setsid sh -c "sleep %[1]s & sleep %[1]s" &); sleep 0.3; kill -9 $PPID; sleep %[1]s'`, mark), nil)
	run, _ := end(t, store, id)
	if left := marked(t, mark); run.Status != app.Failed ||
		!strings.Contains(run.Error, "its supervisor died") || len(left) > 0 {
		t.Errorf("it is %s, %q, and there are left %q", run.Status, run.Error, left)
	}
}

func TestCommand_CannotWriteItsOwnResult(t *testing.T) {
	t.Parallel()
	store, id := begin(t, `sh -c 'for f in /proc/$PPID/fd/*; do echo "{\"ended\":{\"code\":0}}" >$f; done 2>/dev/null; exit 7'`, nil)
	run, _ := end(t, store, id)
	// Only root can do that, and only for a moment.
	caught := strings.Contains(run.Error, "wrote to the open files of its supervisor")
	if run.Status != app.Failed || !caught && !strings.HasPrefix(run.Error, "exit status 7") {
		t.Errorf("it is %s, %q", run.Status, run.Error)
	}
}

// TestCommand_SeesNothingOfTheServer opens a descriptor as if the server had inherited it from a shell.
func TestCommand_SeesNothingOfTheServer(t *testing.T) {
	t.Parallel()
	secret, err := os.CreateTemp(t.TempDir(), "secret")
	if err != nil {
		t.Fatal(err)
	}
	defer secret.Close()
	inherited, err := unix.Dup(int(secret.Fd())) // without close-on-exec
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(inherited)
	store, id := begin(t, fmt.Sprintf(`sh -c 'cat /proc/%d/environ /proc/$PPID/environ | tr "\000" "\n"; echo; ls -l /proc/self/fd'`, os.Getpid()), nil)
	run, log := end(t, store, id)
	if run.Status != app.Completed || strings.Contains(log, secret.Name()) ||
		strings.Contains(log, "PATH=") || strings.Contains(log, " 4 ->") {
		t.Errorf("it is %s and finds %q", run.Status, log)
	}
	if os.Geteuid() != 0 { // root may read everything
		store, id := begin(t, fmt.Sprintf(`sh -c 'for p in %d $PPID; do cat /proc/$p/environ || ls /proc/$p/fd || head -c1 /proc/$p/mem || echo hidden; done'`, os.Getpid()), nil)
		if _, log := end(t, store, id); strings.Count(log, "hidden") != 2 {
			t.Errorf("it finds %q", log)
		}
	}
}

func TestCommand_DirectoryIsRemovedWhateverItsModes(t *testing.T) {
	t.Parallel()
	store, id := begin(t, `sh -c 'pwd; mkdir -p a/b/c; touch a/b/c/d; ln -s /etc link; chmod 0 a/b/c; chmod 500 a/b a; chmod 0 .'`, nil)
	run, log := end(t, store, id)
	dir, _, _ := strings.Cut(log, "\n")
	if _, err := os.Lstat(dir); run.Status != app.Completed || !filepath.IsAbs(dir) || !os.IsNotExist(err) {
		t.Errorf("it is %s, %q, and %s is still there: %v", run.Status, run.Error, dir, err)
	}
}

func TestCommand_MissingProgramIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program, gone := filepath.Join(dir, "script"), filepath.Join(dir, "gone")
	script.Write(t, program, "#!/no/such/interpreter\n")
	windows := filepath.Join(dir, "windows")
	script.Write(t, windows, "#!/bin/sh\r\ntrue\r\n")
	if err := os.Mkdir(gone, 0o700); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{"true": gone, program: "does not exist", windows: "CRLF"} {
		command, err := jobs.ParseCommand("job=" + line)
		if err != nil {
			t.Fatal(err)
		}
		if want == gone {
			command.Dir = gone
			if err := os.Remove(gone); err != nil {
				t.Fatal(err)
			}
		}
		store := openStore(t)
		start(t, newQueue(store, command.Kind(app.Kind{})))
		if run, _ := end(t, store, create(t, store, "job", 1)); run.Status != app.Failed ||
			!strings.Contains(run.Error, want) {
			t.Errorf("%s is %s, %q", line, run.Status, run.Error)
		}
	}
}

// stranger returns another user that commands can run as. It skips the test unless root runs it.
func stranger(t *testing.T) *user.User {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can run commands as another user")
	}
	other, err := user.Lookup("daemon")
	if err != nil {
		t.Fatal(err)
	}
	return other
}

func TestCommand_RunsAsAnotherUser(t *testing.T) {
	t.Parallel()
	other := stranger(t)
	for _, name := range []string{other.Username, other.Uid + ":" + other.Gid} {
		const line = `job=sh -c 'id -u; id -g; echo $USER $HOME; stat -c "%u %a" .; touch file; grep NoNewPrivs /proc/self/status; ` +
			`exec 2>/dev/null; cat /proc/$PPID/environ || kill -0 $PPID || kill -STOP $PPID || echo kept apart'`
		kinds, err := jobs.CommandKinds([]string{line}, "", "", name)
		if err != nil {
			t.Fatal(err)
		}
		store := openStore(t)
		start(t, newQueue(store, kinds...))
		run, log := end(t, store, create(t, store, "job", 1))
		want := fmt.Sprintf("%s\n%s\n%s %s\n%s 700\nNoNewPrivs:\t1\n",
			other.Uid, other.Gid, other.Username, other.HomeDir, other.Uid)
		if run.Status != app.Completed || !strings.HasPrefix(log, want) ||
			!strings.Contains(log, "kept apart") {
			t.Errorf("as %s it is %s, %q, with the log %q", name, run.Status, run.Error, log)
		}
	}
}

func TestCommandUser_RejectsWithAReason(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"root", "0:0", "1:0", "no-such-user", "1:x", "x:1", "-1:1", ":", "1:",
		"4294967295:1", "99999999999:1", "1:1:1"} {
		if _, err := jobs.CommandKinds(nil, "", "", name); err == nil ||
			!strings.HasPrefix(err.Error(), "--command-user: ") {
			t.Errorf("%q is refused with: %v", name, err)
		}
	}
	if os.Geteuid() != 0 {
		if _, err := jobs.CommandUser("1:1"); err == nil || !strings.Contains(err.Error(), "only root") {
			t.Errorf("without root it is refused with: %v", err)
		}
	}
}

// helperVariable names the setuid program of TestCommand_UnkillableIsAbandoned.
const helperVariable = "TEST_PROGRAM_OF_ROOT"

// TestCommand_UnkillableIsAbandoned runs a command that becomes root, as with sudo, so that the server
// may not signal it. Root creates the setuid program; a second process without root then runs the test.
func TestCommand_UnkillableIsAbandoned(t *testing.T) {
	if helper := os.Getenv(helperVariable); helper != "" {
		giveUpForeigner(t, helper)
		return
	}
	other := stranger(t)
	dir, err := os.MkdirTemp("/var/tmp", "runboard-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	helper := filepath.Join(dir, "setpriv")
	if out, err := exec.Command("sh", "-c",
		fmt.Sprintf("cp $(command -v setpriv) %[1]s && chmod 4755 %[1]s", helper)).
		CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	uid, _ := strconv.Atoi(other.Uid)
	gid, _ := strconv.Atoi(other.Gid)
	again := exec.Command("/proc/self/exe", "-test.run=^TestCommand_UnkillableIsAbandoned$", "-test.v")
	again.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir, helperVariable + "=" + helper}
	again.Dir = dir
	again.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid),
		Gid: uint32(gid)}}
	if out, err := again.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v: %s", err, out)
	}
}

func giveUpForeigner(t *testing.T, helper string) {
	t.Helper()
	become := helper + ` --reuid 0 --regid 0 --clear-groups sh -c `
	for name, try := range map[string]struct {
		line    string
		timeout time.Duration
		status  app.Status
		err     string
	}{
		"cancelled": {become + `'sleep 15; : %s'`, time.Hour, app.Cancelled, ""},
		"ignoring SIGTERM": {`sh -c 'trap "" TERM; ` + become + `"sleep 15; : %s" & wait'`, time.Hour,
			app.Cancelled, ""},
		"timed out": {become + `'sleep 15; : %s'`, time.Second, app.Failed, "timed out after 1 s (limit); "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mark := marker(t)
			store, id := begin(t, fmt.Sprintf(try.line, mark),
				func(q *jobs.Queue) { q.Executor.RunTimeout = try.timeout })
			awaitForeign(t, mark)
			if try.status == app.Cancelled {
				if _, err := store.Cancel(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
			run, _ := end(t, store, id)
			if run.Status != try.status || !strings.HasPrefix(run.Error, try.err) ||
				!strings.Contains(run.Error, "user 0)") || !strings.Contains(run.Error, "cannot be killed") {
				t.Errorf("it is %s, %q", run.Status, run.Error)
			}
		})
	}
}

// awaitForeign waits until a process of root has the marker in its command line.
func awaitForeign(t *testing.T, mark string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		files, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is valid
		for _, file := range files {
			line, _ := os.ReadFile(file) // the process may have exited
			info, err := os.Stat(filepath.Dir(file))
			if err == nil && strings.Contains(string(line), mark) && info.Sys().(*syscall.Stat_t).Uid == 0 {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("no command has become root")
		}
	}
}
