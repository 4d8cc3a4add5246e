package app

import (
	"fmt"
	"slices"
	"strings"
)

// Status is the status of a run. Its number is that in the database.
type Status int8

// The statuses. Completed, Failed and Cancelled are final.
const (
	Created   Status = iota // waiting; its work has not started
	Started                 // a worker runs it
	Completed               // the work returned without error
	Failed                  // the work failed, and no attempt is left
	Cancelled               // cancelled by a user or a program
)

// StatusCount is the number of statuses, which are numbered from 0.
const StatusCount = 5

var statusNames = [StatusCount]string{"created", "started", "completed", "failed", "cancelled"}

// changes lists the statuses that may follow each status.
var changes = [StatusCount][]Status{
	Created:   {Started, Cancelled},
	Started:   {Completed, Failed, Cancelled, Created},
	Completed: {},
	Failed:    {Created},
	Cancelled: {Created},
}

// Statuses returns every status in the order of its number.
func Statuses() []Status {
	return []Status{Created, Started, Completed, Failed, Cancelled}
}

// ParseStatus returns the status with exactly this name. It fails with CodeMalformed.
func ParseStatus(name string) (Status, error) {
	if i := slices.Index(statusNames[:], name); i >= 0 {
		return Status(i), nil
	}
	return 0, Errorf(CodeMalformed, "The status must be one of %s.", strings.Join(statusNames[:], ", "))
}

// Valid reports whether s is one of the five statuses.
func (s Status) Valid() bool { return s >= 0 && s < StatusCount }

// String returns the name of s on pages, in JSON and in queries.
func (s Status) String() string {
	if !s.Valid() {
		return fmt.Sprintf("status(%d)", int8(s))
	}
	return statusNames[s]
}

// MarshalText returns String.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText parses the name of a status, as ParseStatus does.
func (s *Status) UnmarshalText(text []byte) (err error) {
	*s, err = ParseStatus(string(text))
	return err
}

// Final reports whether the run has finished. Only an explicit retry continues it.
func (s Status) Final() bool { return s == Completed || s == Failed || s == Cancelled }

// CanBecome reports whether a run in s may change to next.
func (s Status) CanBecome(next Status) bool {
	return s.Valid() && slices.Contains(changes[s], next)
}
