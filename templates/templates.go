// Package templates draws all HTML that the program sends: pages, fragments and the frames that
// sockets carry. Page and frame draw the same thing with the same template.
//
// Everything is drawn into memory first, so that half a page is never sent.
package templates

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"slices"
	"sync/atomic"
	"time"

	"runboard/app"
)

//go:embed *.html
var files embed.FS

// Templates draws. Any goroutine may use it.
type Templates struct {
	set         *template.Template
	kinds       []string
	maxAttempts int
	limit       time.Duration
	now         func() time.Time
	draining    atomic.Bool
}

// Options is what drawing depends on besides the runs.
type Options struct {
	// Asset returns the path under which a static file is served; it panics when there is none.
	Asset func(name string) string
	// Kinds are the kinds of work that may be started, the default first.
	Kinds []string
	// MaxAttempts is how often the work of a run is tried, for "attempt 2 of 3".
	MaxAttempts int
	// RunTimeout is how long an attempt may take, for "limit 24 h"; 0 is not said.
	RunTimeout time.Duration
	// Now is the clock, for "3 min ago"; the default is time.Now.
	Now func() time.Time
}

// New parses the templates. It fails when one is broken, so that this shows at start and not when
// the page is asked for.
func New(options Options) (*Templates, error) {
	t := &Templates{
		kinds: options.Kinds, maxAttempts: max(1, options.MaxAttempts), limit: options.RunTimeout, now: options.Now,
	}
	if t.now == nil {
		t.now = time.Now
	}
	set, err := template.New("").Funcs(functions(options.Asset, t.now)).
		Funcs(template.FuncMap{"draining": t.draining.Load}).ParseFS(files, "*.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	t.set = set
	return t, nil
}

// Drain has pages say from now on that the server is shutting down.
func (t *Templates) Drain() { t.draining.Store(true) }

// cell is a run as a row, a cell or a page draws it.
type cell struct {
	app.ProcessRun
	Now      time.Time
	OOB      bool // drawn for a frame: the cell says itself where it belongs
	ShowKind bool
}

// single is one run's page, or the frame of its socket.
type single struct {
	Title string
	cell
	Events      []moment // what happened, oldest first
	Log         lines
	Usual       time.Duration
	MaxAttempts int
	Limit       time.Duration // of an attempt; 0: it is not known
	app.Overview
}

// lines are a part of a run's log.
type lines struct {
	Run int64
	app.Log
}

// Dropped says how much of the log is missing before these lines for good.
func (l lines) Dropped() int64 {
	if len(l.Lines) > 0 && l.From() > l.Start {
		return 0
	}
	return l.Start // without lines, too: they were dropped since somebody was told of them
}

// Board draws the page of the list. key is the idempotency key of its form.
func (t *Templates) Board(page app.Page, key string) ([]byte, error) {
	return t.draw("board", t.board(page, key))
}

// Live draws the part of the list's page that its socket keeps up to date.
func (t *Templates) Live(page app.Page) ([]byte, error) {
	return t.draw("live", t.board(page, ""))
}

// Run draws the page of one run.
func (t *Templates) Run(page app.RunPage) ([]byte, error) {
	return t.draw("run", t.single(page))
}

// Row draws a run as a row of the list.
func (t *Templates) Row(run app.ProcessRun) ([]byte, error) {
	return t.draw("row", t.cell(run, false))
}

// Status draws a run's status cell.
func (t *Templates) Status(run app.ProcessRun) ([]byte, error) {
	return t.draw("status", t.cell(run, false))
}

// Started draws the notice that runs have been created. It brings the form a new idempotency key:
// with the old one, the next click would be taken for a repetition.
func (t *Templates) Started(batch app.Batch, key string) ([]byte, error) {
	return t.draw("started", struct {
		app.Batch
		Key string
	}{batch, key})
}

// Notice draws a sentence that says what went wrong.
func (t *Templates) Notice(message string) ([]byte, error) {
	return t.draw("notice", message)
}

// Said draws a sentence that says what was done to a run, which is as it was then.
func (t *Templates) Success(sentence string, run app.ProcessRun) ([]byte, error) {
	return t.draw("said", struct {
		Sentence string
		Run      app.ProcessRun
	}{sentence, run})
}

// Error draws the page that says what went wrong.
func (t *Templates) Error(title, message string) ([]byte, error) {
	return t.draw("error", struct {
		Title, Message string
	}{title, message})
}

// ListFrame draws the whole list for a socket: its snapshot, or after the rows in it changed.
func (t *Templates) ListFrame(page app.Page) ([]byte, error) {
	return t.draw("list_frame", t.board(page, ""))
}

// Chosen draws the status cells of these of some runs, of which the others are gone.
func (t *Templates) StatusCells(ids []int64, runs []app.ProcessRun) ([]byte, error) {
	gone := slices.DeleteFunc(slices.Clone(ids), func(id int64) bool {
		return slices.ContainsFunc(runs, func(run app.ProcessRun) bool { return run.ID == id })
	})
	return t.draw("chosen", struct {
		Cells []cell
		Gone  []int64
	}{t.cells(runs), gone})
}

// CellsFrame draws the status cells of these runs, and the numbers around the list.
func (t *Templates) CellsFrame(runs []app.ProcessRun, overview app.Overview) ([]byte, error) {
	return t.draw("cells_frame", struct {
		Cells []cell
		app.Overview
	}{t.cells(runs), overview})
}

func (t *Templates) cells(runs []app.ProcessRun) []cell {
	cells := make([]cell, len(runs))
	for i, run := range runs {
		cells[i] = t.cell(run, true)
	}
	return cells
}

// LogLines draws lines of a run's log as its page shows them.
func (t *Templates) LogLines(run int64, log app.Log) ([]byte, error) {
	return t.draw("lines", lines{Run: run, Log: log})
}

// RunFrame draws the live parts of a run's page for a socket.
func (t *Templates) RunFrame(page app.RunPage) ([]byte, error) {
	return t.runFrame("run_frame", page)
}

// DeletedFrame draws for a socket that its run was deleted.
func (t *Templates) DeletedFrame(run int64) ([]byte, error) { return t.draw("deleted_frame", run) }

// Heartbeat draws the frame that says that the server is there, with its time.
func (t *Templates) Heartbeat(at time.Time) ([]byte, error) { return t.draw("heartbeat", at) }

// DrainFrame draws for a socket that the server is shutting down.
func (t *Templates) DrainFrame() ([]byte, error) { return t.draw("drain_frame", nil) }

// ChangeFrame draws those live parts of a run's page that are not as they were when it had come as far as before.
func (t *Templates) DeltaFrame(before app.Revision, now app.RunPage) ([]byte, error) {
	fresh := func(line app.LogLine) bool { return line.At >= before.LogEnd }
	if first := slices.IndexFunc(now.Log.Lines, fresh); first >= 0 {
		now.Log.Lines = now.Log.Lines[first:]
	} else {
		now.Log.Lines = nil
	}
	if before.Version == now.Run.Version {
		return t.runFrame("log_frame", now)
	}
	return t.runFrame("run_frame", now)
}

func (t *Templates) runFrame(name string, page app.RunPage) ([]byte, error) {
	data := t.single(page)
	data.OOB = true
	return t.draw(name, data)
}

func (t *Templates) single(page app.RunPage) single {
	limit := t.limit
	if slices.Contains(app.BulkKinds(), page.Run.Kind) { // it has a limit of its own, which it meets by going on later
		limit = 0
	}
	return single{
		Title:  fmt.Sprintf("%s · Run #%d", page.Run.Status, page.Run.ID),
		cell:   t.cell(page.Run, false),
		Events: history(page, t.now()),
		Log:    lines{Run: page.Run.ID, Log: page.Log}, Usual: page.MedianDuration,
		Overview: page.Overview, MaxAttempts: t.maxAttempts, Limit: limit,
	}
}

func (t *Templates) cell(run app.ProcessRun, oob bool) cell {
	return cell{ProcessRun: run, Now: t.now(), OOB: oob, ShowKind: len(t.kinds) > 1}
}

func (t *Templates) draw(name string, data any) ([]byte, error) {
	var out bytes.Buffer
	if err := t.set.ExecuteTemplate(&out, name, data); err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	return out.Bytes(), nil
}
