package app

import (
	"errors"
	"fmt"
)

// Code classifies an error, for programs.
type Code string

// The codes. An error without a code is internal: it is logged, and clients see only a reference.
const (
	CodeMalformed   Code = "malformed"   // cannot be parsed
	CodeInvalid     Code = "invalid"     // parsed, but out of range or contradictory
	CodeNotFound    Code = "not_found"   // no such run or page
	CodeConflict    Code = "conflict"    // the run is not in the state that the change needs
	CodeUnavailable Code = "unavailable" // try again later
	CodeTooMany     Code = "too_many"    // too many requests from this address
	CodeForbidden   Code = "forbidden"   // the origin or the user may not do this
	CodeUnsupported Code = "unsupported" // the type of the body is not supported
	CodeInternal    Code = "internal"    // a fault of the server
)

// Error is an error whose message may be shown to the client that caused it.
type Error struct {
	Code    Code
	Message string // a sentence for a person, without internal details
	Err     error  // the cause, for the log only; may be nil
}

// Errorf returns an Error with a formatted message.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Error returns the message with code and cause, for the log.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s (%s): %v", e.Message, e.Code, e.Err)
	}
	return fmt.Sprintf("%s (%s)", e.Message, e.Code)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of err: "" for nil, CodeInternal for errors without one.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}
