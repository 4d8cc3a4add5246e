package board

import (
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// handleSignals shuts down at the first signal, and stops hard at the second. A hard stop loses nothing: interrupted runs
// are done again. It only takes the time to requeue them, so that this does not count as a crash of theirs; a third signal
// skips even that.
func handleSignals(shutDown, stopHard func()) {
	signals := make(chan os.Signal, 3)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	<-signals
	shutDown()
	<-signals
	stopHard()
	select {
	case <-signals:
	case <-time.After(hardStopTimeout):
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
