package harness

import (
	"os"
	"path/filepath"
	"testing"
)

// ReadFile returns the content of a file, which a path from the root of the module names.
func ReadFile(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
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
