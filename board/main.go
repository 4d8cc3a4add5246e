package board

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"runboard/db/sqlite"
	"runboard/jobs"
	"runboard/jobs/command"
)

// Exit statuses of the program.
const (
	exitFailed = 1 // the database or the address cannot be used, or a second signal arrived
	exitUsage  = 2 // a flag is wrong
)

// Main is the whole program: it reads flags and environment, runs a board with these kinds and those of
// --command and --commands until SIGTERM or SIGINT, and exits. A program with kinds of its own must call it
// first in main. Without kinds the board offers the simulated kind.
func Main(kinds ...Kind) {
	command.Main()          // does not return in a process that supervises a command
	subcommand(os.Args[1:]) // does not return if there is one
	unguarded := command.Guard()
	config, err := ParseConfig(os.Args[1:])
	var registry *jobs.Registry
	if err == nil {
		registry, err = newRegistry(config, kinds)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "runboard:", err)
		os.Exit(exitUsage)
	}
	ctx, shutDown := context.WithCancel(context.Background())
	defer shutDown()
	hardStop, stopHard := context.WithCancel(context.Background())
	defer stopHard()
	log := newLogger(config)
	config.Logger = log
	slog.SetDefault(log) // for libraries
	surviveSignals(log)
	go handleSignals(shutDown, stopHard)
	warnings := sweep(config, unguarded)
	b, err := open(ctx, config, registry)
	if err != nil {
		fmt.Fprintln(os.Stderr, "runboard:", err)
		os.Exit(exitFailed)
	}
	b.warnings = append(b.warnings, warnings...) // logged by run, whose first line names the URL
	err = b.run(ctx, hardStop)
	if err != nil {
		log.Error("stopped", "error", err)
	}
	if err != nil || hardStop.Err() != nil {
		os.Exit(exitFailed)
	}
}

// newRegistry returns a registry of kinds and of the commands in config. Without kinds it has the simulated
// kind instead.
func newRegistry(config Config, kinds []Kind) (*jobs.Registry, error) {
	commands, err := jobs.CommandKinds(config.Command, config.Commands, config.CommandDir, config.CommandUser)
	if err != nil {
		return nil, err
	}
	if len(kinds) == 0 {
		kinds = []Kind{jobs.Simulated(config.DelayMin, config.DelayMax, config.FailureRate)}
	}
	return jobs.NewRegistry(slices.Concat(kinds, commands)...)
}

// sweep removes what commands of dead servers left behind, before their runs start again. It returns warnings
// for the operator about that and about unguarded, the error of command.Guard.
func sweep(config Config, unguarded error) (warnings []sqlite.Warning) {
	warn := func(text string, args ...any) {
		warnings = append(warnings, sqlite.Warning{Text: text, Args: args})
	}
	jobs.SweepLeftovers(config.CommandUser, warn)
	if unguarded != nil {
		warn("commands may be able to read the environment and memory of this process", "error", unguarded)
	}
	return warnings
}
