package main

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
)

// Like "runboard 2>&1 | tee log" when Ctrl-C ends tee first.
func TestSignals_TheServerDrainsWhenItsLogIsNoLongerRead(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			b := newBinary(t, "--command", "slow=/bin/sleep 2", "--log-format="+format)
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd := runCommand(t, append([]string{"--addr=127.0.0.1:0", "--database-url=" + b.database}, b.args...)...)
			cmd.Stdout, cmd.Stderr = write, write
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			b.cmd, b.ended = cmd, make(chan struct{})
			go func() { defer close(b.ended); _ = cmd.Wait() }()
			_ = write.Close()
			line, err := bufio.NewReader(read).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			b.url = urlIn(t, line)
			eventually(t, "the program serves", func() error { return b.get("/up", nil) })
			_ = read.Close()
			if err := b.do(http.MethodPost, "/process_runs", "kind=slow&count=3", nil); err != nil {
				t.Fatal(err)
			}
			b.untilStarted(3)
			b.signal(syscall.SIGINT)
			if status := b.wait(); status != 0 {
				t.Errorf("it ends with %d, %v", status, cmd.ProcessState)
			}
			b.start("127.0.0.1:0")
			if counts := b.list("/process_runs").Counts; counts["completed"] != 3 {
				t.Errorf("after the drain the counts are %v", counts)
			}
		})
	}
}

func TestSignals_AHangupDoesNotEndTheServer(t *testing.T) {
	t.Parallel()
	b := startBinary(t, atOnce...)
	for range 3 {
		b.signal(syscall.SIGHUP)
	}
	eventually(t, "the log says so", func() error {
		if text := b.log.String(); !strings.Contains(text, "SIGHUP is ignored") {
			return fmt.Errorf("it says %s", text)
		}
		return nil
	})
	b.post(3)
	b.waitUntilDone(3)
	b.signal(syscall.SIGTERM)
	if status := b.wait(); status != 0 {
		t.Errorf("it ends with %d", status)
	}
}

func TestSignals_CommandsHaveTheDefaults(t *testing.T) {
	t.Parallel()
	b := startBinary(t, "--command", "pipe=/bin/sh -c 'kill -PIPE $$; sleep 1; echo survived'", "--command", "hangup=/bin/sh -c 'kill -HUP $$; sleep 1; echo survived'")
	for _, kind := range []string{"pipe", "hangup"} {
		if err := b.do(http.MethodPost, "/process_runs", "count=1&kind="+kind, nil); err != nil {
			t.Fatal(err)
		}
	}
	b.waitUntilDone(2)
	if counts := b.list("/process_runs").Counts; counts["failed"] != 2 {
		t.Errorf("a command survives a signal that ends other programs: %v", counts)
	}
}
