package app

import (
	"fmt"
	"strings"
)

// Status says how far a run has come. The numbers are those in the database.
type Status int8

// The statuses. Completed, Failed and Cancelled are final.
const (
	Created   Status = iota // committed; no work has been seen to start
	Started                 // a worker is doing the work
	Completed               // the work returned without error
	Failed                  // the work failed and will not be tried again by itself
	Cancelled               // a person stopped it
)

// StatusCount is how many statuses there are; they are numbered from 0.
const StatusCount = 5

var statusNames = [StatusCount]string{"created", "started", "completed", "failed", "cancelled"}

// changes lists, for each status, the statuses that may follow it.
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
	for i, known := range statusNames {
		if name == known {
			return Status(i), nil
		}
	}
	return 0, Errorf(CodeMalformed, "The status must be one of %s.", strings.Join(statusNames[:], ", "))
}

// Valid reports whether s is one of the five statuses.
func (s Status) Valid() bool { return s >= 0 && s < StatusCount }

// String returns the word for s as pages, JSON and queries spell it.
func (s Status) String() string {
	if !s.Valid() {
		return fmt.Sprintf("status(%d)", int8(s))
	}
	return statusNames[s]
}

// MarshalText spells s as String does.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText accepts what ParseStatus accepts.
func (s *Status) UnmarshalText(text []byte) (err error) {
	*s, err = ParseStatus(string(text))
	return err
}

// Final reports whether no work is left to do: only a person can bring the run back.
func (s Status) Final() bool { return s == Completed || s == Failed || s == Cancelled }

// CanBecome reports whether a run may go from s to next in one change.
func (s Status) CanBecome(next Status) bool {
	if !s.Valid() {
		return false
	}
	for _, allowed := range changes[s] {
		if next == allowed {
			return true
		}
	}
	return false
}
