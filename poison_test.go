package main

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"runboard/app"
	"runboard/board"
	"runboard/db/sqlite"
	"runboard/jobs"
)

// poisonVariable makes the binary of the tests the program, with a kind that ends the process.
const poisonVariable = "RUNBOARD_TEST_POISON"

// poisonStatus is how the process ends when the poison works.
const poisonStatus = 77

// runPoisoned is the program until nothing is left to do.
func runPoisoned() {
	innocent := jobs.Kind{Name: "innocent", Work: func(context.Context, *jobs.Run) error {
		time.Sleep(50 * time.Millisecond) // so that it is there when the poison works
		return nil
	}}
	poison := jobs.Kind{Name: "poison", Work: func(context.Context, *jobs.Run) error {
		time.Sleep(20 * time.Millisecond)
		os.Exit(poisonStatus)
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

// fillPoisoned makes a database with two poisonous runs among innocent ones.
func fillPoisoned(t *testing.T, path string) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, request := range []app.CreateRequest{
		{Kind: "innocent", Count: 5}, {Kind: "poison", Count: 1}, {Kind: "innocent", Count: 10}, {Kind: "poison", Count: 1}, {Kind: "innocent", Count: 20},
	} {
		if _, err := store.Create(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
}

// TestARunThatKillsTheProcessTakesNoOtherWithIt starts the program again whenever a run has ended it.
func TestARunThatKillsTheProcessTakesNoOtherWithIt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "poison.db")
	fillPoisoned(t, path)
	deaths := 0
	for done := false; !done && deaths < 20; {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = []string{poisonVariable + "=1", "ADDR=127.0.0.1:0", "DATABASE_URL=sqlite:" + path, "MAX_CRASHES=3"}
		out, _ := child.CombinedOutput()
		switch status := child.ProcessState.ExitCode(); status {
		case 0:
			done = true
		case poisonStatus:
			deaths++
		default:
			t.Fatalf("the program ended with %d: %s", status, out)
		}
	}
	store, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for id := range int64(37) {
		page, err := store.Run(t.Context(), id+1)
		if err != nil {
			t.Fatal(err)
		}
		run := page.Run
		poisonous := run.Kind == "poison" && run.Status == app.Failed && run.Crashes == 3 && strings.HasPrefix(run.Error, "crashed")
		if innocent := run.Kind == "innocent" && run.Status == app.Completed; !poisonous && !innocent {
			t.Errorf("after %d deaths this is %+v", deaths, run)
		}
	}
	if deaths < 4 || deaths > 6 { // two of them may die together
		t.Errorf("the process died %d times", deaths)
	}
}
