package command

import (
	"fmt"
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
