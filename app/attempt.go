package app

import "time"

// Attempt is an attempt of a run, as the events of the run tell it.
type Attempt struct {
	// Number counts the attempts from 1, and again from 1 after each retry by hand. An attempt that was
	// interrupted does not count, so the next one has the same number.
	Number int
	// Retried is when a user retried the run before this attempt; the zero time for other attempts.
	Retried time.Time
	// Status is Started while the attempt goes on, and else how it ended: Completed, Failed or Cancelled; or
	// Created if it was interrupted.
	Status Status
	// Note says why it ended, or is "".
	Note      string
	StartedAt time.Time
	EndedAt   time.Time // zero while it goes on
	LogOffset int64     // where its part of the log begins; UnknownOffset if that is not known
}

// Took returns how long the attempt took, or has taken at now.
func (a Attempt) Took(now time.Time) time.Duration {
	if a.EndedAt.IsZero() {
		return now.Sub(a.StartedAt)
	}
	return a.EndedAt.Sub(a.StartedAt)
}

// Attempts returns the attempts of a run, oldest first. events is its history, oldest first; only MaxEvents
// are kept, so the first attempts may be missing. An attempt whose start was dropped is missing as a whole.
func Attempts(events []Event) (attempts []Attempt) {
	var retried time.Time
	running := false
	for _, event := range events {
		switch {
		case event.Note == NoteCancelRequested: // the attempt goes on
		case event.Status == Started:
			attempts = append(attempts, Attempt{
				Number: event.Attempt, Retried: retried, Status: Started, StartedAt: event.At,
				LogOffset: event.LogOffset,
			})
			running, retried = true, time.Time{}
		case running:
			attempts[len(attempts)-1].end(event)
			running = false
		case event.Note == NoteRetried:
			retried = event.At
		}
	}
	return attempts
}

// end records the event that ended the attempt.
func (a *Attempt) end(event Event) {
	a.Status, a.EndedAt, a.Note = event.Status, event.At, event.Note
	if event.Status == Created && event.Note != NoteInterrupted && event.Note != NoteCrashed {
		a.Status = Failed // and another attempt follows
	}
}
