package board

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"runboard/app"
)

// EnqueueOption is an option of Enqueue.
type EnqueueOption func(*enqueueOptions)

type enqueueOptions struct {
	app.CreateRequest
	inputs map[string]any
}

// Count makes Enqueue create n runs, 1 to 1000. The default is 1.
func Count(n int) EnqueueOption { return func(o *enqueueOptions) { o.Count = n } }

// IdempotencyKey makes Enqueue create runs only once for the same key, 1 to 200 bytes of printable ASCII:
// further calls return the first batch. A call with the same key but another kind, count or inputs fails with
// app.CodeInvalid.
func IdempotencyKey(key string) EnqueueOption {
	return func(o *enqueueOptions) { o.IdempotencyKey = key }
}

// Inputs gives values to the inputs of a kind, by name: a number, a bool for a flag, a []string for
// choices, a time.Time or a string for a date, and a string for everything else. nil and "" are no value.
func Inputs(values map[string]any) EnqueueOption {
	return func(o *enqueueOptions) { o.inputs = values }
}

// Enqueue creates runs of a kind in one transaction and returns them after the commit. It fails with
// app.CodeInvalid for an unknown kind, a wrong option or a wrong input, and with app.CodeUnavailable while
// too many runs wait or the database cannot be written.
func (b *Board) Enqueue(ctx context.Context, kind string, options ...EnqueueOption) (app.Batch, error) {
	registry := b.offer.registry
	info, known := registry.Kind(kind)
	if !known {
		const text = "%q is not a kind of this board: it has %s."
		return app.Batch{}, app.Errorf(app.CodeInvalid, text, kind, strings.Join(registry.Names(), ", "))
	}
	o := enqueueOptions{CreateRequest: app.CreateRequest{Kind: kind, Count: 1}}
	for _, option := range options {
		option(&o)
	}
	if err := checkRequest(o.CreateRequest); err != nil {
		return app.Batch{}, err
	}
	var err error
	if o.CreateRequest.Inputs, err = checkInputs(info.Inputs, o.inputs); err != nil {
		return app.Batch{}, err
	}
	return b.store.Create(ctx, o.CreateRequest)
}

// checkRequest checks the options of Enqueue except the inputs.
func checkRequest(request app.CreateRequest) error {
	if request.Count < 1 || request.Count > app.MaxCount {
		return app.Errorf(app.CodeInvalid, "The count must be between 1 and %d.", app.MaxCount)
	}
	if !app.ValidKey(request.IdempotencyKey) {
		const text = "An idempotency key has at most %d bytes of printable ASCII."
		return app.Errorf(app.CodeInvalid, text, app.MaxKey)
	}
	return nil
}

// checkInputs checks values as a request with JSON is checked.
func checkInputs(inputs []app.Input, values map[string]any) (app.InputValues, error) {
	encoded := make(map[string]any, len(values))
	faults := app.InputErrors{}
	for name, value := range values {
		if !isText(value) { // encoding/json would replace what is wrong
			faults[name] = "must be valid UTF-8"
		}
		encoded[name] = encodable(value)
	}
	if len(faults) > 0 {
		return nil, invalidInputs(faults)
	}
	object, err := json.Marshal(encoded)
	if err != nil {
		const message = "The inputs cannot be encoded as JSON."
		return nil, &app.Error{Code: app.CodeInvalid, Message: message, Err: err}
	}
	checked, err := app.InputsOfJSON(inputs, object)
	if faults, wrong := errors.AsType[app.InputErrors](err); wrong {
		return nil, invalidInputs(faults)
	}
	return checked, err
}

func invalidInputs(faults app.InputErrors) error {
	return &app.Error{Code: app.CodeInvalid, Message: faults.Sentence(), Err: faults}
}

// isText reports whether a value is no string, or strings, with invalid UTF-8.
func isText(value any) bool {
	switch value := value.(type) {
	case string:
		return utf8.ValidString(value)
	case []string:
		return !slices.ContainsFunc(value, func(text string) bool { return !utf8.ValidString(text) })
	}
	return true
}

// encodable returns a value as encoding/json has to encode it: dates without a time, and numbers without an
// exponent, which an input does not have.
func encodable(value any) any {
	switch value := value.(type) {
	case time.Time:
		return value.Format(time.DateOnly)
	case float64:
		return json.Number(strconv.FormatFloat(value, 'f', -1, 64))
	case float32:
		return json.Number(strconv.FormatFloat(float64(value), 'f', -1, 32))
	}
	return value
}
