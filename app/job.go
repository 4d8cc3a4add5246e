package app

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
)

// Job is what an engine that several nodes share carries for a run that waits. It is written down in the transaction
// in which the run comes to wait, and a run has one at a time.
type Job struct {
	Run  int64  `json:"run"`
	Work string `json:"-"` // the kind of the run
}

// Kind is the kind of the job. It tells the kind of the run in what such engines take for a name: nodes ask only for the
// jobs that they have the work for.
func (j Job) Kind() string {
	if nameable.MatchString(j.Work) {
		return "run:" + j.Work
	}
	sum := sha256.Sum256([]byte(j.Work))
	return "run:+" + hex.EncodeToString(sum[:16])
}

var nameable = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)

// Queues that jobs stand in.
const (
	DefaultQueue    = "runs"
	QuarantineQueue = "suspects" // runs that another crash would fail: a node does one of them at a time
	BulkQueue       = "actions"  // runs that act on many others: they must not wait behind these
)

// QueueOf returns the queue of a run's job. All runs of a node that crashed go on at once elsewhere, as they were; but one
// that has crashed so often that the next crash would fail it must not be failed by the fault of another such run.
func QueueOf(run ProcessRun, maxCrashes int) string {
	switch {
	case slices.Contains(BulkKinds(), run.Kind):
		return BulkQueue
	case run.Interrupted() && run.Crashes+1 >= maxCrashes:
		return QuarantineQueue
	}
	return DefaultQueue
}
