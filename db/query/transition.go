package query

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"runboard/app"
)

// KeepRequests is how long an idempotency key is kept. A page may stay open for more than a day.
const KeepRequests = 48 * time.Hour

// CheckNew fails if a request is invalid. Callers validate requests first, so this is a programming error.
func CheckNew(request app.CreateRequest) error {
	count, key := request.Count, request.IdempotencyKey
	if count < 1 || count > app.MaxCount || request.Kind == "" || len(key) > app.MaxKey {
		return fmt.Errorf("invalid request for runs: %+v", request)
	}
	return nil
}

// Request is a row of idempotency_keys.
type Request struct {
	Kind      string `db:"kind"`
	Count     int    `db:"count"`
	FirstID   int64  `db:"first_id"`
	CreatedAt int64  `db:"created_at"`
}

// Batch returns the batch of the stored request, as the answer to a request with the same idempotency key. It
// fails with CodeInvalid if the requests differ.
func (r Request) Batch(request app.CreateRequest) (app.Batch, error) {
	if r.Kind != request.Kind || r.Count != request.Count {
		return app.Batch{}, app.Errorf(app.CodeInvalid, "This idempotency key was used for another request.")
	}
	return app.Batch{First: r.FirstID, Count: r.Count, Kind: r.Kind, CreatedAt: FromMillis(r.CreatedAt)}, nil
}

// CheckCapacity fails with CodeUnavailable if more than most runs would wait with count more. 0 is no limit.
func CheckCapacity(waiting int64, count int, most int64) error {
	if most > 0 && waiting+int64(count) > most {
		return app.Errorf(app.CodeUnavailable,
			"%d runs are waiting already. Please try again when some have started.", waiting)
	}
	return nil
}

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

// SameAttempt reports whether current is still started with the fencing token of run, so that the worker of
// run may change it.
func SameAttempt(current, run app.ProcessRun) bool {
	return current.Status == app.Started && current.FencingToken == run.FencingToken
}

// DueSince returns the time since when a created run could have started.
func DueSince(run app.ProcessRun) time.Time {
	if run.ScheduledAt.After(run.UpdatedAt) {
		return run.ScheduledAt
	}
	return run.UpdatedAt
}
