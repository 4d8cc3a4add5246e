package jobs

import (
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"runboard/app"
)

const (
	// reportEvery is how often what work says of itself is written down: as often as a page can show it.
	reportEvery = 200 * time.Millisecond
	// reportInHaste is how often that is when much waits to be written. Together with reportBatch it bounds how much of
	// the database one run can use: to about a megabyte a second, unless more than a megabyte waits.
	reportInHaste = 50 * time.Millisecond
	// reportBatch is how many bytes of a run's log are written at once, or a sixteenth of those that wait.
	reportBatch = 64 << 10
	// lastBatch is how many bytes that is once the work has ended. Then there is no rest between two batches.
	lastBatch = 256 << 10
	// maxUnwritten is how many bytes of a run's log may wait to be written before the work has to wait. Work waits only
	// when its log is larger than that: what the log will not keep is dropped before.
	maxUnwritten = 16 << 20
	// maxWait is how long the work waits. When nothing is written for that long, as while another process has the database
	// locked, the oldest lines are dropped: work must not run out of time because the database cannot be written.
	maxWait = 2 * time.Second
	// defaultLogLimit is how many bytes of a log are kept unless Worker.LogLimit says otherwise.
	defaultLogLimit = 1 << 20
	// maxMessage is the length in characters to which a message is cut.
	maxMessage = 200
)

// Run is the handle that a Work function gets: which run it does, and how it reports progress and output. All methods
// may be called from any goroutine of the work. What is reported after the work has returned is dropped.
type Run struct {
	ID      int64
	Kind    string
	Attempt int // 1 for the first attempt

	row      app.ProcessRun           // as it was when the attempt started
	write    func(app.ProgressUpdate) // has it written down
	log      *slog.Logger             // nil: what the operator should know is lost
	logLimit int                      // how many bytes of the log the store keeps

	mu       sync.Mutex
	progress app.Progress
	moved    bool // progress has not been written
	lines    logBuffer
	heading  string
	stuck    bool // nothing has been taken for maxWait, although there is no room for more
	followed bool // somebody writes it down
	ended    bool

	changed chan struct{} // holds one: there is something to write
	taken   chan struct{} // closed, and replaced, when the lines have been taken
	stop    chan struct{} // closed when the work has ended
	over    chan struct{} // closed when nobody writes any more
}

// NewRun returns the handle of an attempt of run. It hands what the work reports to save, one call at a time. Engines and
// unit tests create one; they must Close it after the work has returned.
func NewRun(run app.ProcessRun, save func(app.ProgressUpdate)) *Run {
	return &Run{
		ID: run.ID, Kind: run.Kind, Attempt: run.Attempt, row: run,
		write: save, logLimit: defaultLogLimit,
		changed: make(chan struct{}, 1), taken: make(chan struct{}), stop: make(chan struct{}), over: make(chan struct{}),
	}
}

// newAttempt returns the handle of an attempt. All attempts of a run write to one log, so each but the first gets a heading.
func newAttempt(run app.ProcessRun, maxAttempts int, logLimit int64, save func(app.ProgressUpdate)) *Run {
	r := NewRun(run, save)
	if logLimit > 0 {
		r.logLimit = int(logLimit)
	}
	if run.FencingToken > 1 {
		r.heading = fmt.Sprintf("attempt %d of %d\n", run.Attempt, maxAttempts)
	}
	return r
}

// Row returns the run as it was when the attempt started.
func (r *Run) Row() app.ProcessRun { return r.row }

// logger is for what the operator must know.
func (r *Run) logger() *slog.Logger {
	if r == nil || r.log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.log
}

// Progress reports how far the work has come, in percent, and in a few words what it is doing. The percentage is clamped
// to 0 to 100, the message cut to 200 characters. Progress never blocks: of several calls in 200 ms, the last one is shown.
func (r *Run) Progress(percent int, message string) {
	if runes := []rune(message); len(runes) > maxMessage {
		message = string(runes[:maxMessage])
	}
	r.mu.Lock()
	r.progress = app.Progress{Percent: app.Percent(min(max(percent, 0), 100)), Message: message}
	r.moved = true
	r.ring()
	r.mu.Unlock()
}

