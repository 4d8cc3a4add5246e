package chaos

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"runboard/e2e/harness"
	"runboard/e2e/script"
)

// wrapped returns the path of a script that runs a shell command and then becomes the program.
func wrapped(t *testing.T, before string) (path string) {
	t.Helper()
	program, err := harness.BuiltBinary()
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "runboard")
	script.Write(t, path, fmt.Sprintf("#!/bin/sh\n%s && exec %s \"$@\"\n", before, program))
	return path
}

// idlers opens n connections that send nothing. The test closes them at its end.
func idlers(t *testing.T, address string, n int) {
	t.Helper()
	for range n {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
}

func TestOpenFiles_IdleConnectionsAreEvicted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		files int
		args  []string
	}{
		{100, []string{"--workers=2"}},
		{256, nil},
		{256, []string{"--max-sockets-per-address=10", "--workers=2"}},
	} {
		t.Run(fmt.Sprint(c.files, c.args), func(t *testing.T) {
			t.Parallel()
			b := harness.NewProcess(t,
				append([]string{"--command", "list=/bin/sh -c 'ulimit -Sn'"}, c.args...)...)
			b.Files, b.AllowErrors = c.files, true
			b.Start("127.0.0.1:0")
			if text := b.Log.String(); !strings.Contains(text, "open_files="+fmt.Sprint(c.files)) ||
				!strings.Contains(text, "--max-sockets") {
				t.Errorf("the log does not say that files are few:\n%s", text)
			}
			address := strings.TrimPrefix(b.URL, "http://")
			idlers(t, address, 2*c.files)
			for range 3 {
				for _, path := range []string{"/up", "/process_runs"} {
					if err := b.Get(path, nil); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := b.Do(http.MethodPost, "/process_runs", "kind=list&count=20", nil); err != nil {
				t.Fatal(err)
			}
			idlers(t, address, c.files)
			b.WaitUntilDone(20)
			if counts := b.List("/process_runs").Counts; counts["completed"] != 20 {
				t.Errorf("the counts are %v", counts)
			}
			checkCommandFiles(t, b, c.files)
		})
	}
}

// checkCommandFiles checks that a command has the file limit with which the server was started, and no open
// file of the server.
func checkCommandFiles(t *testing.T, b *harness.Process, files int) {
	t.Helper()
	response, err := harness.Client.Get(b.URL + "/process_runs/1/log")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	if !lines.Scan() || lines.Text() != fmt.Sprint(files) {
		t.Errorf("a command may have %q files open, want %d", lines.Text(), files)
	}
}

// The Go runtime raises the soft limit of the server to the hard limit. Commands must not inherit that,
// because many programs break with a high limit.
func TestOpenFiles_CommandsKeepTheOriginalLimit(t *testing.T) {
	t.Parallel()
	b := harness.NewProcess(t, "--command", "list=/bin/sh -c 'ulimit -Sn; ulimit -Hn'")
	b.Program = wrapped(t, "ulimit -Sn 300 && ulimit -Hn 400")
	b.Start("127.0.0.1:0")
	harness.Eventually(t, "the server uses what it may", func() error {
		text := b.Log.String()
		if !regexp.MustCompile(`open_files=(399|400) `).MatchString(text) { // the runtime chooses one of them
			return fmt.Errorf("the log is %s", text)
		}
		return nil
	})
	if err := b.Do(http.MethodPost, "/process_runs", "kind=list&count=1", nil); err != nil {
		t.Fatal(err)
	}
	b.WaitUntilDone(1)
	response, err := harness.Client.Get(b.URL + "/process_runs/1/log")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if log, err := io.ReadAll(response.Body); err != nil || string(log) != "300\n400\n" {
		t.Errorf("a command has the limits %q, %v", log, err)
	}
}

func TestOpenFiles_BusyServerRefusesConnections(t *testing.T) {
	t.Parallel()
	b := harness.NewProcess(t, "--max-sockets-per-address=1000")
	b.Files = 256
	b.Start("127.0.0.1:0")
	address := strings.TrimPrefix(b.URL, "http://")
	var refused string
	for range 256 { // each becomes a socket, which the server does not evict
		conn, err := harness.RawSocket(address, "/process_runs/live")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetReadDeadline(time.Now().Add(harness.Patience))
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil { // the server closed it without an answer
			continue
		}
		if response.StatusCode != http.StatusSwitchingProtocols {
			refused = response.Status + " " + response.Header.Get("Retry-After")
			break
		}
	}
	if refused != "503 Service Unavailable 2" {
		t.Errorf("the first connection too many is answered with %q", refused)
	}
	harness.Eventually(t, "the log says so", func() error {
		if text := b.Log.String(); !strings.Contains(text, "too many connections") {
			return fmt.Errorf("it says %s", text)
		}
		return nil
	})
}
