package http

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"runboard/board"
	"runboard/e2e/harness"
)

// hashLine runs runboard hash-password and returns its output, its error output and its exit status.
func hashLine(t *testing.T, stdin string, args ...string) (line, complaint string, status int) {
	t.Helper()
	cmd := harness.Command(t, append([]string{"hash-password"}, args...)...)
	var out, errors bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errors
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errors.String(), cmd.ProcessState.ExitCode()
}

func TestHashPassword_MakesALineForTheAuthFile(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	for _, c := range []struct {
		stdin, begins string
		args          []string
	}{
		{"correct horse\n", "anna:$2a$10$", []string{"anna"}},
		{"correct: horse", "anna:$2a$10$", []string{"anna"}},
		{"anna:correct: horse\r\n", "anna:$2a$10$", nil},
		{"correct horse\n", "$2a$10$", nil},
	} {
		line, complaint, status := hashLine(t, c.stdin, c.args...)
		if status != 0 || complaint != "" || !strings.HasPrefix(line, c.begins) ||
			strings.Count(line, "\n") != 1 || strings.Contains(line, "horse") {
			t.Errorf("%q %q: %d %q %q", c.args, c.stdin, status, line, complaint)
		}
	}
	for _, c := range []struct {
		stdin string
		args  []string
	}{
		{"", []string{"anna"}}, {"hunter2\n", []string{"anna"}}, {"anna:hunter2\n", nil},
		{"hunter2hunter2\n", []string{"an:na"}},
		{strings.Repeat("hunter2", 11), []string{"anna"}}, {"hunter2\x00hunter2\n", []string{"anna"}},
		{"hunter2hunter2", []string{"--cost"}},
		{"hunter2hunter2", []string{"anna", "bert"}}, {":hunter2hunter2", nil},
		{"hunter2hunter2", []string{""}},
	} {
		line, complaint, status := hashLine(t, c.stdin, c.args...)
		if status != 2 || line != "" || strings.Count(complaint, "\n") != 1 ||
			strings.Contains(complaint, "hunter2") {
			t.Errorf("%q %q: %d %q %q", c.args, c.stdin, status, line, complaint)
		}
	}
}

// authFile creates an auth file with anna ("correct horse") and bert ("battery staple").
func authFile(t *testing.T) (path string) {
	t.Helper()
	anna, _, _ := hashLine(t, "correct horse\n", "anna")
	bert, _, _ := hashLine(t, "battery staple\n", "bert")
	path = filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(path, []byte("# users\n"+anna+bert), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// login requests the list from a local address, with credentials.
func login(t *testing.T, url, from, user, password string) (status int, header http.Header) {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: harness.Patience}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: dialer.DialContext}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/process_runs", nil)
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		request.SetBasicAuth(user, password)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode, response.Header
}

func TestLogins_GuessesAreLimitedAndLogged(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, "--auth-file="+authFile(t))
	for user, password := range map[string]string{"anna": "correct horse", "bert": "battery staple"} {
		if status, _ := login(t, b.URL, "127.0.0.1", user, password); status != http.StatusOK {
			t.Errorf("%s is answered with %d", user, status)
		}
	}
	if status, header := login(t, b.URL, "127.0.0.1", "", ""); status != http.StatusUnauthorized ||
		header.Get("WWW-Authenticate") == "" {
		t.Errorf("a browser that asks first is answered with %d, %v", status, header)
	}

	const guesser = "127.0.0.2"
	var guessing sync.WaitGroup
	var mu sync.Mutex
	statuses, retry := map[int]int{}, ""
	for i := range 200 {
		guessing.Go(func() {
			status, header := login(t, b.URL, guesser, "anna", fmt.Sprint("guess ", i))
			mu.Lock()
			defer mu.Unlock()
			statuses[status]++
			if status == http.StatusTooManyRequests {
				retry = header.Get("Retry-After")
			}
		})
	}
	guessing.Wait()
	if statuses[http.StatusUnauthorized]+statuses[http.StatusTooManyRequests] != 200 ||
		statuses[http.StatusUnauthorized] > 30 || retry == "" {
		t.Errorf("200 guesses are answered with %v, to be retried after %q", statuses, retry)
	}
	if status, _ := login(t, b.URL, "127.0.0.1", "anna", "correct horse"); status != http.StatusOK {
		t.Errorf("the user is locked out by another address: %d", status)
	}
	began := time.Now()
	harness.Eventually(t, "the user is let in from the limited address", func() error {
		if status, _ := login(t, b.URL, guesser, "anna", "correct horse"); status != http.StatusOK {
			return fmt.Errorf("it is answered with %d", status)
		}
		return nil
	})
	t.Logf("let in again after %v", time.Since(began))
	b.Signal(15)
	if status := b.Wait(); status != 0 {
		t.Errorf("it ends with %d", status)
	}
	text := b.Log.String()
	if lines := strings.Count(text, `msg="login refused" address=127.0.0.2 user=anna number=`); lines < 1 ||
		lines > 4 || strings.Contains(text, "guess") {
		t.Errorf("%d lines tell of the guesses:\n%s", lines, text)
	}
}

func TestLogins_AreRequiredBeyondLoopback(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	users := authFile(t)
	empty := filepath.Join(t.TempDir(), "none")
	if err := os.WriteFile(empty, []byte("anna:hunter2hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		flag string
		args []string
	}{
		{"--auth-file", []string{"--addr=127.0.0.1:0", "--auth-file=" + empty}},
		{"--auth-file", []string{"--addr=127.0.0.1:0", "--auth-file=" + empty + "x"}},
		{"--auth", []string{"--addr=:0", "--auth=anna:short"}},
		{"--auth", []string{"--addr=:0", "--auth=anna:short", "--auth-file=" + users}},
		{"--auth-file", []string{"--addr=127.0.0.1:0", "--auth=anna:short", "--auth-file=" + users}},
		{"--addr", []string{"--addr=:0"}},
	} {
		out, status := runToEnd(t, nil, c.args...)
		checkRefusal(t, c.flag, out, status)
		if strings.Contains(out, "short") || strings.Contains(out, "hunter2") {
			t.Errorf("it repeats the secret: %s", out)
		}
	}
	b := harness.NewProcess(t, "--auth-file="+users)
	b.Start("0.0.0.0:0")
}

func TestSecrets_LeaveTheEnvironment(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Setenv("AUTH", "anna:hunter2hunter2")
	t.Setenv("DATABASE_URL", "sqlite:elsewhere.db")
	config, err := board.ParseConfig(nil)
	if err != nil || config.Auth != "anna:hunter2hunter2" || config.DatabaseURL != "sqlite:elsewhere.db" {
		t.Fatalf("they are not read: %v", err)
	}
	out, err := exec.Command("/usr/bin/env").Output()
	if err != nil || bytes.Contains(out, []byte("AUTH=")) || bytes.Contains(out, []byte("DATABASE_URL=")) {
		t.Errorf("a child finds them in its environment: %v", err)
	}
}
