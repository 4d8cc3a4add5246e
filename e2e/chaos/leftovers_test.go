package chaos

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"runboard/app"
	"runboard/e2e/harness"
)

// commandBinary returns a process, not yet started, with one kind whose runs have their directories in temp.
func commandBinary(t *testing.T, temp, line string, args ...string) *harness.Process {
	t.Helper()
	b := harness.NewProcess(t, append([]string{"--command", "job=" + line}, args...)...)
	b.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + temp}
	return b
}

// awaitRunning waits until want processes have text in their command line.
func awaitRunning(t *testing.T, text string, want int) {
	t.Helper()
	harness.Eventually(t, fmt.Sprintf("%d processes run", want), func() error {
		if n := harness.CountRunning(t, text); n != want {
			return fmt.Errorf("there are %d", n)
		}
		return nil
	})
}

// TestServer_SweepsLeftoversOfDeadServers kills a server together with its supervisors. The sweep of the next
// server must not touch processes and directories of another server that is alive.
func TestServer_SweepsLeftoversOfDeadServers(t *testing.T) {
	t.Parallel()
	temp, dead, alive := t.TempDir(), fmt.Sprintf("9%d.5", os.Getpid()), fmt.Sprintf("9%d.6", os.Getpid())
	line := `sh -c 'mkdir a; touch a/b; chmod 500 a; setsid sleep %[1]s & sleep %[1]s'`
	other := commandBinary(t, temp, fmt.Sprintf(line, alive))
	other.Start("127.0.0.1:0")
	other.StartJobs(1)
	awaitRunning(t, "sleep\x00"+alive, 2)

	b := commandBinary(t, temp, fmt.Sprintf(line, dead))
	b.Start("127.0.0.1:0")
	b.StartJobs(1)
	awaitRunning(t, "sleep\x00"+dead, 2)
	killAtOnce(t, b.Cmd.Process.Pid)
	b.Wait()
	awaitRunning(t, dead, 2) // the parent-death signal reaches only the command itself
	if dirs, err := os.ReadDir(temp); err != nil || len(dirs) != 2 {
		t.Fatalf("there are the directories %v: %v", dirs, err)
	}
	next := commandBinary(t, temp, "true")
	next.Start("127.0.0.1:0")
	awaitRunning(t, dead, 0)
	awaitRunning(t, alive, 3+1)
	if dirs, err := os.ReadDir(temp); err != nil || len(dirs) != 1 {
		t.Errorf("the directories %v are left: %v", dirs, err)
	}
	harness.Eventually(t, "the log says so", func() error {
		log := next.Log.String()
		if !strings.Contains(log, "processes that commands of a dead server had left") ||
			!strings.Contains(log, "directory of a run") {
			return errors.New(log)
		}
		return nil
	})
	other.Kill()
	harness.Eventually(t, "the supervisor removes the directory of its run", func() error {
		if dirs, err := os.ReadDir(temp); err != nil || len(dirs) > 0 {
			return fmt.Errorf("there are %v: %w", dirs, err)
		}
		return nil
	})
}

// TestServer_RemovesInputsOfKilledRuns kills a server while a command has a file with a secret: its
// supervisor removes the file, or if that is killed, too, the next server does.
func TestServer_RemovesInputsOfKilledRuns(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(*testing.T, *harness.Process){
		"server": func(_ *testing.T, b *harness.Process) { b.Kill() },
		"server and supervisor": func(t *testing.T, b *harness.Process) {
			killAtOnce(t, b.Cmd.Process.Pid)
			b.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			temp := t.TempDir()
			kinds := filepath.Join(t.TempDir(), "kinds.yaml")
			// The command is started after its supervisor knows what to remove.
			ready := t.TempDir()
			file := fmt.Sprintf("kinds: {job: {run: [sh, -c, 'touch %s/ready; sleep 600'], "+
				"inputs: [{name: token, type: secret}]}}\n", ready)
			if err := os.WriteFile(kinds, []byte(file), 0o600); err != nil {
				t.Fatal(err)
			}
			b := harness.NewProcess(t, "--kinds", kinds)
			b.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + temp}
			b.Start("127.0.0.1:0")
			if err := b.Do(http.MethodPost, "/process_runs", "kind=job&input.token=hunter2hunter2",
				nil); err != nil {
				t.Fatal(err)
			}
			harness.Eventually(t, "the command is started",
				func() error { return filesAre(filepath.Dir(ready), "ready", 1) })
			harness.Eventually(t, "the file is there",
				func() error { return filesAre(temp, "inputs.json", 1) })
			kill(t, b)
			if name == "server" {
				harness.Eventually(t, "the supervisor removes it",
					func() error { return filesAre(temp, "", 0) })
				return
			}
			next := commandBinary(t, temp, "true")
			next.Start("127.0.0.1:0")
			harness.Eventually(t, "the next server removes it", func() error { return filesAre(temp, "", 0) })
		})
	}
}

// filesAre fails unless the directories in temp contain n files with this name, or if the name is empty
// unless there are n directories.
func filesAre(temp, name string, n int) error {
	files, err := filepath.Glob(filepath.Join(temp, "*", name))
	if err == nil && len(files) != n {
		err = fmt.Errorf("there are %q", files)
	}
	return err
}

