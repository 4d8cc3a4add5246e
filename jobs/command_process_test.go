package jobs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"runboard/app"
	"runboard/db/sqlite"
	"runboard/jobs"
)

// begin starts a queue for a command and creates a run of it.
func begin(t *testing.T, line string, change func(*jobs.Queue)) (store *sqlite.Store, id int64) {
	t.Helper()
	command, err := jobs.ParseCommand("job=" + line)
	if err != nil {
		t.Fatal(err)
	}
	store = openStore(t)
	queue := newQueue(store, command.Kind(app.Kind{}))
	if change != nil {
		change(queue)
	}
	start(t, queue)
	return store, create(t, store, "job", 1)
}

// end waits until a run is final, and returns it with its log.
func end(t *testing.T, store *sqlite.Store, id int64) (run app.ProcessRun, log string) {
	t.Helper()
	waitUntil(t, store, "the end of the run", func() bool {
		run = read(t, store, id)
		return run.Status.Final()
	})
	return run, textOf(logOf(t, store, id))
}

func TestCommand_ExitStatusDecidesTheResult(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]struct {
		status app.Status
		err    string
		log    string
	}{
		`true`:                                   {app.Completed, "", ""},
		`false`:                                  {app.Failed, "exit status 1", ""},
		`sh -c 'echo out; echo err >&2; exit 3'`: {app.Failed, "exit status 3\n", ""},
		`sh -c 'seq 1 9; exit 255'`: {app.Failed, "exit status 255\n5\n6\n7\n8\n9",
			"1\n2\n3\n4\n5\n6\n7\n8\n9\n"},
		`sh -c 'kill -9 $$'`:                      {app.Failed, "ended by the signal SIGKILL", ""},
		`sh -c 'echo bye; kill -SEGV $$'`:         {app.Failed, "ended by the signal SIGSEGV\nbye", "bye\n"},
		`sh -c 'echo progress: 50% half; exit 2'`: {app.Failed, "exit status 2", "progress: 50% half\n"},
		`printf 'no end'`:                         {app.Completed, "", "no end\n"},
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			store, id := begin(t, line, nil)
			run, log := end(t, store, id)
			if run.Status != want.status || !strings.HasPrefix(run.Error, want.err) || want.log != "" &&
				log != want.log {
				t.Errorf("it ends %s, %q, with the log %q", run.Status, run.Error, log)
			}
		})
	}
}

func TestCommand_StreamsAreDistinguished(t *testing.T) {
	t.Parallel()
	store, id := begin(t, `sh -c 'echo out; sleep 0.3; echo err >&2; sleep 0.3; echo out again'`, nil)
	end(t, store, id)
	var got []string
	for _, line := range logOf(t, store, id).Lines {
		got = append(got, line.Stream.String()+" "+line.Text)
	}
	if want := []string{"stdout out\n", "stderr err\n", "stdout out again\n"}; !slices.Equal(got, want) {
		t.Errorf("the log is %q", got)
	}
}

// The two pipes of a command do not say which of two writes came first, but a line of stderr must not stand
// above those of stdout that were written before it.
func TestCommand_ErrorsStandBelowTheirOutput(t *testing.T) {
	t.Parallel()
	for name, pause := range map[string]string{"at once": "", "1 ms apart": "sleep 0.001;"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const lines = 300
			store, id := begin(t, fmt.Sprintf(
				`sh -c 'i=0; while [ $((i=i+1)) -le %d ]; do echo out $i; %s echo err $i >&2; %s done'`,
				lines, pause, pause), nil)
			end(t, store, id)
			var out, err int
			for _, line := range logOf(t, store, id).Lines {
				if line.Stream == app.Stdout {
					out++
					continue
				}
				if err++; out < err {
					t.Fatalf("%q stands above out %d", line.Text, err)
				}
			}
			if out != lines || err != lines {
				t.Errorf("the log has %d and %d lines", out, err)
			}
		})
	}
}

