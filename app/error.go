package app

import (
	"errors"
	"fmt"
)

// Code is what went wrong, for a machine.
type Code string

// The codes. An error without one is internal: it is logged, and people are told nothing of it.
const (
	CodeMalformed   Code = "malformed"   // cannot be understood, whatever it asks for
	CodeInvalid     Code = "invalid"     // understood, and not acceptable
	CodeNotFound    Code = "not_found"   // no such run or page
	CodeConflict    Code = "conflict"    // the run is no longer where the change expected it
	CodeUnavailable Code = "unavailable" // not now; trying again later may help
	CodeTooMany     Code = "too_many"    // too much from this address
	CodeForbidden   Code = "forbidden"   // not from there
	CodeUnsupported Code = "unsupported" // a kind of body that is not taken
	CodeInternal    Code = "internal"    // our fault
)

// Error is a failure that may be told to whoever caused it.
type Error struct {
	Code    Code
	Message string // a whole sentence for a person; never holds internals
	Err     error  // what lies beneath, for the log only; may be nil
}

// Errorf makes an Error with a formatted message.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Error is for the log; Message is for people.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s (%s): %v", e.Message, e.Code, e.Err)
	}
	return fmt.Sprintf("%s (%s)", e.Message, e.Code)
}

// Unwrap returns what lies beneath.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of err: "" for nil, CodeInternal for errors that carry none.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}
