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
	// flushInterval is how often reports are saved. A page shows them no more often.
	flushInterval = 200 * time.Millisecond
	// busyFlushInterval is the interval while more than one batch is unsaved. Together with flushBatch
	// it limits what a run writes to the database to about a megabyte a second, unless more than a
	// megabyte is unsaved.
	busyFlushInterval = 50 * time.Millisecond
	// flushBatch is how many bytes of a log are saved at once, or a sixteenth of the unsaved
	// bytes if that is more.
	flushBatch = 64 << 10
	// finalBatch replaces flushBatch after the work has returned. Then there is no pause between batches.
	finalBatch = 256 << 10
	// maxUnsaved is how many bytes of a log may be unsaved before the work has to wait. Lines that the
	// log would not keep are dropped before that.
	maxUnsaved = 16 << 20
	// maxWait is how long the work waits for room. If nothing is saved meanwhile, for instance because
	// another process has locked the database, the oldest lines are dropped: work must not time out
	// because the database cannot be written.
	maxWait = 2 * time.Second
	// defaultLogLimit is how many bytes of a log the store keeps unless Executor.LogLimit is set.
	defaultLogLimit = 1 << 20
	// maxMessage is the maximum length of a message in characters. Longer messages are cut.
	maxMessage = 200
)

// Run is the handle of an attempt that a Work function gets. It identifies the run and takes reports of
// progress and output. Any goroutine of the work may call its methods. Reports after the work has
// returned are dropped.
type Run struct {
	ID      int64
	Kind    string
	Attempt int // 1 for the first attempt

	row      app.ProcessRun           // as it was when the attempt started
	policy   app.Policy               // limits of the attempt; zero in unit tests
	inputs   app.InputValues          // set before the work begins, as is masker
	masker   *masker                  // of what the work reports
	save     func(app.ProgressUpdate) // called by one goroutine at a time
	log      *slog.Logger             // for the operator; nil discards messages
	logLimit int                      // bytes of the log that the store keeps

	mu       sync.Mutex
	progress app.Progress
	dirty    bool // progress is unsaved
	lines    logBuffer
	header   string
	stuck    bool // nothing was drained for maxWait, and the buffer is full
	flushing bool // flushLoop has been started
	ended    bool

	changed chan struct{} // buffered; signals that there is something to save
	drained chan struct{} // closed and replaced when lines are drained
	stop    chan struct{} // closed when the work has returned
	done    chan struct{} // closed when everything has been saved
}

