package harness

import (
	"context"

	"runboard/jobs"
)

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
