package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"runboard/jobs/supervisor"
)

// explain makes an error, or none, of how a command ended.
func explain(ctx context.Context, result supervisor.Result, last *lastLines) error {
	switch {
	case result.Problem != "":
		return errors.New("the command could not be started: " + result.Problem)
	case result.Killed:
		return fmt.Errorf("it did not stop within %v of SIGTERM and was killed", grace(ctx))
	case result.Stopped: // whatever it says of itself: it was not let finish
		return context.Cause(ctx)
	case result.Signal != 0:
		return errors.New("ended by the signal " + unix.SignalName(result.Signal) + last.String())
	case result.Code != 0:
		return fmt.Errorf("exit status %d%s", result.Code, last)
	}
	return nil
}

// lastLines keeps what a command said last, to explain why it failed.
type lastLines struct {
	mu    sync.Mutex
	lines []string
}

const (
	lastCount  = 5
	lastLength = 160 // characters of each: five of them fit into an error
)

func (l *lastLines) add(line string) {
	if line = strings.TrimSpace(line); l == nil || line == "" {
		return
	}
	if runes := []rune(line); len(runes) > lastLength {
		line = string(runes[:lastLength-1]) + "…"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	l.lines = l.lines[max(0, len(l.lines)-lastCount):]
}

// String is what follows the reason in an error.
func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines) == 0 {
		return ""
	}
	return "\n" + strings.Join(l.lines, "\n")
}
