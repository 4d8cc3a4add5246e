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

// PoisonVariable makes the binary of the tests the program, with a kind that ends the process.
const PoisonVariable = "RUNBOARD_TEST_POISON"

// PoisonStatus is how the process ends when the poison works.
const PoisonStatus = 77

// runPoisoned is the program until nothing is left to do.
func runPoisoned() {
	innocent := jobs.Kind{Name: "innocent", Work: func(context.Context, *jobs.Run) error {
		time.Sleep(50 * time.Millisecond) // so that it is there when the poison works
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
