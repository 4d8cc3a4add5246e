package query

import (
	"strings"
	"time"
	"unicode"

	"runboard/app"
)

// ErrNotFinal returns the error for the deletion of a run that has not finished, with CodeConflict.
func ErrNotFinal(id int64, status app.Status) error {
	return app.Errorf(app.CodeConflict, "Run #%d is %s. Only finished runs can be deleted.", id, status)
}

// Sanitize returns text as valid UTF-8 of at most app.MaxError bytes, without the control characters that
// would garble a page or a terminal.
func Sanitize(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if len(text) > app.MaxError {
		text = strings.ToValidUTF8(text[:app.MaxError], "") // the cut may split a character
	}
	return text
}

// DueSince returns the time since when a created run could have started.
func DueSince(run app.ProcessRun) time.Time {
	if run.ScheduledAt.After(run.UpdatedAt) {
		return run.ScheduledAt
	}
	return run.UpdatedAt
}
