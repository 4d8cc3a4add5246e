package jobs

import (
	"context"
	"sync"
	"time"

	"runboard/app"
)

// reportEvery is how often what work says of itself is written down: as often as a page can show it.
const reportEvery = 200 * time.Millisecond

// maxMessage is the length in characters to which a message is cut.
const maxMessage = 200

// Report is how work tells what it is doing while it does it. Any goroutine of the work may use it. It
// never waits for the database: of several reports in a short time, the last one is shown.
type Report struct {
	mu       sync.Mutex
	progress app.Progress
	changed  chan struct{} // holds one: progress has not been written
}

func newReport() *Report {
	return &Report{progress: app.Progress{Percent: app.NoPercent}, changed: make(chan struct{}, 1)}
}

// Progress says how far the work has come, from 0 to 100 percent, and in a few words what it is doing. A
// percentage beyond these is taken for the nearer one of them.
func (r *Report) Progress(percent int, message string) {
	if runes := []rune(message); len(runes) > maxMessage {
		message = string(runes[:maxMessage])
	}
	r.mu.Lock()
	r.progress = app.Progress{Percent: app.Percent(min(max(percent, 0), 100)), Message: message}
	r.mu.Unlock()
	select {
	case r.changed <- struct{}{}:
	default: // whoever writes it down will find this one
	}
}

func (r *Report) latest() app.Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.progress
}

// follow writes down what is reported until stop is closed, and then what is still to be written.
func (r *Report) follow(stop <-chan struct{}, write func(app.Progress)) {
	for {
		select {
		case <-r.changed:
			write(r.latest())
		case <-stop:
			select {
			case <-r.changed:
				write(r.latest())
			default:
			}
			return
		}
		_ = sleepUntil(stop, reportEvery)
	}
}

// sleepUntil returns after d, or when stop is closed.
func sleepUntil(stop <-chan struct{}, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-stop:
		return context.Canceled
	}
}
