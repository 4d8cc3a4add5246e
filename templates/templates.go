// Package templates renders all HTML that the server sends: pages, fragments and the frames of live sockets.
// A page and its frames share their templates, so an element is the same in both.
//
// Everything is rendered into memory first, so an error never leaves half a page on the wire.
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

// Templates renders pages, fragments and frames. It is safe for concurrent use.
type Templates struct {
	set         *template.Template
	kinds       []string
	maxAttempts int
	limit       time.Duration
	now         func() time.Time
	draining    atomic.Bool
}

// Options configures New.
type Options struct {
	// Asset returns the path of a static file. It panics if there is no such file.
	Asset func(name string) string
	// Kinds are the kinds that users can start, the default first.
	Kinds []string
	// MaxAttempts is the number of attempts that a run gets, for "attempt 2 of 3"; below 1 counts as 1.
	MaxAttempts int
	// RunTimeout is the time limit of an attempt, for "limit 24 h"; pages do not mention 0.
	RunTimeout time.Duration
	// Now is the clock, for "3 min ago"; the default is time.Now.
	Now func() time.Time
}

// New parses the templates. It fails if one is broken, so a mistake shows at start and not on the first
// request.
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

// Drain makes all pages rendered from now on say that the server is shutting down.
func (t *Templates) Drain() { t.draining.Store(true) }

// cell is the view model of a run in a row, a status cell or a page.
type cell struct {
	app.ProcessRun
	Now      time.Time
	OOB      bool // for a frame: the cell carries hx-swap-oob, so htmx swaps it by its id
	ShowKind bool
}

// single is the view model of a run's page and of the frames of its socket.
type single struct {
	Title string
	cell
	Events      []moment // history, oldest first
	Log         lines
	Usual       time.Duration
	MaxAttempts int
	Limit       time.Duration // of an attempt; 0 if unknown
	app.Overview
}

// lines is the view model of a part of a run's log.
type lines struct {
	Run int64
	app.Log
}

// Dropped returns how many bytes at the start of the log were trimmed, or 0 if the page can still load lines
// before these.
func (l lines) Dropped() int64 {
	if len(l.Lines) > 0 && l.From() > l.Start {
		return 0
	}
	return l.Start // also without lines: they were trimmed after the client learned of them
}

// Board renders the page of the list. key is the idempotency key of its start form.
func (t *Templates) Board(page app.Page, key string) ([]byte, error) {
	return t.draw("board", t.board(page, key))
}

// Live renders the region of the list page that its socket keeps up to date.
func (t *Templates) Live(page app.Page) ([]byte, error) {
	return t.draw("live", t.board(page, ""))
}

// Run renders the page of a run.
func (t *Templates) Run(page app.RunPage) ([]byte, error) {
	return t.draw("run", t.single(page))
}

// Row renders a run as a row of the list.
func (t *Templates) Row(run app.ProcessRun) ([]byte, error) {
	return t.draw("row", t.cell(run, false))
}

// Status renders the status cell of a run.
func (t *Templates) Status(run app.ProcessRun) ([]byte, error) {
	return t.draw("status", t.cell(run, false))
}

// Started renders the notice that batch has been created. key is a new idempotency key for the start form:
// with the old one, the server would answer the next click as a repetition.
func (t *Templates) Started(batch app.Batch, key string) ([]byte, error) {
	return t.draw("started", struct {
		app.Batch
		Key string
	}{batch, key})
}

// Notice renders an error message as a fragment.
func (t *Templates) Notice(message string) ([]byte, error) {
	return t.draw("notice", message)
}

// Success renders a sentence about an action on run, which is the run after the action. The page removes the
// notice when the run changes again.
func (t *Templates) Success(sentence string, run app.ProcessRun) ([]byte, error) {
	return t.draw("said", struct {
		Sentence string
		Run      app.ProcessRun
	}{sentence, run})
}

// Error renders an error page.
func (t *Templates) Error(title, message string) ([]byte, error) {
	return t.draw("error", struct {
		Title, Message string
	}{title, message})
}

// ListFrame renders the whole list for a socket: as its first frame, or after rows changed.
func (t *Templates) ListFrame(page app.Page) ([]byte, error) {
	return t.draw("list_frame", t.board(page, ""))
}

// StatusCells renders the status cells of runs for a client that asked for ids. It removes the rows of ids
// that are not among runs: those runs no longer exist.
func (t *Templates) StatusCells(ids []int64, runs []app.ProcessRun) ([]byte, error) {
	gone := slices.DeleteFunc(slices.Clone(ids), func(id int64) bool {
		return slices.ContainsFunc(runs, func(run app.ProcessRun) bool { return run.ID == id })
	})
	return t.draw("chosen", struct {
		Cells []cell
		Gone  []int64
	}{t.cells(runs), gone})
}

// CellsFrame renders the status cells of runs and the numbers around the list for a socket.
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

// LogLines renders lines of a run's log as its page shows them.
func (t *Templates) LogLines(run int64, log app.Log) ([]byte, error) {
	return t.draw("lines", lines{Run: run, Log: log})
}

// RunFrame renders all live parts of a run's page for a socket. Its log lines are appended to those on the
// page.
func (t *Templates) RunFrame(page app.RunPage) ([]byte, error) {
	return t.runFrame("run_frame", page)
}

// DeletedFrame renders the frame that tells the socket of a run that the run was deleted.
func (t *Templates) DeletedFrame(run int64) ([]byte, error) { return t.draw("deleted_frame", run) }

// Heartbeat renders the heartbeat frame. at is the time of the server.
func (t *Templates) Heartbeat(at time.Time) ([]byte, error) { return t.draw("heartbeat", at) }

// DrainFrame renders the frame that tells a socket that the server is shutting down.
func (t *Templates) DrainFrame() ([]byte, error) { return t.draw("drain_frame", nil) }

// DeltaFrame renders the live parts of a run's page that changed since the client had revision before: only
// the log if the version is still the same, else all parts. In either case the log has only the lines that
// are new to the client.
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
	if slices.Contains(app.BulkKinds(), page.Run.Kind) { // its own limit only makes it continue later
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