// NewRun returns the handle of an attempt of run with these values of inputs. It passes the reports of the
// work to save, one call at a time. Engines and unit tests create handles; they must call Close after the
// work has returned.
func NewRun(run app.ProcessRun, save func(app.ProgressUpdate), inputs ...app.InputValue) *Run {
	r := &Run{
		ID: run.ID, Kind: run.Kind, Attempt: run.Attempt, row: run,
		save: save, logLimit: defaultLogLimit,
		changed: make(chan struct{}, 1), drained: make(chan struct{}),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	r.setInputs(inputs)
	return r
}

// newAttempt returns the handle of an attempt with the limits of policy. All attempts of a run write to one
// log, so each but the first begins with a header. logLimit is in bytes; 0 means defaultLogLimit.
func newAttempt(run app.ProcessRun, policy app.Policy, logLimit int64, save func(app.ProgressUpdate)) *Run {
	r := NewRun(run, save)
	r.policy = policy
	if logLimit > 0 {
		r.logLimit = int(logLimit)
	}
	if run.FencingToken > 1 {
		r.header = fmt.Sprintf("attempt %d of %d\n", run.Attempt, policy.Attempts)
	}
	return r
}

// Row returns the run as it was when the attempt started.
func (r *Run) Row() app.ProcessRun { return r.row }

// Inputs returns the values of the inputs, also of secrets, in the order of their declarations. Inputs
// without a value are absent. The caller must not change them.
func (r *Run) Inputs() app.InputValues { return r.inputs }

// setInputs sets the values of the inputs. What the work reports is masked from then on.
func (r *Run) setInputs(inputs app.InputValues) {
	r.inputs = inputs
	r.maskReferences(nil)
}

// maskReferences masks these values in what the work reports, besides secret inputs. The caller must call it
// before it reports anything.
func (r *Run) maskReferences(values []string) {
	var secrets []string
	for _, input := range r.inputs {
		if input.Type == app.SecretInput {
			secrets = append(secrets, input.Texts...)
		}
	}
	r.masker = nil
	if len(secrets)+len(values) > 0 {
		r.masker = newMasker(secrets, values)
	}
}

// logger returns the logger for messages to the operator. It is never nil, and works on a nil Run.
func (r *Run) logger() *slog.Logger {
	if r == nil || r.log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.log
}

// Progress reports how far the work has come, in percent, and what it is doing, in a few words. The
// percentage is clamped to 0 to 100, and the message is cut to 200 characters. Progress never blocks: of
// several calls within 200 ms, only the last one is shown.
func (r *Run) Progress(percent int, message string) {
	message = r.shown(message)
	if runes := []rune(message); len(runes) > maxMessage {
		message = string(runes[:maxMessage])
	}
	r.mu.Lock()
	r.progress = app.Progress{Percent: app.Percent(min(max(percent, 0), 100)), Message: message}
	r.dirty = true
	r.signal()
	r.mu.Unlock()
}

// shown returns a text of the work as pages show it: without escape sequences, and with its secrets masked.
func (r *Run) shown(text string) string { return r.masker.text(stripEscapes(text)) }

// Log writes text, one or more lines, to the run's log. While 16 MB are unsaved, it blocks
// for up to two seconds.
func (r *Run) Log(text string) {
	w := r.Output()
	_, _ = io.WriteString(w, text)
	_ = w.Close()
}

// Logf is Log with a format.
func (r *Run) Logf(format string, args ...any) { r.Log(fmt.Sprintf(format, args...)) }

// Output returns a writer to the run's log, for instance for the output of a command. It keeps the codes of
// colors and other styles, removes all other control sequences, shows an unfinished line after 200 ms, and
// ends it on Close. Only one goroutine may use a writer. Write blocks as Log does and never fails.
func (r *Run) Output() io.WriteCloser { return r.output(app.Stdout, nil) }

// ErrorOutput is like Output, for messages about problems. The page marks them as stderr.
func (r *Run) ErrorOutput() io.WriteCloser { return r.output(app.Stderr, nil) }

// output returns a writer to the run's log that also remembers the lines in last, which may be nil.
func (r *Run) output(stream app.Stream, last *lastLines) *lineWriter {
	return &lineWriter{run: r, stream: stream, last: last, secrets: maskStream{masker: r.masker}}
}

// add adds a line to the log. It waits up to maxWait for room, and drops the line after Close. Lines that the
// log would not keep take no room, so work that writes much does not wait for them.
func (r *Run) add(line app.LogLine) {
	if !r.lockWithRoom() {
		return
	}
	defer r.mu.Unlock()
	if r.header != "" {
		r.lines.add(app.ServerLog, r.header)
		r.header = ""
	}
	r.lines.add(line.Stream, line.Text)
	limit := r.logLimit
	if r.stuck {
		limit = min(limit, maxUnsaved)
	}
	r.lines.trim(limit)
	r.signal()
}

// lockWithRoom waits until there is room for lines, or for maxWait. It returns true with r.mu held, or
// false without it after Close.
func (r *Run) lockWithRoom() bool {
	for {
		r.mu.Lock()
		if r.stuck || r.lines.size < maxUnsaved {
			return true
		}
		drained := r.drained
		r.mu.Unlock()
		timer := time.NewTimer(maxWait)
		select {
		case <-drained:
		case <-r.done:
			return false
		case <-timer.C:
			r.mu.Lock()
			r.stuck = drained == r.drained
			r.mu.Unlock()
		}
		timer.Stop()
	}
}

// signal starts flushLoop if necessary and wakes it. The caller must hold r.mu.
func (r *Run) signal() {
	if !r.flushing && !r.ended { // started on demand, because much work reports nothing
		r.flushing = true
		go r.flushLoop()
	}
	r.wake()
}

// drain removes and returns what is unsaved, with about limit bytes of the log. more reports
// whether lines are left.
func (r *Run) drain(limit int) (update app.ProgressUpdate, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dirty {
		update.Progress, r.dirty = new(r.progress), false
	}
	r.stuck = false
	skipped, lines := r.lines.take(max(limit, r.lines.size/16))
	update.Lines, update.Skipped, update.SkippedLines = lines, skipped.bytes, skipped.lines
	close(r.drained)
	r.drained = make(chan struct{})
	return update, r.lines.size > 0
}

// Close waits until all reports have been passed to save. Later reports are dropped. The caller must
// call Close exactly once.
func (r *Run) Close() {
	r.mu.Lock()
	r.ended = true
	flushing := r.flushing
	r.mu.Unlock()
	close(r.stop)
	if !flushing {
		close(r.done)
	}
	<-r.done
}

// flushLoop saves reports until the work returns, and then what is left.
func (r *Run) flushLoop() {
	defer close(r.done)
	for {
		select {
		case <-r.changed:
		case <-r.stop:
			r.flush()
			return
		}
		update, more := r.drain(flushBatch)
		r.save(update)
		pause := flushInterval
		if more {
			pause = busyFlushInterval
			r.wake()
		}
		sleepUntil(r.stop, pause)
	}
}

// wake makes flushLoop drain again. It does nothing if a wake-up is already pending.
func (r *Run) wake() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// flush saves what is left, without pauses.
func (r *Run) flush() {
	for more := true; more; {
		var update app.ProgressUpdate
		update, more = r.drain(finalBatch)
		if update.Progress != nil || update.Lines != nil {
			r.save(update)
		}
	}
}

// sleepUntil returns after d, or earlier when stop is closed.
func sleepUntil(stop <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-stop:
	}
}
