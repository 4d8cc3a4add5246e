package harness

import (
	"os"
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
