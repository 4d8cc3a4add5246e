package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"runboard/app"
	"runboard/jobs/command"
)

// explain makes an error, or none, of how a command ended.
func explain(ctx context.Context, result command.Result, last *lastLines) error {
	switch {
	case result.Left != "":
		return stillRunning(result.Left)
	case result.Problem != "":
		return errors.New("the command could not be started: " + result.Problem)
	case (result.Stopped || result.Killed) && ctx.Err() == nil: // by its supervisor, not from here
		return app.ErrLeaseLost
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

// stillRunning is the error of a command of which processes are left that cannot be killed. It names them.
type stillRunning string

func (s stillRunning) Error() string {
	return string(s) + " cannot be killed and may still run, as another user or waiting for a disk"
}

// inTime is an error of work that has ended before it had to stop, or nil in it: then it has not taken too long, even if
// the time-out is noticed first because the server was paused.
type inTime struct{ error }

// lastLines keeps what a command said last, to explain why it failed: of its errors if it wrote any, else of its output.
// Lines of both would come in one order or another, and what fails alike would not look alike.
type lastLines struct {
	mu    sync.Mutex
	lines [2][]string // by stream
}

const (
	lastCount  = 5
	lastLength = 160 // characters of each: five of them fit into an error
)

func (l *lastLines) add(stream app.Stream, line string) {
	if line = strings.TrimSpace(line); l == nil || line == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines[stream]
	if len(lines) == lastCount {
		copy(lines, lines[1:])
		lines = lines[:lastCount-1]
	}
	l.lines[stream] = append(lines, line)
}

// shortened cuts a line to the length that has room in an error.
func shortened(line string) string {
	if runes := []rune(line); len(runes) > lastLength {
		return string(runes[:lastLength-1]) + "…"
	}
	return line
}

// String is what follows the reason in an error.
func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, stream := range []app.Stream{app.Stderr, app.Stdout} {
		var text strings.Builder
		for _, line := range l.lines[stream] {
			text.WriteString("\n" + shortened(line))
		}
		if text.Len() > 0 {
			return text.String()
		}
	}
	return ""
}
