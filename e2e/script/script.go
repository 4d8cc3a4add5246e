// Package script writes programs that tests execute.
package script

import (
	"os"
	"syscall"
	"testing"
)

// Write writes an executable file. No other goroutine starts a process meanwhile: the child would inherit the
// open file until it executes its own program, and a file that is open for writing cannot be executed
// (ETXTBSY).
func Write(t testing.TB, path, text string) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}
