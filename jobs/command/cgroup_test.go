//go:build linux

package command

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// output runs a shell command line and returns its output. The test fails unless the command exits with 0.
func output(t *testing.T, line string) string {
	t.Helper()
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	process, err := Start(Spec{Path: "/bin/sh", Args: []string{"sh", "-c", line}, Dir: t.TempDir(),
		Env: os.Environ()}, to, to)
	if err != nil {
		t.Fatal(err)
	}
	_ = to.Close()
	written, err := io.ReadAll(from)
	if err != nil {
		t.Fatal(err)
	}
	if result, err := process.Wait(); err != nil || result.Problem != "" || result.Code != 0 {
		t.Fatalf("it ends with %+v: %v", result, err)
	}
	return string(written)
}

// TestStart_UsesACgroup checks that a command runs in a cgroup where one can be created, and that none is
// left, including those that the command created itself.
func TestStart_UsesACgroup(t *testing.T) {
	t.Parallel()
	probe := newCgroup()
	removeCgroup(probe)
	in := output(t, `c=$(sed -n "s|^0::||p" /proc/self/cgroup); mkdir -p `+ownCgroup()+
		`/$(basename "$c")/below/it; echo "$c"`)
	if found := strings.Contains(in, cgroupPrefix+instance()); found != (probe != "") {
		t.Errorf("with %q for a probe, a command is in %q", probe, in)
	}
	if probe == "" {
		return
	}
	its := filepath.Join(ownCgroup(), filepath.Base(strings.TrimSpace(in))) // parallel tests have others
	if _, err := os.Stat(its); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", its, err)
	}
}

// TestStart_WorksWithoutACgroup covers containers in which a cgroup can be created but no process
// may be started in it.
func TestStart_WorksWithoutACgroup(t *testing.T) {
	t.Parallel()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	notOne := t.TempDir()
	pid, err := start(Spec{Path: "/bin/true", Args: []string{"true"}, Dir: t.TempDir(), Cgroup: notOne})
	if err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || status.ExitStatus() != 0 {
		t.Errorf("it ends with %v: %v", status, err)
	}
}

// TestIsDead_RecognizesLiveProcesses checks that a server counts as alive unless it is known to be dead.
func TestIsDead_RecognizesLiveProcesses(t *testing.T) {
	t.Parallel()
	self := instance()
	namespace, rest, _ := strings.Cut(self, ".")
	pid, _, _ := strings.Cut(rest, ".")
	for other, dead := range map[string]bool{
		self: false, "": false, "nonsense": false, namespace + ".1": false, "1." + rest: false,
		namespace + ".0.5": false,
		// 4194304 exceeds the highest pid.
		namespace + "." + pid + ".1": true, namespace + ".4194304.1": true,
	} {
		if isDead(other) != dead {
			t.Errorf("%q is taken for dead: %t", other, !dead)
		}
	}
}
