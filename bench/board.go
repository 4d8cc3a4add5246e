package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is a child process that serves HTTP and logs its address on stderr.
type server struct {
	url     string
	cmd     *exec.Cmd
	started time.Time // before the process was started
}

var listening = regexp.MustCompile(`listening on (http://[^"\s]+)`)

// startServer starts a program and waits until it logs the address that it listens on. The environment of the
// program has only PATH. The caller stops the server.
func startServer(name string, args ...string) (*server, error) {
	s := &server{cmd: exec.Command(name, args...), started: time.Now()}
	s.cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	output, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if found := listening.FindStringSubmatch(lines.Text()); found != nil {
			s.url = found[1]
			go func() { _, _ = io.Copy(io.Discard, output) }()
			return s, nil
		}
	}
	return nil, fmt.Errorf("%s does not serve", name)
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// stop sends SIGTERM and waits until the process has exited.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
}

// startBoard starts Runboard with work that takes no time and without rate limits, and waits until it serves
// pages. An empty database stands for a new file. Later args override the usual ones. The caller stops the
// server.
func (b *bench) startBoard(database string, args ...string) (*server, error) {
	return b.startBinary(b.binary, database, args...)
}

// startBinary is startBoard for any Runboard binary.
func (b *bench) startBinary(binary, database string, args ...string) (*server, error) {
	if database == "" {
		dir, err := os.MkdirTemp(b.dir, "board")
		if err != nil {
			return nil, err
		}
		database = filepath.Join(dir, "runboard.db")
	}
	usual := []string{
		"--addr=127.0.0.1:0", "--database-url=sqlite:" + database, "--delay-min=0s", "--delay-max=0s",
		"--failure-rate=0", "--post-rate=0", "--upgrade-rate=0", "--max-sockets=30000",
		"--max-sockets-per-address=30000", "--keep-max=0", "--keep-finished=0",
	}
	s, err := startServer(binary, append(usual, args...)...)
	if err != nil {
		return nil, err
	}
	return s, s.waitUntilUp()
}

// waitUntilUp waits up to five minutes until the list of runs is served.
func (s *server) waitUntilUp() error {
	deadline := time.Now().Add(5 * time.Minute)
	for ; time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if response, err := http.Get(s.url + "/process_runs"); err == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
	return errors.New("the board does not come up")
}

// boardPage is the part of the JSON list of runs that the benchmarks read.
type boardPage struct {
	Runs   []struct{ ID int64 } `json:"process_runs"`
	Counts map[string]int64     `json:"counts"`
}

// requestJSON sends a request for JSON, with form as its body unless it is nil, and decodes the response.
// A status of 300 or more is an error.
func (s *server) requestJSON(method, path string, form url.Values) (page boardPage, err error) {
	request, err := http.NewRequest(method, s.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		return page, err
	}
	request.Header.Set("Accept", "application/json")
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return page, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, response.Status, body)
	}
	if err != nil {
		return page, err
	}
	return page, json.Unmarshal(body, &page)
}

// createRuns creates count runs in one request.
func (s *server) createRuns(count int) error {
	_, err := s.requestJSON(http.MethodPost, "/process_runs", url.Values{"count": {strconv.Itoa(count)}})
	return err
}

// waitUntilDone waits up to five minutes until at least this many runs are completed.
func (s *server) waitUntilDone(runs int64) error {
	deadline := time.Now().Add(5 * time.Minute)
	for ; time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		page, err := s.requestJSON(http.MethodGet, "/process_runs", nil)
		if err != nil {
			return err
		}
		if page.Counts["completed"] >= runs {
			return nil
		}
	}
	return errors.New("the runs are not done")
}

// read sends a request and returns the body of the response, whatever its status.
func read(request *http.Request) ([]byte, error) {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}
