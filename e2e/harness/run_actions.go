package harness

import (
	"errors"
	"fmt"
	"testing"

	"github.com/gavv/httpexpect/v2"
)

// StatusOf waits until the run with this ID has the status want.
func StatusOf(t *testing.T, e *httpexpect.Expect, run, want string) {
	t.Helper()
	Eventually(t, "run "+run+" is "+want, func() error {
		got := e.GET("/process_runs/" + run).WithTransformer(AcceptJSON).Expect().JSON().Object().Value("status").String().Raw()
		if got != want {
			return fmt.Errorf("it is %s", got)
		}
		return nil
	})
}

// Drain stops a board and returns when it is draining. The channel is closed when it has stopped.
func Drain(t *testing.T, p *Program) (stopped <-chan struct{}) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Stop()
	}()
	Eventually(t, "the program drains", func() error {
		if p.Ready() == nil {
			return errors.New("it still serves")
		}
		return nil
	})
	return done
}
