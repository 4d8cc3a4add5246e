// Package templates renders all HTML that the server sends: pages, fragments and the frames of live sockets.
// A page and its frames share their templates, so an element is the same in both.
//
// View models are structs of texts that are ready to be shown, because html/template is slow at everything
// else: a call from a template takes as long as the escaping of its result.
//
// Everything is rendered into memory first, so an error never leaves half a page on the wire.
package templates

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	texttemplate "text/template"
	"time"

	"runboard/app"
)

//go:embed *.html
var files embed.FS

// Templates renders pages, fragments and frames. It is safe for concurrent use.
type Templates struct {
	set         *template.Template
	kinds       app.KindSource
	maxAttempts int
	timeout     time.Duration
	now         func() time.Time
	draining    atomic.Bool
	rows        rowCache
}

// Options configures New.
type Options struct {
	// Asset returns the path of a static file. It panics if there is no such file.
	Asset func(name string) string
	// Kinds are the kinds that users can start.
	Kinds app.KindSource
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
		kinds: options.Kinds, maxAttempts: max(1, options.MaxAttempts), timeout: options.RunTimeout,
		now: options.Now,
	}
	if t.now == nil {
		t.now = time.Now
	}
	set, err := parse(options.Asset)
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	t.set = set
	return t, nil
}

// parse parses the files. It first executes what they have in double square brackets, which inserts ids,
// paths and limits. These never change, so no page has to look them up and escape them again.
func parse(asset func(string) string) (*template.Template, error) {
	constants, err := texttemplate.New("").Delims("[[", "]]").
		Funcs(texttemplate.FuncMap{"asset": asset, "id": fixedID, "path": fixedPath}).ParseFS(files, "*.html")
	if err != nil {
		return nil, err
	}
	values := struct {
		MaxCount, MaxSelected, MaxText, BarLength int
		RowsMark                                  string
	}{app.MaxCount, app.MaxSelected, app.MaxText, barLength, rowsMark}
	set := template.New("")
	for _, file := range constants.Templates() {
		var source strings.Builder
		if err := file.Execute(&source, values); err != nil {
			return nil, err
		}
		if _, err := set.Parse(source.String()); err != nil {
			return nil, fmt.Errorf("%s: %w", file.Name(), err)
		}
	}
	return set, nil
}

// Drain makes all pages rendered from now on say that the server is shutting down.
func (t *Templates) Drain() { t.draining.Store(true) }

// layout is the view model of what all pages have in common.
type layout struct {
	Title      string
	ServerTime string // in ms since 1970
	Draining   bool
	Failed     string // number of failed runs that are not muted; "" if it is 0 or unknown
	Find       findForm
	// The page is the target of this link.
	OnRuns, OnKinds, OnFailures, OnStatistics, OnTimeline bool
}

// findForm is the view model of the search in the header.
type findForm struct {
	Swaps bool // the page is a list, whose live region the search swaps
	Text  string
}

func (t *Templates) layout(title string) layout {
	return layout{Title: title, ServerTime: millis(t.now()), Draining: t.draining.Load()}
}

// failedText returns the number of failed runs for the navigation, which shows no zero.
func failedText(failed int64) string {
	if failed == 0 {
		return ""
	}
	return grouped(failed)
}

// Started renders the notice that batch has been created. key is a new idempotency key for the start form:
// with the old one, the server would answer the next click as a repetition.
func (t *Templates) Started(batch app.Batch, key string) ([]byte, error) {
	view := struct{ Runs, First, FirstPath, Last, LastPath, UndoPath, Key string }{
		Runs: plural(int64(batch.Count), "run", "runs"), First: decimal(batch.First),
		FirstPath: RunPath(batch.First), UndoPath: undoStartPath(batch), Key: key,
	}
	if batch.Count > 1 {
		view.Last, view.LastPath = decimal(batch.Last()), RunPath(batch.Last())
	}
	return t.render("started", view)
}

// Notice renders an error message as a fragment.
func (t *Templates) Notice(message string) ([]byte, error) {
	return t.render("notice", message)
}

// Success renders a message about an action on run, which is the run after the action. The page removes the
// message when the run changes again. If a cancellation ended the run, undoable offers to undo it.
func (t *Templates) Success(message string, run app.ProcessRun, undoable bool) ([]byte, error) {
	view := struct{ Message, Run, Version, UndoPath string }{
		Message: message, Run: decimal(run.ID), Version: decimal(run.Version),
	}
	if undoable && run.Status == app.Cancelled {
		view.UndoPath = undoPath(run)
	}
	return t.render("success", view)
}

// ErrorPage is the content of an error page.
type ErrorPage struct {
	Status  int    // of HTTP
	Message string // a sentence for the person
	Run     int64  // the run that the request was about, if it exists; else 0
	Reload  bool   // the page requests its address again when the server serves pages
}

// errorTexts are the title of an error page and what the user can do. HTTP's own words mean nothing to most
// people.
var errorTexts = map[int]struct{ title, advice string }{
	http.StatusBadRequest:       {"That address does not work", ""},
	http.StatusUnauthorized:     {"Please sign in", ""},
	http.StatusForbidden:        {"Not allowed", "Open the page here and try again."},
	http.StatusNotFound:         {"Page not found", "It may have been deleted, or the address is wrong."},
	http.StatusMethodNotAllowed: {"Not possible here", ""},
	http.StatusConflict:         {"That is not possible now", "The run has changed meanwhile."},
	http.StatusUnprocessableEntity: {
		"Please check what you entered", "Go back, correct it and send it again.",
	},
	http.StatusTooManyRequests:     {"Too many requests", "Wait a moment and try again."},
	http.StatusInternalServerError: {"Something went wrong", ""},
	http.StatusServiceUnavailable:  {"Not available right now", ""},
}

// Error renders an error page.
func (t *Templates) Error(page ErrorPage) ([]byte, error) {
	texts, known := errorTexts[page.Status]
	if !known {
		texts.title = http.StatusText(page.Status)
	}
	view := struct {
		Layout                layout
		Code, Message, Advice string
		Run                   link
		Reload                bool
	}{
		Layout: t.layout(texts.title), Code: decimal(int64(page.Status)), Message: page.Message,
		Advice: texts.advice, Reload: page.Reload,
	}
	if page.Reload {
		view.Advice = "This page opens by itself as soon as it can. Without scripts, reload it."
	}
	if page.Run > 0 {
		view.Run = link{RunPath(page.Run), "Run #" + decimal(page.Run)}
	}
	return t.render("error", view)
}

// OverviewFrame renders what the header shows about all runs, for the socket of a page that shows nothing
// else that is live.
func (t *Templates) OverviewFrame(overview app.Overview) ([]byte, error) {
	return t.render("header_frame", failedText(overview.Failed()))
}

// Heartbeat renders the heartbeat frame. at is the time of the server.
func (t *Templates) Heartbeat(at time.Time) ([]byte, error) { return t.render("heartbeat", millis(at)) }

// DrainFrame renders the frame that tells a socket that the server is shutting down.
func (t *Templates) DrainFrame() ([]byte, error) { return t.render("drain_frame", nil) }

func (t *Templates) render(name string, view any) ([]byte, error) {
	var out bytes.Buffer
	if err := t.set.ExecuteTemplate(&out, name, view); err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	return out.Bytes(), nil
}

// decimal formats a number for attributes and ids.
func decimal(n int64) string { return strconv.FormatInt(n, 10) }
