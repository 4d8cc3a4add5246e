//go:build linux

package command

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// TestFamily_ReapsWhatCouldNotBeKilled: what a supervisor has left becomes a child of the server, and the system
// keeps it after its end until the server takes note of that.
func TestFamily_ReapsWhatCouldNotBeKilled(t *testing.T) {
	t.Parallel()
	attributes := &os.ProcAttr{Sys: &syscall.SysProcAttr{Setsid: true}}
	orphan, err := os.StartProcess("/bin/true", []string{"true"}, attributes)
	if err != nil {
		t.Fatal(err)
	}
	family.left.Store(true)
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
