package http

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"runboard/board"
	"runboard/e2e/harness"
)

func TestDatabase_SecondProcessIsRefused(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, harness.AtOnce...)
	b.Post(3)
	b.WaitUntilDone(3)
	out, status := runToEnd(t, nil, "--addr", "127.0.0.1:0", "--database-url", b.Database)
	if status != 1 || strings.Count(out, "\n") != 1 || !strings.Contains(out, filepath.Base(b.File())) {
		t.Errorf("the second process ends with %d and says %q", status, out)
	}
	b.Post(2)
	b.WaitUntilDone(5)
}

// runToEnd runs a process that must end by itself, in an empty directory that must stay empty.
func runToEnd(t *testing.T, environment []string, args ...string) (out string, status int) {
	t.Helper()
	cmd := harness.Command(t, args...)
	cmd.Dir, cmd.Env = t.TempDir(), append(cmd.Env, environment...)
	timer := time.AfterFunc(harness.Patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	said, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(cmd.Dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v behind, %v", left, err)
	}
	return string(said), cmd.ProcessState.ExitCode()
}

func TestConfig_InvalidSettingsAreRefusedInOneLine(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	for _, wrong := range wrongSettings {
		flag := strings.SplitN(wrong, "=", 2)[0]
		t.Run(wrong, func(t *testing.T) {
			out, status := runToEnd(t, nil, "--addr=127.0.0.1:0", "--"+wrong)
			checkRefusal(t, flag, out, status)
		})
		t.Run(wrong+" in the environment", func(t *testing.T) {
			name, value, _ := strings.Cut(wrong, "=")
			name = strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
			out, status := runToEnd(t, []string{name + "=" + value})
			checkRefusal(t, flag, out, status)
		})
	}
	for _, args := range [][]string{{"--no-such-flag"}, {"no-such-command"}, {"--workers"}} {
		t.Run(args[0], func(t *testing.T) {
			out, status := runToEnd(t, nil, args...)
			checkRefusal(t, strings.TrimPrefix(args[0], "--"), out, status)
		})
	}
}

func checkRefusal(t *testing.T, flag, out string, status int) {
	t.Helper()
	if status != 2 || strings.Count(out, "\n") != 1 || !strings.Contains(out, flag) {
		t.Errorf("it ends with %d and says %q", status, out)
	}
}

var wrongSettings = []string{
	"addr=127.0.0.1", "addr=127.0.0.1:99999", "addr=:3000", "addr=0.0.0.0:3000", "addr=127.0.0.1:",
	"database-url=runboard.db", "database-url=sqlite:", "database-url=sqlite::memory:",
	"database-url=mysql://a:b@c/d",
	"workers=0", "workers=-1", "workers=ten", "workers=1.5", "workers=99999999999999999999",
	"delay-min=-1s", "delay-min=2", "delay-max=1s", "delay-max=soon", "max-log-bytes=much",
	"max-log-bytes=-1", "keep-finished=7D", "keep-finished=-7d", "keep-finished=d",
	"failure-rate=1.1", "failure-rate=-0.1", "failure-rate=NaN", "failure-rate=often",
	"max-attempts=0", "max-crashes=0", "run-timeout=0s", "run-timeout=1", "drain-timeout=-1s",
	"drain-timeout=long",
	"synchronous=off", "max-pending=0", "max-sockets=0", "max-sockets-per-address=0",
	"upgrade-rate=-1", "upgrade-rate=Inf", "post-rate=-1", "post-rate=x",
	"public-origin=board.example", "public-origin=https://board.example/path", "auth=user", "auth=:",
	"log-format=xml",
}

func TestParse_ReadsDurationsInDays(t *testing.T) {
	harness.SkipOnPostgres(t)
	config, err := board.ParseConfig([]string{"--keep-finished=7d", "--run-timeout=1d12h",
		"--drain-timeout=0", "--delay-max=1m30s"})
	if err != nil || config.KeepFinished != 7*24*time.Hour || config.RunTimeout != 36*time.Hour ||
		config.DrainTimeout != 0 ||
		config.DelayMax != 90*time.Second {
		t.Errorf("%+v, %v", config, err)
	}
	t.Setenv("KEEP_FINISHED", "2w")
	if config, err = board.ParseConfig(nil); err != nil || config.KeepFinished != 14*24*time.Hour {
		t.Errorf("from the environment %v, %v", config.KeepFinished, err)
	}
}