func TestCommand_EnvironmentIsSmall(t *testing.T) {
	t.Setenv("AUTH", "user:secret")
	t.Setenv("RUNBOARD_RUN_ID", "wrong")
	store, id := begin(t, `sh -c 'env; echo at $(pwd); ls -A; cat; touch left-over; echo in $(ls -A)'`, nil)
	run, log := end(t, store, id)
	var names []string
	for line := range strings.Lines(log) {
		if name, _, found := strings.Cut(line, "="); found {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if !slices.Contains([]string{"PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR", "PWD", "OLDPWD", "SHLVL",
			"_", "RUNBOARD_RUN_ID", "RUNBOARD_ATTEMPT", "RUNBOARD_KIND", "RUNBOARD_INSTANCE"}, name) {
			t.Errorf("it finds %s", name)
		}
	}
	for _, line := range []string{fmt.Sprintf("RUNBOARD_RUN_ID=%d\n", id), "RUNBOARD_ATTEMPT=1\n",
		"RUNBOARD_KIND=job\n", "in left-over\n"} {
		if !strings.Contains(log, line) {
			t.Errorf("there is no %q in %q", line, log)
		}
	}
	_, rest, _ := strings.Cut(log, "at ")
	dir, after, _ := strings.Cut(rest, "\n")
	if after != "in left-over\n" {
		t.Errorf("its directory is not empty, or it has input: %q", after)
	}
	if _, err := os.Stat(dir); run.Status != app.Completed || !filepath.IsAbs(dir) || !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", dir, err)
	}
}

func TestCommand_RunsInItsDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kinds, err := jobs.CommandKinds([]string{"job=sh -c 'pwd; touch kept'"}, "", dir, "")
	if err != nil {
		t.Fatal(err)
	}
	store := openStore(t)
	start(t, newQueue(store, kinds...))
	_, log := end(t, store, create(t, store, "job", 1))
	if _, err := os.Stat(filepath.Join(dir, "kept")); err != nil || log != dir+"\n" {
		t.Errorf("it was in %q: %v", log, err)
	}
}

// tree returns a command that starts other processes: one in its session, one in a session of its own,
// and one that ignores SIGTERM. Each sleeps for as many seconds as the marker says.
func tree(marker string) string {
	return fmt.Sprintf(`sh -c 'sleep %[1]s & setsid sleep %[1]s & (trap "" TERM; sleep %[1]s; sleep %[1]s) & echo ready; sleep %[1]s'`, marker)
}

func TestCommand_CancelStopsTheProcessTree(t *testing.T) {
	t.Parallel()
	mark := marker(t)
	store, id := begin(t, tree(mark), nil)
	awaitMarked(t, mark, 6) // the command, its subshell, and four sleeps
	if _, err := store.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	run, _ := end(t, store, id)
	if left := marked(t, mark); run.Status != app.Cancelled || len(left) > 0 {
		t.Errorf("it is %s, and there are left %q", run.Status, left)
	}
}

func TestCommand_IgnoringSIGTERMIsKilled(t *testing.T) {
	t.Parallel()
	mark := marker(t)
	store, id := begin(t, fmt.Sprintf(`sh -c 'trap "echo not yet" TERM; echo ready; while true; do sleep 0.1; : %s; done'`, mark), nil)
	waitUntil(t, store, "the trap", func() bool { return textOf(logOf(t, store, id)) == "ready\n" })
	if _, err := store.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	run, log := end(t, store, id)
	if run.Status != app.Cancelled || !strings.Contains(run.Error, "killed") ||
		!strings.Contains(log, "not yet") {
		t.Errorf("it is %s, %q, with the log %q", run.Status, run.Error, log)
	}
	if took := run.FinishedAt.Sub(run.CancelRequestedAt); took < 4*time.Second {
		t.Errorf("it had only %s", took)
	}
	if left := marked(t, mark); len(left) > 0 {
		t.Errorf("there are left %q", left)
	}
}

func TestCommand_StoppedIsCancelled(t *testing.T) {
	t.Parallel()
	store, id := begin(t, `sh -c 'trap "echo tidied; exit 0" TERM; echo ready; while true; do sleep 0.05; done'`, nil)
	waitUntil(t, store, "the trap", func() bool { return textOf(logOf(t, store, id)) == "ready\n" })
	if _, err := store.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	run, log := end(t, store, id)
	if run.Status != app.Cancelled || run.Error != "" || !strings.Contains(log, "tidied\n") {
		t.Errorf("it is %s, %q, with the log %q", run.Status, run.Error, log)
	}
}

func TestCommand_TimeoutStopsIt(t *testing.T) {
	t.Parallel()
	mark := marker(t)
	store, id := begin(t, tree(mark), func(q *jobs.Queue) { q.Executor.RunTimeout = time.Second })
	run, _ := end(t, store, id)
	if left := marked(t, mark); run.Status != app.Failed || run.Error != "timed out after 1 s (limit)" ||
		len(left) > 0 {
		t.Errorf("it is %s, %q, and there are left %q", run.Status, run.Error, left)
	}
}

