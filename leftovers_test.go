package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"runboard/app"
)

// commandBinary is a binary with one kind, whose runs have their directories in temp.
func commandBinary(t *testing.T, temp, line string, args ...string) *binary {
	t.Helper()
	b := newBinary(t, append([]string{"--command", "job=" + line}, args...)...)
	b.env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + temp}
	return b
}

func (b *binary) startJobs(count int) {
	b.t.Helper()
	if err := b.do(http.MethodPost, "/process_runs", fmt.Sprintf("kind=job&count=%d", count), nil); err != nil {
		b.t.Fatal(err)
	}
}

// awaitRunning waits until so many processes have a text in their command line.
func awaitRunning(t *testing.T, text string, want int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d processes run", want), func() error {
		if n := running(t, text); n != want {
			return fmt.Errorf("there are %d", n)
		}
		return nil
	})
}

// TestServer_SweepsWhatADeadOneLeft kills a server and its supervisors at once. What belongs to another server, which lives,
// must not be touched.
func TestServer_SweepsWhatADeadOneLeft(t *testing.T) {
	t.Parallel()
	temp, dead, alive := t.TempDir(), fmt.Sprintf("9%d.5", os.Getpid()), fmt.Sprintf("9%d.6", os.Getpid())
	line := `sh -c 'mkdir a; touch a/b; chmod 500 a; setsid sleep %[1]s & sleep %[1]s'`
	other := commandBinary(t, temp, fmt.Sprintf(line, alive))
	other.start("127.0.0.1:0")
	other.startJobs(1)
	awaitRunning(t, alive, 3+1) // the server has it in its command line as well

	b := commandBinary(t, temp, fmt.Sprintf(line, dead))
	b.start("127.0.0.1:0")
	b.startJobs(1)
	awaitRunning(t, dead, 3+1)
	killAtOnce(t, b.cmd.Process.Pid)
	b.wait()
	awaitRunning(t, dead, 2) // the parent-death signal of the command reaches only itself
	if dirs, err := os.ReadDir(temp); err != nil || len(dirs) != 2 {
		t.Fatalf("there are the directories %v: %v", dirs, err)
	}
	next := commandBinary(t, temp, "true")
	next.start("127.0.0.1:0")
	awaitRunning(t, dead, 0)
	awaitRunning(t, alive, 3+1)
	if dirs, err := os.ReadDir(temp); err != nil || len(dirs) != 1 {
		t.Errorf("there are left the directories %v: %v", dirs, err)
	}
	eventually(t, "the log says so", func() error {
		log := next.log.String()
		if !strings.Contains(log, "processes that commands of a dead server had left") || !strings.Contains(log, "directory of a run") {
			return errors.New(log)
		}
		return nil
	})
	other.kill()
	eventually(t, "the supervisor removes the directory of its run", func() error {
		if dirs, err := os.ReadDir(temp); err != nil || len(dirs) > 0 {
			return fmt.Errorf("there are %v: %w", dirs, err)
		}
		return nil
	})
}

// killAtOnce kills a process and its children.
func killAtOnce(t *testing.T, pid int) {
	t.Helper()
	children, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(children) == 0 {
		t.Fatal(children, err)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil { // so that it cannot tell the supervisors
		t.Fatal(err)
	}
	for _, file := range children {
		content, _ := os.ReadFile(file) // the thread may have ended
		for _, child := range strings.Fields(string(content)) {
			var supervisor int
			if _, err := fmt.Sscan(child, &supervisor); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(supervisor, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// TestServer_PausedPastATimeoutKeepsResults stops a server for longer than its runs may take, while a command ends in time.
func TestServer_PausedPastATimeoutKeepsResults(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	ended := filepath.Join(temp, "ended")
	// It tells that it has ended by its directory, which the supervisor removes.
	b := commandBinary(t, temp, fmt.Sprintf(`sh -c 'pwd >%s; sleep 1'`, ended), "--run-timeout", "3s")
	b.start("127.0.0.1:0")
	b.startJobs(1)
	var dir string
	eventually(t, "the command runs", func() error {
		content, err := os.ReadFile(ended)
		dir = strings.TrimSpace(string(content))
		if dir == "" {
			return fmt.Errorf("it does not: %w", err)
		}
		return nil
	})
	b.signal(syscall.SIGSTOP)
	paused := time.Now()
	eventually(t, "the command ends", func() error {
		if _, err := os.Lstat(dir); err == nil {
			return errors.New("it does not")
		}
		return nil
	})
	time.Sleep(time.Until(paused.Add(4 * time.Second))) // the time-out passes meanwhile
	b.signal(syscall.SIGCONT)
	b.waitUntilDone(1)
	if run := b.list("/process_runs").ProcessRuns[0]; run.Status != app.Completed.String() {
		t.Errorf("it is %s", run.Status)
	}
}

// TestServer_HasFewDescriptors has more commands than descriptors for them: they wait, and the log says so.
func TestServer_HasFewDescriptors(t *testing.T) {
	t.Parallel()
	b := commandBinary(t, t.TempDir(), `sh -c 'sleep 0.2; echo done'`, "--workers", "50")
	b.files = 64
	b.complains = true // the database may complain, too
	b.start("127.0.0.1:0")
	b.startJobs(50)
	b.waitUntilDone(50)
	if counts := b.list("/process_runs").Counts; counts["completed"] != 50 {
		var failed any
		_ = b.get("/process_runs?status=failed", &failed)
		t.Errorf("the counts are %v: %v", counts, failed)
	}
	if log := b.log.String(); !strings.Contains(log, "commands wait until there is room") {
		t.Errorf("the log does not say so: %s", log)
	}
}

// TestServer_HidesItsEnvironment also covers variables that it does not know.
func TestServer_HidesItsEnvironment(t *testing.T) {
	t.Parallel()
	secret := "tell-tale-" + url.QueryEscape(t.Name())
	b := newBinary(t, "--command", `job=sh -c 'cat /proc/*/environ 2>/dev/null | tr "\000" "\n"; env'`)
	b.env = []string{"PATH=" + os.Getenv("PATH"), "PGPASSWORD=" + secret, "LANG=C.UTF-8", "TZ=Europe/Zurich"}
	b.start("127.0.0.1:0")
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", b.cmd.Process.Pid))
	if os.Geteuid() == 0 && (err != nil || strings.Trim(string(environment), "\x00") != "") {
		t.Errorf("root sees %q: %v", environment, err)
	}
	b.startJobs(1)
	b.waitUntilDone(1)
	response, err := client.Get(b.url + "/process_runs/1/log")
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

func TestCommandUser_EndsTheProgramWithALineThatNamesTheFlag(t *testing.T) {
	t.Parallel()
	for _, user := range []string{"root", "no-such-user", "1:x"} {
		dir := t.TempDir()
		cmd := runCommand(t, "--command-user", user, "--database-url", "sqlite:"+filepath.Join(dir, "x.db"))
		var said strings.Builder
		cmd.Stderr = &said
		err := cmd.Run()
		if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(said.String(), "--command-user:") || strings.Count(said.String(), "\n") != 1 {
			t.Errorf("%s: %v, %q", user, err, said.String())
		}
		if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
			t.Errorf("%s: it creates %v: %v", user, files, err)
		}
	}
}
