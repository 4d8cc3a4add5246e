package board_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"runboard/app"
	"runboard/board"
	"runboard/jobs"
)

// backup packs the data directory. If it returns an error, the run fails and the page shows the error.
func backup(ctx context.Context, run *jobs.Run) error {
	run.Progress(10, "packing")
	output := run.Output() // the live log of the run
	defer output.Close()
	tar := exec.CommandContext(ctx, "tar", "-cvzf", fmt.Sprintf("backup-%d.tar.gz", run.ID), "data")
	tar.Stdout, tar.Stderr = output, output
	if err := tar.Run(); err != nil {
		return fmt.Errorf("tar: %w", err)
	}
	run.Log("packed")
	return nil
}

// A whole program: its flags are those of runboard.
func ExampleMain() {
	board.Main(board.Kind{Name: "backup", Work: backup})
}

// A board inside another program.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "board")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	config, err := board.ParseConfig([]string{"--addr=127.0.0.1:0",
		"--database-url=sqlite:" + filepath.Join(dir, "runs.db")})
	if err != nil {
		panic(err)
	}
	config.Logger = slog.New(slog.DiscardHandler)
	greet := func(_ context.Context, run *jobs.Run) error {
		fmt.Println("hello from run", run.ID)
		return nil
	}
	b, err := board.New(config, board.Kind{Name: "greet", Work: greet})
	if err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }() // its pages are at b.URL()

	batch, err := b.Enqueue(ctx, "greet")
	if err != nil {
		panic(err)
	}
	waitUntilCompleted(ctx, b, batch.First)
	stop()
	fmt.Println("stopped:", <-done)
	// Output:
	// hello from run 1
	// stopped: <nil>
}

// ExportInput declares the inputs of the kind export: the form, the checks and the JSON come from its fields.
type ExportInput struct {
	Day     time.Time `input:"day" title:"Day" required:"true"`
	Tables  []string  `input:"tables" title:"Tables" choices:"orders,customers" default:"orders"`
	MaxRows *int      `input:"max_rows" title:"At most" help:"Empty: all rows." min:"1"`
}

func export(_ context.Context, _ *jobs.Run, in ExportInput) error {
	fmt.Println("export", in.Tables, "of", in.Day.Format(time.DateOnly))
	if in.MaxRows != nil {
		fmt.Println("at most", *in.MaxRows, "rows")
	}
	return nil
}

// A kind with inputs. Two exports of the same day never run at the same time.
func ExampleTyped() {
	b, stop := startBoard(board.Typed("export", export,
		board.Title("Export tables"), board.Confirm("Export {tables} of {day}?"),
		board.Concurrency(1, "day")))
	defer stop()
	ctx := context.Background()

	batch, err := b.Enqueue(ctx, "export",
		board.Inputs(map[string]any{"day": "2026-11-27", "max_rows": 1000}))
	if err != nil {
		panic(err)
	}
	waitUntilCompleted(ctx, b, batch.First)
	_, err = b.Enqueue(ctx, "export", board.Inputs(map[string]any{"tables": []string{"users"}}))
	fmt.Println(app.CodeOf(err) == app.CodeInvalid)
	// Output:
	// export [orders] of 2026-11-27
	// at most 1000 rows
	// true
}

func waitUntilCompleted(ctx context.Context, b *board.Board, run int64) {
	for {
		page, err := b.Store().Run(ctx, run)
		if err != nil || page.Run.Status == app.Completed {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// A repeated call with the same key returns the first batch and creates nothing.
func ExampleBoard_Enqueue() {
	b, stop := startBoard(board.Kind{Name: "backup",
		Work: func(context.Context, *jobs.Run) error { return nil }})
	defer stop()
	for range 2 {
		batch, err := b.Enqueue(context.Background(), "backup", board.Count(3),
			board.IdempotencyKey("backup-2026-11-27"))
		if err != nil {
			panic(err)
		}
		fmt.Println("runs", batch.First, "to", batch.Last())
	}
	// Output:
	// runs 1 to 3
	// runs 1 to 3
}

// startBoard runs a board on an empty database until stop is called.
func startBoard(kinds ...board.Kind) (b *board.Board, stop func()) {
	dir, err := os.MkdirTemp("", "board")
	if err != nil {
		panic(err)
	}
	config, err := board.ParseConfig([]string{"--addr=127.0.0.1:0",
		"--database-url=sqlite:" + filepath.Join(dir, "runs.db")})
	if err != nil {
		panic(err)
	}
	config.Logger = slog.New(slog.DiscardHandler)
	b, err = board.New(config, kinds...)
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	return b, func() {
		cancel()
		<-done
		_ = os.RemoveAll(dir)
	}
}
