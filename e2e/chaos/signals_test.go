package chaos

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"runboard/e2e/harness"
)

// As in "runboard 2>&1 | tee log", when Ctrl-C ends tee first.
func TestSignals_ServerDrainsWithABrokenLog(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			b := harness.NewProcess(t, "--command", "slow=/bin/sleep 2", "--log-format="+format)
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd := harness.Command(t,
				append([]string{"--addr=127.0.0.1:0", "--database-url=" + b.Database}, b.Args...)...)
			cmd.Stdout, cmd.Stderr = write, write
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			b.Cmd, b.Ended = cmd, make(chan struct{})
			go func() { defer close(b.Ended); _ = cmd.Wait() }()
			_ = write.Close()
			line, err := bufio.NewReader(read).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			b.URL = harness.URLIn(t, line)
			harness.Eventually(t, "the program serves", func() error { return b.Get("/up", nil) })
			_ = read.Close()
			if err := b.Do(http.MethodPost, "/process_runs", "kind=slow&count=3", nil); err != nil {
				t.Fatal(err)
			}
			b.UntilAllStarted()
			b.Signal(syscall.SIGINT)
			if status := b.Wait(); status != 0 {
				t.Errorf("it ends with %d, %v", status, cmd.ProcessState)
			}
			b.Start("127.0.0.1:0")
			if counts := b.List("/process_runs").Counts; counts["completed"] != 3 {
				t.Errorf("after the drain the counts are %v", counts)
			}
		})
	}
}

// A server that is stopped while it opens the database must not say that the database is damaged.
func TestSignals_StopTheStart(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	cmd := harness.Command(t, "--addr=127.0.0.1:0", "--database-url=postgres://"+silent.Addr().String()+"/runs")
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	conn, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	text := log.String()
	if err != nil || strings.Contains(text, "database") || !strings.Contains(text, "stopped by a signal") {
		t.Errorf("it ends with %v and says %s", err, text)
	}
}

func TestSignals_AHangupDoesNotEndTheServer(t *testing.T) {
	t.Parallel()
	b := harness.StartProcess(t, harness.AtOnce...)
	for range 3 {
		b.Signal(syscall.SIGHUP)
	}
	harness.Eventually(t, "the log says so", func() error {
		if text := b.Log.String(); !strings.Contains(text, "SIGHUP is ignored") {
			return fmt.Errorf("it says %s", text)
		}
		return nil
	})
	b.Post(3)
	b.WaitUntilDone(3)
	b.Signal(syscall.SIGTERM)
	if status := b.Wait(); status != 0 {
		t.Errorf("it ends with %d", status)
	}
}

func TestSignals_CommandsHaveTheDefaults(t *testing.T) {
	t.Parallel()
	b := harness.StartProcess(t, "--command", "pipe=/bin/sh -c 'kill -PIPE $$; sleep 1; echo survived'",
		"--command", "hangup=/bin/sh -c 'kill -HUP $$; sleep 1; echo survived'")
	for _, kind := range []string{"pipe", "hangup"} {
		if err := b.Do(http.MethodPost, "/process_runs", "count=1&kind="+kind, nil); err != nil {
			t.Fatal(err)
		}
	}
	b.WaitUntilDone(2)
	if counts := b.List("/process_runs").Counts; counts["failed"] != 2 {
		t.Errorf("a command survives a signal that ends other programs: %v", counts)
	}
}
