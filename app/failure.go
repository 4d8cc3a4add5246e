package app

import "time"

// Failure is a group of failed runs of one kind whose errors have the same Pattern.
type Failure struct {
	ID      int64  `json:"id"`
	Kind    string `json:"kind"`
	Pattern string `json:"pattern"`
	Example string `json:"example"` // the first such error, unchanged
	Runs    int64  `json:"runs"`    // how many are failed with it now
	// FirstAt and LastAt are when a run first and last failed with it, including runs that were retried
	// since.
	FirstAt time.Time `json:"first_at"`
	LastAt  time.Time `json:"last_at"`
	// Hours counts the runs that failed with it in each of the last hours; the last element is the current
	// hour.
	Hours [FailureHours]int64 `json:"hours"`
}

// FailureHours is the number of hours in Failure.Hours.
const FailureHours = 24

// Failures are the groups of failed runs with the most runs, at most MaxFailures of them.
type Failures struct {
	Failures []Failure `json:"failures"`
	Groups   int64     `json:"groups"` // in all
	Runs     int64     `json:"runs"`   // failed runs in all
}

// MaxFailures is the largest number of groups that are listed.
const MaxFailures = 100
