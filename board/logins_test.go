package board

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"runboard/handlers"
)

// Two hashes of the password "open sesame".
const (
	hashA = "$2y$05$abcdefghijklmnopqrstuuQvXZQmFiNTvUTtmDc8GAYkkSFLh3KtS"
	hashB = "$2a$10$abcdefghijklmnopqrstuuQvXZQmFiNTvUTtmDc8GAYkkSFLh3KtS"
)

func write(t *testing.T, content string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadLoginFile_AcceptsHtpasswd(t *testing.T) {
	t.Parallel()
	for _, content := range []string{
		"anna:" + hashA + "\nbert:" + hashB + "\n",
		"\ufeff# users\r\n\r\nanna:" + hashA + "\r\n  bert:" + hashB,
	} {
		logins, err := readLoginFile(write(t, content))
		if err != nil || len(logins) != 2 || logins[0] != (handlers.Login{User: "anna", Hash: hashA}) ||
			logins[1] != (handlers.Login{User: "bert", Hash: hashB}) {
			t.Errorf("%q is read as %v: %v", content, logins, err)
		}
	}
}

func TestReadLoginFile_RejectsWithoutSecrets(t *testing.T) {
	t.Parallel()
	for _, content := range []string{
		"", "# nothing\n", "anna", "anna:", ":" + hashA, "anna:hunter2hunter2", "anna:{SHA}hunter2hunter2=",
		"anna:$apr1$x$hunter2hunter2", "anna:" + hashA[:59], "anna:" + hashA + "x",
		"anna:" + strings.Replace(hashA, "$05$", "$31$", 1),
		"anna:" + strings.Replace(hashA, "$05$", "$03$", 1), "anna:" + hashA + ":x",
		"anna:" + hashA + "\nanna:" + hashB, "an\x00na:" + hashA, "anna: " + hashA, "an\u202ena:" + hashA,
	} {
		logins, err := readLoginFile(write(t, content))
		if err == nil {
			t.Errorf("%q is read as %v", content, logins)
		} else if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "$") ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%q is refused with %q", content, err)
		}
	}
	if _, err := readLoginFile(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there is read")
	}
}

func TestReadLogins_MergesFileAndFlag(t *testing.T) {
	t.Parallel()
	path := write(t, "anna:"+hashA)
	logins, err := with(func(c *Config) { c.AuthFile, c.Auth = path, "bert:hunter2" }).readLogins()
	want := []handlers.Login{{User: "anna", Hash: hashA}, {User: "bert", Password: "hunter2"}}
	if err != nil || !slices.Equal(logins, want) {
		t.Errorf("the logins are %v: %v", logins, err)
	}
	for what, config := range map[string]Config{
		"a user in both": with(func(c *Config) { c.AuthFile, c.Auth = path, "anna:hunter2" }),
		"a missing file": with(func(c *Config) { c.AuthFile = path + "x" }),
	} {
		_, err := config.readLogins()
		if err == nil || !strings.HasPrefix(err.Error(), "--auth-file: ") {
			t.Errorf("%s is refused with %v", what, err)
		}
	}
}