func TestCommand_LeftoversAreStopped(t *testing.T) {
	t.Parallel()
	mark := marker(t)
	store, id := begin(t, fmt.Sprintf(`sh -c 'sleep %[1]s & setsid sleep %[1]s & sleep 0.2; echo done'`,
		mark), nil)
	run, log := end(t, store, id)
	if left := marked(t, mark); run.Status != app.Completed || log != "done\n" || len(left) > 0 {
		t.Errorf("it is %s, %q, and there are left %q", run.Status, log, left)
	}
}

func TestCommand_EndsWithItsSupervisor(t *testing.T) {
	t.Parallel()
	mark := marker(t)
	store, id := begin(t, fmt.Sprintf(`sh -c 'echo $PPID; sleep %[1]s & sleep %[1]s'`, mark), nil)
	waitUntil(t, store, "the supervisor", func() bool { return len(logOf(t, store, id).Lines) == 1 })
	awaitMarked(t, mark, 3)
	var supervisor int
	if _, err := fmt.Sscan(textOf(logOf(t, store, id)), &supervisor); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(supervisor, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	run, _ := end(t, store, id)
	awaitMarked(t, mark, 0)
	if run.Status != app.Failed || !strings.Contains(run.Error, "supervisor died") {
		t.Errorf("it is %s, %q", run.Status, run.Error)
	}
}

// awaitFiles waits until there are n files in a directory.
func awaitFiles(t *testing.T, dir string, n int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		files, err := os.ReadDir(dir)
		if err == nil && len(files) == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("instead of %d files there are %d: %v", n, len(files), err)
		}
	}
}

func TestCommand_FiftyRunAtOnce(t *testing.T) {
	t.Parallel()
	const n = 50
	dir, gate := t.TempDir(), filepath.Join(t.TempDir(), "gate")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	// Each command creates a file when it has started, and continues when the gate opens. It blocks on
	// the gate rather than poll, because fifty polling commands would use up the CPU.
	kinds, err := jobs.CommandKinds([]string{fmt.Sprintf(`job=sh -c 'touch $RUNBOARD_RUN_ID; : <%s; echo run $RUNBOARD_RUN_ID'`, gate)}, "", dir, "")
	if err != nil {
		t.Fatal(err)
	}
	store := openStore(t)
	queue := newQueue(store, kinds...)
	queue.Workers = n
	start(t, queue)
	first := create(t, store, "job", n)
	awaitFiles(t, dir, n)
	opened, err := os.OpenFile(gate, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	waitForCount(t, store, n, app.Completed)
	for id := first; id < first+n; id++ {
		if log := textOf(logOf(t, store, id)); log != fmt.Sprintf("run %d\n", id) {
			t.Errorf("the log of run %d is %q", id, log)
		}
	}
}

func TestCommand_MuchOutputDelaysNothing(t *testing.T) {
	t.Parallel()
	store, id := begin(t, `seq 1 200000`, nil)
	run, log := end(t, store, id)
	if whole := logOf(t, store, id); run.Status != app.Completed || whole.End != 1288895 ||
		!strings.HasSuffix(log, "\n199999\n200000\n") {
		t.Errorf("it is %s, and the log ends at %d with %q", run.Status, whole.End, log[max(0, len(log)-20):])
	}
}

func TestCommand_MayWriteAnyBytes(t *testing.T) {
	t.Parallel()
	store, id := begin(t, `sh -c 'head -c 300000 /dev/urandom; head -c 300000 /dev/urandom >&2; head -c 300000 /dev/zero; echo; echo end'`, nil)
	run, log := end(t, store, id)
	if run.Status != app.Completed || !strings.Contains(log, "\nend\n") ||
		strings.ContainsAny(log, "\x00\x1b\b") || strings.ToValidUTF8(log, "") != log {
		t.Errorf("it is %s, and the log has %d bytes", run.Status, len(log))
	}
}

func TestCommand_ErrorSaysThatItWasNotStarted(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "gone")) // runs have their directories there
	store, id := begin(t, "true", nil)
	run, _ := end(t, store, id)
	const want = "the command could not be started: the directory of the run cannot be created: "
	if run.Status != app.Failed || !strings.HasPrefix(run.Error, want) {
		t.Errorf("the run is %s: %s", run.Status, run.Error)
	}
}
