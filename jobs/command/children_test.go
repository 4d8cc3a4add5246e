//go:build linux

package command

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// TestChildren_ReapsUnkillableProcesses checks that the server reaps orphans that exit late. The server
// adopts what a supervisor leaves, and the kernel keeps an exited child until its parent waits for it.
func TestChildren_ReapsUnkillableProcesses(t *testing.T) {
	t.Parallel()
	attributes := &os.ProcAttr{Sys: &syscall.SysProcAttr{Setsid: true}}
	orphan, err := os.StartProcess("/bin/true", []string{"true"}, attributes)
	if err != nil {
		t.Fatal(err)
	}
	ownChildren.unreaped.Store(true)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		output(t, "true")
		if _, there := readProcess(orphan.Pid); !there {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the system still keeps it")
		}
	}
}
