package templates

import (
	"cmp"
	"regexp"
	"time"

	"runboard/app"
)

// triageForm is the view model of a form about a failure group.
type triageForm struct {
	Title   string
	Path    string // where the form posts
	Line    string // names the group, as does Exit
	Exit    string
	Value   string // of the field: the note, or a time in UTC as a field for times has it
	Problem string // why the value was refused, or ""
	Max     int    // length of a note, in characters
	Dismiss string
	Dialog  bool // shown in a dialog over a page, not on its own page
	Back    string
}

// NoteForm renders the form for the note of a failure group, for a dialog over a page. note is what the field
// has, and problem says why it was refused, or is "".
func (t *Templates) NoteForm(failure app.Failure, note, problem string) ([]byte, error) {
	form := newNoteForm(failure, note, problem)
	form.Dialog = true
	return t.render("note_form", form)
}

// NotePage renders the form like NoteForm, but as a page of its own.
func (t *Templates) NotePage(failure app.Failure, note, problem string) ([]byte, error) {
	return t.triagePage(newNoteForm(failure, note, problem), false)
}

// MuteForm renders the form that mutes a failure group, for a dialog over a page. until is the time that was
// refused, and problem says why; both are zero at first.
func (t *Templates) MuteForm(failure app.Failure, until time.Time, problem string) ([]byte, error) {
	form := newMuteForm(failure, until, problem)
	form.Dialog = true
	return t.render("mute_form", form)
}

// MutePage renders the form like MuteForm, but as a page of its own.
func (t *Templates) MutePage(failure app.Failure, until time.Time, problem string) ([]byte, error) {
	return t.triagePage(newMuteForm(failure, until, problem), true)
}

func newNoteForm(failure app.Failure, note, problem string) triageForm {
	form := newTriageForm(failure, "note", problem)
	form.Title, form.Value = "Note on an error", note
	return form
}

func newMuteForm(failure app.Failure, until time.Time, problem string) triageForm {
	form := newTriageForm(failure, "mute", problem)
	form.Title, form.Value = "Mute an error", fieldTime(until)
	return form
}

func newTriageForm(failure app.Failure, command, problem string) triageForm {
	form := triageForm{
		Path: failureCommandPath(failure.ID, command), Problem: problem, Max: app.MaxNote, Dismiss: "Back",
		Back: FailuresPath,
	}
	form.Line, form.Exit = failureLine(failure)
	return form
}

func (t *Templates) triagePage(form triageForm, mute bool) ([]byte, error) {
	view := struct {
		Layout layout
		Form   triageForm
		Mute   bool
	}{t.layout(form.Title), form, mute}
	view.Layout.OnFailures = true
	return t.render("triage_page", view)
}

// fieldTime formats t for a field for times, or returns "" for the zero time.
func fieldTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04")
}

// noOutput stands for the error of a command that has written nothing.
const noOutput = "No output"

// failureLine returns the line that names a failure group, and how the command of its example ended.
func failureLine(failure app.Failure) (line, exit string) {
	line, _ = errorLine(failure.Pattern)
	exit, _ = exitCode(failure.Example)
	return cmp.Or(visible(line), noOutput), exit
}

// Triaged renders the notice that a failure group has been annotated, unmuted, or muted until a time.
func (t *Templates) Triaged(message string, until time.Time) ([]byte, error) {
	return t.render("triaged", struct {
		Message string
		Until   *pointInTime
	}{message, newPointInTime(until)})
}

// failureNote is the view model of what users have said about a failure group.
type failureNote struct {
	Parts    []notePart
	Until    *pointInTime // when the group stops being muted
	EditPath string
}

// notePart is a part of a note: a text, or a link.
type notePart struct{ Text, URL string }

// newFailureNote returns nil if users have said nothing about the group.
func newFailureNote(failure app.Failure) *failureNote {
	if failure.Triage == (app.Triage{}) {
		return nil
	}
	return &failureNote{
		Parts: noteParts(failure.Note), Until: newPointInTime(failure.MutedUntil),
		EditPath: failureCommandPath(failure.ID, "note"),
	}
}

// listNote is the view model of the place for a note above a list of runs.
type listNote struct {
	Changes bool // the list is that of a failure group, which may get a note
	Note    *failureNote
}

func newListNote(page app.Page) listNote {
	return listNote{Changes: page.Query.Failure > 0, Note: newFailureNote(page.Failure)}
}

// linkPattern matches an address in a note, without the punctuation that ends a sentence or closes a bracket.
var linkPattern = regexp.MustCompile(`\bhttps?://[^\s<>"]*[^\s<>"'.,;:!?()\[\]{}…]`)

// noteParts splits a note at its links.
func noteParts(note string) (parts []notePart) {
	text := func(text string) {
		if text != "" {
			parts = append(parts, notePart{Text: visible(text)})
		}
	}
	end := 0
	for _, link := range linkPattern.FindAllStringIndex(note, -1) {
		text(note[end:link[0]])
		url := note[link[0]:link[1]]
		parts = append(parts, notePart{Text: visible(url), URL: url})
		end = link[1]
	}
	text(note[end:])
	return parts
}
