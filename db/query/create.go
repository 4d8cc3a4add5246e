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

// NewRuns are the runs of a request, ready to be stored.
type NewRuns struct {
	app.CreateRequest
	ConcurrencyKey string
	// Fingerprint identifies the inputs among those of other requests with the same idempotency key. It is ""
	// without inputs.
	Fingerprint string
	secrets     []sealedInput
}

// PrepareRuns returns the runs of a request. It fails with CodeInvalid if the request has secret inputs and
// secrets is nil. definitions has the policies of kinds; nil: there are none.
func PrepareRuns(
	request app.CreateRequest, definitions app.KindSource, secrets *app.SecretBox,
) (runs NewRuns, err error) {
	runs.CreateRequest = request
	if err := CheckNew(request); err != nil {
		return runs, err
	}
	if definitions != nil {
		kind, _ := definitions.Kind(request.Kind)
		runs.ConcurrencyKey = kind.ConcurrencyKeyOf(request.Inputs)
	}
	if request.Inputs.HasSecrets() && secrets == nil {
		return runs, app.Errorf(app.CodeInvalid, "This server cannot keep secrets: it has no key for them.")
	}
	runs.secrets = sealInputs(request, secrets)
	runs.Fingerprint = fingerprint(request.Inputs, secrets)
	return runs, nil
}

// Batch returns the runs as they are stored, from the id first on.
func (n NewRuns) Batch(first int64, createdAt time.Time) app.Batch {
	return app.Batch{
		First: first, Count: n.Count, Kind: n.Kind, CreatedAt: createdAt,
		InputCount: len(n.Inputs), Inputs: app.NewRunInputs(n.Inputs), ConcurrencyKey: n.ConcurrencyKey,
	}
}

// KeyedRequest is a row of idempotency_keys: the first request with a key.
type KeyedRequest struct {
	Kind      string `db:"kind"`
	Count     int    `db:"count"`
	Inputs    string `db:"inputs"`
	FirstID   int64  `db:"first_id"`
	CreatedAt int64  `db:"created_at"`
}

// Batch returns the batch of the stored request, as the answer to a request with the same idempotency key. It
// fails with CodeInvalid if the requests differ.
func (r KeyedRequest) Batch(request NewRuns) (app.Batch, error) {
	if r.Kind != request.Kind || r.Count != request.Count || r.Inputs != request.Fingerprint {
		return app.Batch{}, app.Errorf(app.CodeInvalid, "This idempotency key was used for another request.")
	}
	return request.Batch(r.FirstID, FromMillis(r.CreatedAt)), nil
}

// CheckCapacity fails with CodeUnavailable if more than most runs would wait with count more. 0 is no limit.
func CheckCapacity(waiting int64, count int, most int64) error {
	if most > 0 && waiting+int64(count) > most {
		return app.Errorf(app.CodeUnavailable,
			"%d runs are waiting already. Please try again when some have started.", waiting)
	}
	return nil
}
