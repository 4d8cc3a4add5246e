package board

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// unpreparedVariable names the environment variable that makes the test binary a program that calls New but
// not command.Main.
const unpreparedVariable = "RUNBOARD_TEST_UNPREPARED"

// newUnprepared prints the error of New for a board with a command.
func newUnprepared() {
	config, err := ParseConfig([]string{"--addr=127.0.0.1:0", "--database-url=sqlite:unprepared.db",
		"--command", "list=ls"})
	if err == nil {
		_, err = New(config)
	}
	fmt.Println(err)
}

// A supervisor is the same program with a special argument. Without command.Main, each run would start the
// whole program once more.
func TestNew_CommandsNeedCommandMain(t *testing.T) {
	t.Parallel()
	program := exec.Command(os.Args[0])
	program.Env = append(os.Environ(), unpreparedVariable+"=1")
	program.Dir = t.TempDir()
	said, err := program.CombinedOutput()
	if err != nil || !strings.Contains(string(said), "command.Main") {
		t.Errorf("New said %q: %v", said, err)
	}
	if entries, err := os.ReadDir(program.Dir); err != nil || len(entries) > 0 {
		t.Errorf("New left %v: %v", entries, err)
	}
}
