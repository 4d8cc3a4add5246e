package app

import "time"

// Failure is what runs have in common that are failed now: the kind and the pattern of their errors.
type Failure struct {
	ID      int64  `json:"id"`
	Kind    string `json:"kind"`
	Pattern string `json:"pattern"`
	Example string `json:"example"` // the first such error, as it was
	Runs    int64  `json:"runs"`    // that are failed so now
	// FirstAt and LastAt are when such a run failed first and last, also one that has been tried again since.
	FirstAt time.Time `json:"first_at"`
	LastAt  time.Time `json:"last_at"`
	// Hours is how many runs failed so in each of the last hours; the last one is the present hour.
	Hours [FailureHours]int64 `json:"hours"`
}

// FailureHours is for how many hours failures are counted by the hour.
const FailureHours = 24

// Failures are the different failures that there are now, those with most runs first, at most MaxFailures of them.
type Failures struct {
	Failures []Failure `json:"failures"`
	Groups   int64     `json:"groups"` // how many different ones there are in all
	Runs     int64     `json:"runs"`   // that are failed
}

// MaxFailures is how many failures are told of.
const MaxFailures = 100
