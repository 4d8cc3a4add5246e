package board

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"runboard/board/kindsfile"
	"runboard/jobs"
	"runboard/jobs/command"
)

// Exit statuses of the program.
const (
	exitFailed = 1 // the database or the address cannot be used, or a second signal arrived
	exitUsage  = 2 // a flag is wrong
)

// Main is the whole program: it reads flags and environment, runs a board with these kinds and those of
// --kinds, --command and --commands until SIGTERM or SIGINT, and exits. A program with kinds of its own
// must call it first in main. Without any kind, or with --demo, the board offers the simulated kind.
func Main(kinds ...Kind) {
	command.Main()          // does not return in a process that supervises a command
	subcommand(os.Args[1:]) // does not return if there is one
	unguarded := command.Guard()
	config, err := ParseConfig(os.Args[1:])
	var offered *offer
	if err == nil {
		offered, err = newOffer(config, kinds)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, refusal("", err))
		os.Exit(exitUsage)
	}
	ctx, shutDown := context.WithCancel(context.Background())
	defer shutDown()
	hardStop, stopHard := context.WithCancel(context.Background())
	defer stopHard()
	log := newLogger(config)
	config.Logger = log
	slog.SetDefault(log) // for libraries
	hangups := surviveSignals()
	go handleSignals(shutDown, stopHard)
	warnings := sweep(config)
	if unguarded != nil {
		warnings = append(warnings, warning{
			text: "commands may be able to read the environment and memory of this process",
			args: []any{"error", unguarded},
		})
	}
	b, err := open(ctx, config, offered)
	if err != nil && ctx.Err() != nil { // opening the database was interrupted
		log.Info("stopped by a signal during the start")
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "runboard:", err)
		os.Exit(exitFailed)
	}
	b.warnings = append(b.warnings, warnings...) // logged by run, whose first line names the URL
	go b.reloadAt(hangups)
	err = b.run(ctx, hardStop)
	if err != nil {
		log.Error("stopped", "error", err)
	}
	if err != nil || hardStop.Err() != nil {
		os.Exit(exitFailed)
	}
}

// refusal returns the line for an error of the configuration or a subcommand. A fault of the kinds file
// begins with its place, so that editors and CI can jump to it.
func refusal(subcommand string, err error) string {
	if fault, ok := errors.AsType[*kindsfile.Fault](err); ok {
		return fault.Error()
	}
	return "runboard: " + subcommand + err.Error()
}

// sweep removes what commands of dead servers left behind, before their runs start again. It returns warnings
// for the operator about that.
func sweep(config Config) (warnings []warning) {
	jobs.SweepLeftovers(config.CommandUser, func(text string, args ...any) {
		warnings = append(warnings, warning{text, args})
	})
	return warnings
}
