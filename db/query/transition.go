package query

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"runboard/app"
)

// KeepRequests is how long a repeated request gets its first answer: long enough for a page that was
// left open over a day.
const KeepRequests = 48 * time.Hour

// CheckNew fails when a request should have been refused before.
func CheckNew(request app.CreateRequest) error {
	if request.Count < 1 || request.Count > app.MaxCount || request.Kind == "" || len(request.IdempotencyKey) > app.MaxKey {
		return fmt.Errorf("a request for runs that should have been refused before: %+v", request)
	}
	return nil
}

// Request is a row of create_requests.
type Request struct {
	Kind      string `db:"kind"`
	Count     int    `db:"count"`
	FirstID   int64  `db:"first_id"`
	CreatedAt int64  `db:"created_at"`
}

// Answer is that to a request whose key was used for this one. It fails with CodeInvalid when that was another request.
func (r Request) Batch(request app.CreateRequest) (app.Batch, error) {
	if r.Kind != request.Kind || r.Count != request.Count {
		return app.Batch{}, app.Errorf(app.CodeInvalid, "This idempotency key was used for another request.")
	}
	return app.Batch{First: r.FirstID, Count: r.Count, Kind: r.Kind, CreatedAt: FromMillis(r.CreatedAt)}, nil
}

// Room returns nil when so many more runs may wait. No maximum is 0.
func CheckCapacity(waiting int64, count int, most int64) error {
	if most > 0 && waiting+int64(count) > most {
		return app.Errorf(app.CodeUnavailable, "%d runs are waiting already. Please try again when some have started.", waiting)
	}
	return nil
}

// NotFinal is what is said of a run that cannot be deleted.
func ErrNotFinal(id int64, status app.Status) error {
	return app.Errorf(app.CodeConflict, "Run #%d is %s. Only finished runs can be deleted.", id, status)
}

// Clean makes a text of any bytes, of bounded length and without the control characters that
// would garble a page or a terminal.
func Sanitize(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if len(text) > app.MaxError {
		text = strings.ToValidUTF8(text[:app.MaxError], "") // the cut may go through a character
	}
	return text
}

// DueSince returns since when a created run could have started.
func DueSince(run app.ProcessRun) time.Time {
	if run.ScheduledAt.After(run.UpdatedAt) {
		return run.ScheduledAt
	}
	return run.UpdatedAt
}
