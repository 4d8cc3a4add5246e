package app

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
)

// Job is the job of a run in the engine that several nodes share. It is inserted in the transaction that
// creates or requeues the run, and a run has one job at a time.
type Job struct {
	Run     int64  `json:"run"`
	RunKind string `json:"-"`
}

// Kind returns the kind of the job: the kind of the run, encoded as a valid name of the engine. Nodes fetch
// only the kinds that they handle.
func (j Job) Kind() string {
	if nameable.MatchString(j.RunKind) {
		return "run:" + j.RunKind
	}
	sum := sha256.Sum256([]byte(j.RunKind))
	return "run:+" + hex.EncodeToString(sum[:16])
}

var nameable = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)

// Queues of the engine.
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

// JobRequest asks for jobs of DefaultQueue.
type JobRequest struct {
	Kinds []string // of runs
	Most  int      // most jobs to look at
	Slots int      // most runs to start
}

// HeldJob is a job that a node holds according to the database.
type HeldJob struct {
	ID int64 `db:"id"`
	// Used reports whether the job no longer exists, as its run has been started.
	Used bool `db:"used"`
}

// StartedJob is a run that has been started, with the number of the job that it had.
type StartedJob struct {
	ID  int64
	Run ProcessRun
}
