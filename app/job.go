package app

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
)

// Job is what a run that waits has in the queue that several nodes share. It is inserted in the transaction
// that creates, requeues or snoozes the run, and deleted in the one that starts or continues it.
type Job struct {
	Run     int64  `json:"run"`
	RunKind string `json:"-"`
}

// Kind returns the kind of the job: the kind of the run, encoded as a valid name for River. Nodes fetch only
// the kinds that they handle.
func (j Job) Kind() string {
	if nameable.MatchString(j.RunKind) {
		return "run:" + j.RunKind
	}
	sum := sha256.Sum256([]byte(j.RunKind))
	return "run:+" + hex.EncodeToString(sum[:16])
}

var nameable = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)

// Queues of jobs.
const (
	DefaultQueue    = "runs"
	QuarantineQueue = "quarantine" // runs that the next crash would fail: each node runs one at a time
	BulkQueue       = "bulk"       // bulk runs, which must not wait behind the runs that they change
)

// QueueOf returns the queue of a run's job. Runs that the next crash would fail go to the quarantine queue,
// so that none of them fails because another one crashes the node.
func QueueOf(run ProcessRun, maxCrashes int) string {
	switch {
	case slices.Contains(BulkKinds(), run.Kind):
		return BulkQueue
	case run.Quarantined(maxCrashes):
		return QuarantineQueue
	}
	return DefaultQueue
}

// JobRequest asks for the runs of the oldest available jobs of a queue.
type JobRequest struct {
	Queue string
	Kinds []string // of runs
	Most  int      // most jobs to look at
	Slots int      // most runs to start
}

// WaitingJob is an available job, and the run whose job it was when it was read.
type WaitingJob struct{ ID, Run int64 }
