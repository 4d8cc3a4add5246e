package jobs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"runboard/jobs"
)

func TestEnvVar_NamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, test := range []struct {
		variable jobs.EnvVar
		want     string
	}{
		{jobs.EnvVar{Name: "A", Env: "NO_SUCH_VARIABLE"}, "A: the variable NO_SUCH_VARIABLE is not set"},
		{jobs.EnvVar{Name: "A", File: dir}, "it is not a regular file"},
		{jobs.EnvVar{Name: "A", File: "/dev/zero"}, "/dev/zero cannot be read: it is not a regular file"},
		{jobs.EnvVar{Name: "A", File: write("zero", "a\x00b")},
			"zero cannot be read: it contains a zero byte"},
		{jobs.EnvVar{Name: "A", File: write("large", strings.Repeat("x", 128<<10))},
			"it has 128 KiB or more"},
	} {
		if _, err := test.variable.Value(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: the error is %v, want %s", test.variable, err, test.want)
		}
	}
	for content, want := range map[string]string{"": "", "\n": "", "a": "a", "a\n": "a", "a\n\n": "a\n",
		"a\r\n": "a\r", " a ": " a "} {
		if got, err := (jobs.EnvVar{Name: "A", File: write("key", content)}).
			Value(); err != nil || got != want {
			t.Errorf("%q is read as %q, %v, want %q", content, got, err, want)
		}
	}
}
