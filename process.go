package main

import (
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"runboard/app"
	"runboard/db/sqlite"
	"runboard/jobs"
)

// heedSignals asks for a shutdown at the first signal, and at the second for an end at once. That loses nothing:
// what was interrupted is done again. It only takes the time in which the runs are given back, so that this is
// not counted as a crash of theirs, and not even that when there is a third signal.
func heedSignals(shutDown, hurry func()) {
	signals := make(chan os.Signal, 3)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	<-signals
	shutDown()
	<-signals
	hurry()
	select {
	case <-signals:
	case <-time.After(hurryTime):
	}
	os.Exit(exitFailed)
}

// surviveSignals keeps signals from ending the process that must not end it without a drain. SIGPIPE comes when the reader of
// the log has gone, as in "runboard 2>&1 | tee log" and Ctrl-C. SIGHUP comes when a terminal is closed. Both are caught
// rather than ignored, since commands would inherit that.
func surviveSignals(log *slog.Logger) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		for range hangups {
			log.Info("SIGHUP is ignored")
		}
	}()
}

// sweep removes what commands of dead servers have left, before their runs are done again, and returns what the operator
// should know of that, and of why this process could not be guarded.
func sweep(config app.Config, unguarded error) (notices []sqlite.Warning) {
	for _, notice := range jobs.SweepLeftovers(config.CommandUser) {
		notices = append(notices, sqlite.Warning{Text: notice.Text, Args: notice.Args})
	}
	if unguarded != nil {
		const text = "commands can learn more of this process than they should"
		notices = append(notices, sqlite.Warning{Text: text, Args: []any{"error", unguarded}})
	}
	return notices
}
