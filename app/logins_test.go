package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"runboard/app"
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

func TestReadLogins_TakesWhatHtpasswdWrites(t *testing.T) {
	t.Parallel()
	for _, content := range []string{
		"anna:" + hashA + "\nbert:" + hashB + "\n",
		"\ufeff# users\r\n\r\nanna:" + hashA + "\r\n  bert:" + hashB,
	} {
		logins, err := app.ReadLogins(write(t, content))
		if err != nil || len(logins) != 2 || logins[0] != (app.Login{User: "anna", Hash: hashA}) || logins[1] != (app.Login{User: "bert", Hash: hashB}) {
			t.Errorf("%q is read as %v: %v", content, logins, err)
		}
	}
}

func TestReadLogins_RefusesTheRestWithoutRepeatingIt(t *testing.T) {
	t.Parallel()
	for _, content := range []string{
		"", "# nothing\n", "anna", "anna:", ":" + hashA, "anna:hunter2hunter2", "anna:{SHA}hunter2hunter2=", "anna:$apr1$x$hunter2hunter2",
		"anna:" + hashA[:59], "anna:" + hashA + "x", "anna:" + strings.Replace(hashA, "$05$", "$31$", 1), "anna:" + strings.Replace(hashA, "$05$", "$03$", 1),
		"anna:" + hashA + ":x", "anna:" + hashA + "\nanna:" + hashB, "an\x00na:" + hashA, "anna: " + hashA, "an\u202ena:" + hashA,
	} {
		logins, err := app.ReadLogins(write(t, content))
		if err == nil {
			t.Errorf("%q is read as %v", content, logins)
		} else if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "$") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q is refused with %q", content, err)
		}
	}
	if _, err := app.ReadLogins(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there is read")
	}
}

func TestLoad_ReadsTheUsersOnce(t *testing.T) {
	t.Parallel()
	path := write(t, "anna:"+hashA)
	config := with(func(c *app.Config) { c.AuthFile, c.Auth = path, "bert:hunter2" })
	if err := config.Load(); err != nil || len(config.Logins) != 1 {
		t.Errorf("it has %v: %v", config.Logins, err)
	}
	twice := with(func(c *app.Config) { c.AuthFile, c.Auth = path, "anna:hunter2" })
	if err := twice.Load(); err == nil || !strings.HasPrefix(err.Error(), "--auth-file: ") {
		t.Errorf("a user of both is refused with %v", err)
	}
	missing := with(func(c *app.Config) { c.AuthFile = path + "x" })
	if err := missing.Load(); err == nil || !strings.HasPrefix(err.Error(), "--auth-file: ") {
		t.Errorf("a file that is not there is refused with %v", err)
	}
}
