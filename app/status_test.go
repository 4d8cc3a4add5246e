package app_test

import (
	"encoding/json"
	"strings"
	"testing"

	"runboard/app"
)

// allowed lists the allowed changes of the contract, in its words rather than those of the program, so that a
// slip in the program shows.
var allowed = map[string]bool{
	"created→started":   true,
	"started→completed": true,
	"started→failed":    true,
	"created→cancelled": true,
	"started→cancelled": true,
	"started→created":   true,
	"failed→created":    true,
	"cancelled→created": true,
}

func TestStatus_CanBecomeAllowedOnly(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, from := range app.Statuses() {
		for _, to := range app.Statuses() {
			change := from.String() + "→" + to.String()
			if allowed[change] {
				seen++
			}
			if got := from.CanBecome(to); got != allowed[change] {
				t.Errorf("%s: allowed is %t, want %t", change, got, allowed[change])
			}
		}
	}
	if seen != len(allowed) {
		t.Errorf("%d of the %d allowed changes are between known statuses", seen, len(allowed))
	}
}

func TestStatus_UnknownCannotBecomeAny(t *testing.T) {
	t.Parallel()
	for _, unknown := range []app.Status{-128, -1, app.StatusCount, 127} {
		if unknown.Valid() {
			t.Errorf("status %d is valid", int8(unknown))
		}
		if unknown.Final() {
			t.Errorf("status %d is final", int8(unknown))
		}
		for _, known := range app.Statuses() {
			if unknown.CanBecome(known) || known.CanBecome(unknown) {
				t.Errorf("there is a way between %s and %s", unknown, known)
			}
		}
	}
}

// The database stores the numbers, so they must not change.
func TestStatus_HasNumberAndName(t *testing.T) {
	t.Parallel()
	for number, want := range []struct {
		status app.Status
		name   string
		final  bool
	}{
		{app.Created, "created", false},
		{app.Started, "started", false},
		{app.Completed, "completed", true},
		{app.Failed, "failed", true},
		{app.Cancelled, "cancelled", true},
	} {
		if int(want.status) != number || app.Statuses()[number] != want.status {
			t.Errorf("%s has the number %d, want %d", want.name, want.status, number)
		}
		if got := want.status.String(); got != want.name {
			t.Errorf("status %d is named %q, want %q", number, got, want.name)
		}
		if got := want.status.Final(); got != want.final {
			t.Errorf("%s: final is %t, want %t", want.name, got, want.final)
		}
		if !want.status.Valid() {
			t.Errorf("%s is not valid", want.name)
		}
	}
	if n := len(app.Statuses()); n != app.StatusCount {
		t.Errorf("there are %d statuses, and StatusCount is %d", n, app.StatusCount)
	}
}

func TestParseStatus_ReversesString(t *testing.T) {
	t.Parallel()
	for _, status := range app.Statuses() {
		got, err := app.ParseStatus(status.String())
		if err != nil || got != status {
			t.Errorf("%q is parsed as %s, %v", status, got, err)
		}
	}
}

func TestParseStatus_NeedsTheExactName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"", " ", "Created", "CREATED", "created ", " created", "create", "createdd", "0", "1",
		"status(7)", "done", "created\x00", "ｃreated", "created,started",
	} {
		_, err := app.ParseStatus(name)
		if app.CodeOf(err) != app.CodeMalformed {
			t.Errorf("%q: the error is %v, want one with the code malformed", name, err)
		}
	}
}

func TestParseStatus_ErrorListsValidNames(t *testing.T) {
	t.Parallel()
	_, err := app.ParseStatus("<b>nonsense</b>")
	message := err.(*app.Error).Message
	for _, status := range app.Statuses() {
		if !strings.Contains(message, status.String()) {
			t.Errorf("%q does not name %s", message, status)
		}
	}
	if strings.Contains(message, "nonsense") {
		t.Errorf("%q repeats what was sent", message)
	}
}

func TestStatus_IsAWordInJSON(t *testing.T) {
	t.Parallel()
	type document struct {
		Status app.Status           `json:"status"`
		Counts map[app.Status]int64 `json:"counts"`
	}
	const text = `{"status":"failed","counts":{"cancelled":4,"created":1}}`
	var parsed document
	if err := json.Unmarshal([]byte(text), &parsed); err != nil {
		t.Fatal(err)
	}
	if parsed.Status != app.Failed || parsed.Counts[app.Cancelled] != 4 || parsed.Counts[app.Created] != 1 {
		t.Errorf("parsed as %+v", parsed)
	}
	written, err := json.Marshal(parsed)
	if err != nil || string(written) != text {
		t.Errorf("written as %s, %v, want %s", written, err, text)
	}
}

func TestStatus_JSONRejectsUnknownWords(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`"Failed"`, `"unknown"`, `""`} {
		var status app.Status
		if err := json.Unmarshal([]byte(text), &status); app.CodeOf(err) != app.CodeMalformed {
			t.Errorf("%s: the error is %v, want one with the code malformed", text, err)
		}
	}
}
