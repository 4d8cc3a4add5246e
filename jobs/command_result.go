package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/sys/unix"

	"runboard/app"
	"runboard/jobs/command"
)

// explain converts the result of a command to the error of the attempt, or nil.
func explain(ctx context.Context, result command.Result, last *lastLines) error {
	switch {
	case result.Left != "":
		return stillRunning(result.Left)
	case result.Problem != "":
		return notStarted(errors.New(result.Problem))
	case (result.Stopped || result.Killed) && ctx.Err() == nil: // by the supervisor when the lease ended
		return app.ErrLeaseLost
	case result.Killed:
		return fmt.Errorf("it did not stop within %v of SIGTERM and was killed", grace(ctx))
	case result.Stopped: // even with exit status 0, it could not finish
		return context.Cause(ctx)
	case result.Signal != 0:
		return errors.New("ended by the signal " + unix.SignalName(result.Signal) + last.String())
	case result.Code != 0:
		return fmt.Errorf("exit status %d%s", result.Code, last)
	}
	return nil
}

// stillRunning is the error for a command that left processes behind that cannot be killed. It
// names the processes.
type stillRunning string

func (s stillRunning) Error() string {
	return string(s) + " cannot be killed and may still run, as another user or waiting for a disk"
}

// lastLines keeps the last lines of a command to explain a failure: those of stderr if there are any,
// otherwise those of stdout. It does not mix the streams, because their order varies and equal failures
// would look different.
type lastLines struct {
	mu    sync.Mutex
	lines [2][]string // indexed by stream
}

const (
	lastCount  = 5
	lastLength = 160 // characters per line; five lines fit into an error
)

// add adds a line. It keeps the indentation, which a stack trace needs, ignores blank lines, and does nothing
// if l is nil.
func (l *lastLines) add(stream app.Stream, line string) {
	if line = strings.TrimRightFunc(line, unicode.IsSpace); l == nil || line == "" {
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

// shortened truncates a line to lastLength characters.
func shortened(line string) string {
	if runes := []rune(line); len(runes) > lastLength {
		return string(runes[:lastLength-1]) + "…"
	}
	return line
}

// String returns the text to append to the reason in an error. Each line begins with a newline.
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
