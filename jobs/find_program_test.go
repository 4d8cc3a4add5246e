package jobs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"runboard/e2e/script"
	"runboard/jobs"
)

func TestFindProgram_SaysWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	script.Write(t, filepath.Join(dir, "found.sh"), "#!/bin/sh\n")
	text := filepath.Join(dir, "text.sh")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"missing":       "no directory of PATH has missing",
		dir + "/gone":   dir + "/gone does not exist",
		dir:             "is a directory",
		text:            text + " is not executable, which chmod +x makes it",
		text + "/below": "not a directory",
	} {
		if _, err := jobs.FindProgram(name); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if path, err := jobs.FindProgram("found.sh"); err != nil || path != filepath.Join(dir, "found.sh") {
		t.Errorf("the program is %q, %v", path, err)
	}
}
