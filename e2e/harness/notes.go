package harness

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"runboard/board"
	"runboard/jobs"
)

// NotesVariable names the environment variable that makes the test binary run a board with the kind "note".
// Its runs append a line to the file in the variable when they begin and when they end; the lines survive a
// kill of the process.
const NotesVariable = "RUNBOARD_TEST_NOTES"

// PaceVariable names the environment variable with the maximum duration of a "note" run. The default is 20ms.
const PaceVariable = "RUNBOARD_TEST_PACE"

// runNoting runs a board with the kind "note" until SIGTERM, and ends the process.
func runNoting(path string) {
	notes, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		panic(err)
	}
	pace, err := time.ParseDuration(cmp.Or(os.Getenv(PaceVariable), "20ms"))
	if err != nil {
		panic(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	note := jobs.Kind{Name: "note", Work: func(_ context.Context, run *jobs.Run) error {
		_, _ = fmt.Fprintf(notes, "%d begins %d\n", os.Getpid(), run.ID)
		time.Sleep(rand.N(pace))
		_, _ = fmt.Fprintf(notes, "%d ends %d\n", os.Getpid(), run.ID)
		if rand.IntN(5) == 0 {
			return errors.New("no ink")
		}
		return nil
	}}
	runBoard(ctx, note)
}

// runBoard runs a board with the flags of this process and with these kinds until ctx ends, and ends the
// process.
func runBoard(ctx context.Context, kinds ...board.Kind) {
	config, err := board.ParseConfig(os.Args[1:])
	if err != nil {
		panic(err)
	}
	b, err := board.New(config, kinds...)
	if err != nil {
		panic(err)
	}
	if err := b.Run(ctx); err != nil {
		panic(err)
	}
	os.Exit(0)
}

// Notes counts, by run ID, how often the work of a run began and how often it ended.
type Notes struct{ Begun, Ended map[int64]int }

// ReadNotes reads the file that runs of the kind "note" have written. The test fails if a process worked on a
// run twice at the same time.
func ReadNotes(t *testing.T, path string) Notes {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	all := Notes{map[int64]int{}, map[int64]int{}}
	atWork := map[int64]int{} // by run: the process that began it and has not ended it
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var process int
		var id int64
		var what string
		if _, err := fmt.Sscanf(lines.Text(), "%d %s %d", &process, &what, &id); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		if what == "ends" {
			all.Ended[id]++
			delete(atWork, id)
			continue
		}
		if atWork[id] == process { // another process was killed during the work
			t.Errorf("run %d was worked on twice at the same time", id)
		}
		all.Begun[id]++
		atWork[id] = process
	}
	return all
}
