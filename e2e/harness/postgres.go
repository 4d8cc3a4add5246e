package harness

import (
	"os"
	"path/filepath"
	"testing"
)

// SkipOnPostgres skips a test with -postgres if the store makes no difference to it: it tests HTTP, the
// browser, or a SQLite file.
func SkipOnPostgres(t testing.TB) {
	t.Helper()
	if *onServer {
		t.Skip("the store makes no difference to this test")
	}
}

// enterModule makes the root of the module the working directory, so that tests can name its files. Without
// the sources it does nothing.
func enterModule() {
	dir, err := os.Getwd()
	if err != nil {
		return
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			_ = os.Chdir(dir)
			return
		}
	}
}
