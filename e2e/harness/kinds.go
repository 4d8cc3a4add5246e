package harness

import (
	"context"
	"errors"
	"sync"
	"testing"

	"runboard/board"
	"runboard/jobs"
)

// Flags for simulated work: work that takes no time, work slow enough to see each state of a run, and work
// between these.
var (
	AtOnce    = []string{"--delay-min", "0s", "--delay-max", "0s"}
	InSteps   = []string{"--delay-min", "2s", "--delay-max", "2500ms"}
	InAMoment = []string{"--delay-min", "300ms", "--delay-max", "600ms"}
)

// WorkThat returns a kind whose runs fail with the error fails, or complete if it is empty.
func WorkThat(name, fails string) jobs.Kind {
	return jobs.Kind{Name: name, Work: func(_ context.Context, run *jobs.Run) error {
		run.Logf("this is run %d", run.ID)
		if fails == "" {
			return nil
		}
		return errors.New(fails)
	}}
}

// Commands returns the kinds that --command creates from these lines.
func Commands(t *testing.T, lines ...string) []jobs.Kind {
	t.Helper()
	kinds, err := jobs.CommandKinds(lines, "", "", "")
	if err != nil {
		t.Fatal(err)
	}
	return kinds
}

// Failing starts a board with two commands, import and mail, whose errors differ from run to run.
func Failing(t *testing.T, change func(*board.Config)) *Program {
	t.Helper()
	return StartProgram(t, change, Commands(t,
		`import=sh -c 'echo "reading /data/$RUNBOARD_RUN_ID.csv"; echo "no customer $RUNBOARD_RUN_ID" >&2; exit 1'`,
		`mail=sh -c 'echo "connect to 10.0.0.$RUNBOARD_RUN_ID:25: refused"; exit 2'`)...)
}

// Steps is a kind whose runs write log lines when the test calls Write. A run completes when the test closes
// Asked.
type Steps struct {
	jobs.Kind
	Asked chan int
	said  chan int
}

// NewSteps returns a Steps kind with this name.
func NewSteps(name string) *Steps {
	s := &Steps{Asked: make(chan int), said: make(chan int)}
	total := 0
	s.Kind = jobs.Kind{Name: name, Work: func(ctx context.Context, run *jobs.Run) error {
		for {
			select {
			case n, more := <-s.Asked:
				if !more {
					return nil
				}
				for range n {
					total++
					run.Logf("line %d", total)
				}
				s.said <- total
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}}
	return s
}

// Write makes the run write n more lines, and returns the total number of lines.
func (s *Steps) Write(n int) int {
	s.Asked <- n
	return <-s.said
}

// Gate returns a kind whose runs work until the test calls open, or until they are cancelled.
func Gate(name string) (kind jobs.Kind, open func()) {
	opened := make(chan struct{})
	work := func(ctx context.Context, _ *jobs.Run) error {
		select {
		case <-opened:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return jobs.Kind{Name: name, Work: work}, sync.OnceFunc(func() { close(opened) })
}

// StubbornGate is Gate with runs that go on when they are cancelled. The test must call open before it ends.
func StubbornGate(name string) (kind jobs.Kind, open func()) {
	opened := make(chan struct{})
	work := func(ctx context.Context, _ *jobs.Run) error {
		<-opened
		return context.Cause(ctx)
	}
	return jobs.Kind{Name: name, Work: work}, sync.OnceFunc(func() { close(opened) })
}
