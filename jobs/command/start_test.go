package command

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
)

// A command that runs as root can write eight bytes of its own into the pipe on which its
// start reports an error.
func TestStart_RejectsForgedErrors(t *testing.T) {
	t.Parallel()
	for errno, want := range map[syscall.Errno]bool{
		syscall.ENOENT: false, syscall.EAGAIN: false, maxErrno: false, maxErrno + 1: true,
		2478217176983872123: true,
	} {
		if got := isForged(fmt.Errorf("fork/exec /bin/sh: %w", errno)); got != want {
			t.Errorf("of errno %d, it says %t", uintptr(errno), got)
		}
	}
}

// The test is not parallel, because other tests start commands.
func TestStart_NeedsMain(t *testing.T) {
	prepared.Store(false)
	defer prepared.Store(true)
	spec := Spec{Path: "/bin/true", Args: []string{"true"}, Dir: t.TempDir()}
	if _, err := Start(spec, os.Stdout, os.Stderr); !errors.Is(err, ErrNotPrepared) {
		t.Errorf("without a call of Main it fails with %v", err)
	}
}
