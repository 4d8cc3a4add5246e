package harness

import (
	"context"

	"runboard/jobs"
)

// Steps is a kind whose work writes as many lines as a test asks for, when it asks, and then goes on.
type Steps struct {
	jobs.Kind
	Asked chan int
	said  chan int
}

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

// Write has n more lines written and returns how many there are.
func (s *Steps) Write(n int) int {
	s.Asked <- n
	return <-s.said
}
