package harness

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// A failed test shows only parts of a log, because the output of a test may be cut.
const (
	shownFaults = 20 // first lines with faults
	shownLast   = 60 // last lines
)

// logged collects the log of a process. It is safe for concurrent use.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.WriteString(line + "\n")
}

// Write adds the lines of a program whose output it is.
func (l *logged) Write(text []byte) (int, error) {
	l.add(strings.TrimSuffix(string(text), "\n"))
	return len(text), nil
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// lines returns the lines of the log without their ends.
func (l *logged) lines() []string {
	return strings.Split(strings.TrimSuffix(l.String(), "\n"), "\n")
}

// hasErrors reports whether the program has logged an error.
func (l *logged) hasErrors() bool { return slices.ContainsFunc(l.lines(), isError) }

// hasPanics reports whether the program has panicked.
func (l *logged) hasPanics() bool { return slices.ContainsFunc(l.lines(), isPanic) }

func isError(line string) bool {
	return strings.Contains(line, "level=ERROR") || strings.Contains(line, `"level":"ERROR"`)
}

func isPanic(line string) bool { return strings.Contains(line, "panic") }

// isForeign reports whether the program's logger did not write a line: the Go runtime did, or a library.
func isForeign(line string) bool {
	return line != "" && !strings.HasPrefix(line, "time=") && !strings.HasPrefix(line, `{"time":`)
}

// summary returns what a failed test shows of the log: first the lines with errors and panics, and those that
// the program's logger did not write, and then the last lines.
func (l *logged) summary() string {
	lines := l.lines()
	var faults []string
	for _, line := range lines {
		if isError(line) || isPanic(line) || isForeign(line) {
			faults = append(faults, line)
		}
	}
	parts := []string{
		section("errors", faults[:min(len(faults), shownFaults)], len(faults)),
		section("the last lines", lines[max(0, len(lines)-shownLast):], len(lines)),
	}
	return strings.Join(parts, "\n")
}

// section returns lines below a title that says how many of all lines they are.
func section(title string, lines []string, all int) string {
	return fmt.Sprintf("%s (%d of %d):\n%s", title, len(lines), all, strings.Join(lines, "\n"))
}