// Log writes text, one or more lines, to the run's log. It blocks, for two seconds at most, while 16 MB are unsaved.
func (r *Run) Log(text string) {
	w := r.Output()
	_, _ = io.WriteString(w, text)
	_ = w.Close()
}

// Logf is Log with a format.
func (r *Run) Logf(format string, args ...any) { r.Log(fmt.Sprintf(format, args...)) }

// Output returns a writer to the run's log, such as for the output of a command. Control sequences are removed; an
// unfinished line is shown after 200 ms, and Close ends it. Each writer is for one goroutine. Write blocks as Log does and
// never fails.
func (r *Run) Output() io.WriteCloser { return r.output(app.Stdout) }

// ErrorOutput is Output for messages about problems, which the page sets apart as stderr.
func (r *Run) ErrorOutput() io.WriteCloser { return r.output(app.Stderr) }

func (r *Run) output(stream app.Stream) io.WriteCloser {
	return &lineWriter{run: r, stream: stream}
}

// add hands in a line.
func (r *Run) add(line app.LogLine) {
	r.addLines(line.Stream, []byte(line.Text), []uint16{uint16(len(line.Text))})
}

// addLines hands in lines of these lengths. It waits until there is room for them, but at most for maxWait and not when
// the work has ended. Lines that the log will not keep take no room: work that writes much is not slowed down for them.
func (r *Run) addLines(stream app.Stream, text []byte, lengths []uint16) {
	if !r.lockWithRoom() {
		return
	}
	defer r.mu.Unlock()
	if r.heading != "" {
		r.lines.add(app.Notes, []byte(r.heading), []uint16{uint16(len(r.heading))})
		r.heading = ""
	}
	r.lines.add(stream, text, lengths)
	limit := r.logLimit
	if r.stuck {
		limit = min(limit, maxUnwritten)
	}
	r.lines.trim(limit)
	r.ring()
}

// lockWithRoom returns with the lock held when there is room for lines, or when there must be. It returns false, without
// the lock, when nothing is written any more.
func (r *Run) lockWithRoom() bool {
	for {
		r.mu.Lock()
		if r.stuck || r.lines.size < maxUnwritten {
			return true
		}
		taken := r.taken
		r.mu.Unlock()
		timer := time.NewTimer(maxWait)
		select {
		case <-taken:
		case <-r.over:
			return false
		case <-timer.C:
			r.mu.Lock()
			r.stuck = taken == r.taken
			r.mu.Unlock()
		}
		timer.Stop()
	}
}

// ring has what is new written down. It is called with the lock held.
func (r *Run) ring() {
	if !r.followed && !r.ended { // much work has nothing to say
		r.followed = true
		go r.follow()
	}
	r.again()
}

// take returns what has not been written yet, about most bytes of the log, and whether there is more.
func (r *Run) take(most int) (news app.ProgressUpdate, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.moved {
		news.Progress, r.moved = new(r.progress), false
	}
	r.stuck = false
	news.Skipped, news.Lines = r.lines.take(max(most, r.lines.size/16))
	close(r.taken)
	r.taken = make(chan struct{})
	return news, r.lines.size > 0
}

// Close returns when everything that was reported has been handed to save. What is reported later is dropped. It must be
// called once.
func (r *Run) Close() {
	r.mu.Lock()
	r.ended = true
	followed := r.followed
	r.mu.Unlock()
	close(r.stop)
	if !followed {
		close(r.over)
	}
	<-r.over
}

// follow writes down what is reported until the work ends, and then what is still to be written.
func (r *Run) follow() {
	defer close(r.over)
	for {
		select {
		case <-r.changed:
		case <-r.stop:
			r.flush()
			return
		}
		news, more := r.take(reportBatch)
		r.write(news)
		rest := reportEvery
		if more {
			rest = reportInHaste
			r.again()
		}
		sleepUntil(r.stop, rest)
	}
}

// again makes follow look for what is to be written. If it is about to look anyway, nothing changes.
func (r *Run) again() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// flush writes down all that is left.
func (r *Run) flush() {
	for more := true; more; {
		var news app.ProgressUpdate
		if news, more = r.take(lastBatch); news.Progress != nil || news.Lines != nil {
			r.write(news)
		}
	}
}

// sleepUntil returns after d, or when stop is closed.
func sleepUntil(stop <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-stop:
	}
}