// killAtOnce kills a process and its children at the same time.
func killAtOnce(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil { // so that it cannot notify the supervisors
		t.Fatal(err)
	}
	for _, supervisor := range childrenOf(t, pid) {
		if err := syscall.Kill(supervisor, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// TestServer_AloneHasItsName keeps "pkill -HUP -x runboard", which the documentation recommends, from
// reaching supervisors, too.
func TestServer_AloneHasItsName(t *testing.T) {
	t.Parallel()
	mark := fmt.Sprintf("9%d.8", os.Getpid())
	b := commandBinary(t, t.TempDir(), "sleep "+mark)
	b.Start("127.0.0.1:0")
	b.StartJobs(1)
	awaitRunning(t, "sleep\x00"+mark, 1) // until then, a new process still has the name of its parent
	server := processName(t, b.Cmd.Process.Pid)
	for _, child := range childrenOf(t, b.Cmd.Process.Pid) {
		if name := processName(t, child); name == server {
			t.Errorf("a supervisor is named %s, as the server", name)
		}
	}
}

// processName returns the name by which pkill -x finds a process.
func processName(t *testing.T, pid int) string {
	t.Helper()
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		t.Fatal(err)
	}
	return string(name)
}

// childrenOf returns the children of a process.
func childrenOf(t *testing.T, pid int) (children []int) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		content, _ := os.ReadFile(file) // fails if the thread has ended
		for _, text := range strings.Fields(string(content)) {
			child, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			children = append(children, child)
		}
	}
	return children
}

// TestServer_PausedOneKeepsResults pauses a server for longer than the run timeout. Its command ends
// in time meanwhile, so the run must complete.
func TestServer_PausedOneKeepsResults(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	ended := filepath.Join(temp, "ended")
	// The supervisor removes the directory of the command when the command has ended, which shows its end.
	b := commandBinary(t, temp, fmt.Sprintf(`sh -c 'pwd >%s; sleep 1'`, ended), "--run-timeout", "3s")
	b.Start("127.0.0.1:0")
	b.StartJobs(1)
	var dir string
	harness.Eventually(t, "the command runs", func() error {
		content, err := os.ReadFile(ended)
		dir = strings.TrimSpace(string(content))
		if dir == "" {
			return fmt.Errorf("it does not: %w", err)
		}
		return nil
	})
	b.Signal(syscall.SIGSTOP)
	paused := time.Now()
	harness.Eventually(t, "the command ends", func() error {
		if _, err := os.Lstat(dir); err == nil {
			return errors.New("it does not")
		}
		return nil
	})
	time.Sleep(time.Until(paused.Add(4 * time.Second))) // the run timeout passes meanwhile
	b.Signal(syscall.SIGCONT)
	b.WaitUntilDone(1)
	if run := b.List("/process_runs").ProcessRuns[0]; run.Status != app.Completed.String() {
		t.Errorf("it is %s", run.Status)
	}
}

// TestServer_HasFewDescriptors starts more commands than there are file descriptors for: they wait, and the
// log says so.
func TestServer_HasFewDescriptors(t *testing.T) {
	t.Parallel()
	b := commandBinary(t, t.TempDir(), `sh -c 'sleep 0.2; echo done'`, "--workers", "50")
	b.Files = 64
	b.AllowErrors = true // the database may log errors, too
	b.Start("127.0.0.1:0")
	b.StartJobs(50)
	b.WaitUntilDone(50)
	if counts := b.List("/process_runs").Counts; counts["completed"] != 50 {
		var failed any
		_ = b.Get("/process_runs?status=failed", &failed)
		t.Errorf("the counts are %v: %v", counts, failed)
	}
	if log := b.Log.String(); !strings.Contains(log, "commands wait until there is room") {
		t.Errorf("the log does not say so: %s", log)
	}
}

// TestServer_HidesItsEnvironment also covers variables that the server does not know.
func TestServer_HidesItsEnvironment(t *testing.T) {
	t.Parallel()
	secret := "tell-tale-" + url.QueryEscape(t.Name())
	b := harness.NewProcess(t, "--command",
		`job=sh -c 'cat /proc/*/environ 2>/dev/null | tr "\000" "\n"; env'`)
	b.Env = []string{"PATH=" + os.Getenv("PATH"), "PGPASSWORD=" + secret, "LANG=C.UTF-8", "TZ=Europe/Zurich"}
	b.Start("127.0.0.1:0")
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", b.Cmd.Process.Pid))
	if os.Geteuid() == 0 && (err != nil || strings.Trim(string(environment), "\x00") != "") {
		t.Errorf("root sees %q: %v", environment, err)
	}
	b.StartJobs(1)
	b.WaitUntilDone(1)
	response, err := harness.Client.Get(b.URL + "/process_runs/1/log")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var log strings.Builder
	if err := response.Write(&log); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); strings.Contains(text, secret) || !strings.Contains(text, "TZ=Europe/Zurich\n") {
		t.Errorf("a command sees %s", text)
	}
}

func TestConfig_InvalidCommandUserNamesItsFlag(t *testing.T) {
	t.Parallel()
	for _, user := range []string{"root", "no-such-user", "1:x"} {
		dir := t.TempDir()
		cmd := harness.Command(t, "--command-user", user, "--database-url",
			"sqlite:"+filepath.Join(dir, "x.db"))
		var said strings.Builder
		cmd.Stderr = &said
		err := cmd.Run()
		if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(said.String(), "--command-user:") ||
			strings.Count(said.String(), "\n") != 1 {
			t.Errorf("%s: %v, %q", user, err, said.String())
		}
		if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
			t.Errorf("%s: it creates %v: %v", user, files, err)
		}
	}
}
