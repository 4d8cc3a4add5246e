package board

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// handleSignals shuts down at the first signal and stops hard at the second. A hard stop loses nothing,
// because interrupted runs start again. It only waits until they are requeued, so that it does not count as a
// crash of these runs; a third signal skips even that.
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

// surviveSignals keeps SIGPIPE and SIGHUP from ending the process without a drain. SIGPIPE arrives when the
// reader of the log has exited, as after Ctrl-C in "runboard 2>&1 | tee log"; SIGHUP, which the returned
// channel receives, when a terminal is closed or the operator has changed the kinds file. The process
// catches both instead of ignoring them, because commands would inherit an ignored signal.
func surviveSignals() (hangups <-chan os.Signal) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	received := make(chan os.Signal, 1)
	signal.Notify(received, syscall.SIGHUP)
	return received
}

// reloadAt reads the kinds file again at each SIGHUP. It never returns.
func (b *Board) reloadAt(hangups <-chan os.Signal) {
	for range hangups {
		if b.config.Kinds == "" {
			b.config.Logger.Info("SIGHUP is ignored: there is no kinds file to read again")
			continue
		}
		_ = b.Reload() // which has logged it
	}
}
