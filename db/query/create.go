package query

import (
	"fmt"
	"time"

	"runboard/app"
)

// KeepKeys is how long an idempotency key is kept. A page may stay open for more than a day.
const KeepKeys = 48 * time.Hour

// CheckNew fails if a request is invalid. Callers validate requests first, so this is a programming error.
func CheckNew(request app.CreateRequest) error {
	count, key := request.Count, request.IdempotencyKey
	if count < 1 || count > app.MaxCount || request.Kind == "" || len(key) > app.MaxKey {
		return fmt.Errorf("invalid request for runs: %+v", request)
	}
	return nil
}

// KeyedRequest is a row of idempotency_keys: the first request with a key.
type KeyedRequest struct {
	Kind      string `db:"kind"`
	Count     int    `db:"count"`
	FirstID   int64  `db:"first_id"`
	CreatedAt int64  `db:"created_at"`
}

// Batch returns the batch of the stored request, as the answer to a request with the same idempotency key. It
// fails with CodeInvalid if the requests differ.
func (r KeyedRequest) Batch(request app.CreateRequest) (app.Batch, error) {
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
