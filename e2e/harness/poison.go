package harness

import (
	"context"
	"log/slog"
	"os"
	"time"

	"runboard/app"
	"runboard/board"
	"runboard/jobs"
)

// PoisonVariable names the environment variable that makes the test binary run a board with the kind
// "poison", whose runs end the process.
const PoisonVariable = "RUNBOARD_TEST_POISON"

// PoisonStatus is the exit status of a process that a poison run ends.
const PoisonStatus = 77

// runPoisoned runs a board with the kinds "innocent" and "poison" until all runs are finished, and ends the
// process.
func runPoisoned() {
	innocent := jobs.Kind{Name: "innocent", Work: func(context.Context, *jobs.Run) error {
		// so that innocent runs are at work when a poison run ends the process
		time.Sleep(50 * time.Millisecond)
		return nil
	}}
	poison := jobs.Kind{Name: "poison", Work: func(context.Context, *jobs.Run) error {
		time.Sleep(20 * time.Millisecond)
		os.Exit(PoisonStatus)
		return nil
	}}
	config, err := board.ParseConfig(os.Args[1:])
	if err != nil {
		panic(err)
	}
	config.Logger = slog.New(slog.DiscardHandler)
	b, err := board.New(config, innocent, poison)
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for ; ; time.Sleep(5 * time.Millisecond) {
			page, err := b.Store().Page(ctx, app.Query{})
			if err == nil && page.Counts[app.Created]+page.Counts[app.Started] == 0 {
				cancel()
				return
			}
		}
	}()
	if err := b.Run(ctx); err != nil {
		panic(err)
	}
	os.Exit(0)
}
