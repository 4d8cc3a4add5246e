package command_test

import (
	"os"
	"testing"
	"time"

	"runboard/jobs/command"
)

func TestMain(m *testing.M) {
	command.Main()
	os.Exit(m.Run())
}

// TestProcess_SecondStopDoesNotExtendFirst checks that a command that ignores SIGTERM gains no
// time by a second Stop.
func TestProcess_SecondStopDoesNotExtendFirst(t *testing.T) {
	t.Parallel()
	ready, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	process, err := command.Start(command.Spec{
		Path: "/bin/sh", Args: []string{"sh", "-c", `trap "" TERM; echo ready; while :; do sleep 0.05; done`},
		Dir: t.TempDir(),
		Env: []string{"PATH=" + os.Getenv("PATH")},
	}, theirs, theirs)
	if err != nil {
		t.Fatal(err)
	}
	_ = theirs.Close()
	if n, err := ready.Read(make([]byte, 10)); n == 0 {
		t.Fatal(err)
	}
	process.Stop(200 * time.Millisecond)
	process.Stop(time.Hour)
	ended := make(chan command.Result, 1)
	go func() {
		result, err := process.Wait()
		if err != nil {
			t.Error(err)
		}
		ended <- result
	}()
	select {
	case result := <-ended:
		if !result.Stopped || !result.Killed {
			t.Errorf("it ends with %+v", result)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it goes on")
	}
}
