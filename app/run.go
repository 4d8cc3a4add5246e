package app

import (
	"strconv"
	"time"
)

// ProcessRun is one row. Times are in UTC, to the millisecond; the zero time means "not yet".
type ProcessRun struct {
	ID      int64  `json:"id"`
	Kind    string `json:"kind"`
	Status  Status `json:"status"`
	Version int64  `json:"version"`
	// Attempt is how many tries have counted, the present one included; 0 before the first.
	Attempt int `json:"attempt"`
	// Crashes is how often a crash of the process interrupted the run.
	Crashes int `json:"crashes"`
	// Claim rises with every start. It is the store's business and nobody else's.
	FencingToken int64 `json:"-"`
	// Error is a sentence for a person: why the run failed, or why it is tried again.
	Error string `json:"error,omitzero"`
	// Failure is what a failed run has in common with others, see Failure; else 0.
	Failure int64 `json:"failure,omitzero"`

	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	// StartedAt is when the present or last attempt started.
	StartedAt time.Time `json:"started_at,omitzero"`
	// FinishedAt is when the run became final.
	FinishedAt time.Time `json:"finished_at,omitzero"`
	// DueAt is when a run that waits for another attempt may start again.
	ScheduledAt time.Time `json:"scheduled_at,omitzero"`
	// CancelAt is when a person asked a started run to stop. Its work may yet go on.
	CancelRequestedAt time.Time `json:"cancel_requested_at,omitzero"`

	Progress
}

// Progress is how far the work of the present or last attempt has come, as it says itself.
type Progress struct {
	Percent Percent `json:"percent"`
	Message string  `json:"message,omitzero"`
}

// Percent is 0 to 100, or NoPercent. In JSON the latter is null.
type Percent int8

// NoPercent is the Percent of work that has not said how far it has come.
const NoPercent Percent = -1

// MarshalJSON writes a number or null.
func (p Percent) MarshalJSON() ([]byte, error) {
	if p == NoPercent {
		return []byte("null"), nil
	}
	return strconv.AppendInt(nil, int64(p), 10), nil
}

// Known reports whether there is a percentage.
func (p Percent) Known() bool { return p != NoPercent }

// CancelRequested reports whether cancellation of a started run was requested and its work still goes on.
func (r ProcessRun) CancelRequested() bool {
	return r.Status == Started && !r.CancelRequestedAt.IsZero()
}

// Suspect reports whether a crash interrupted the run, so that it may be what caused the crash.
func (r ProcessRun) Interrupted() bool { return r.Crashes > 0 }

// CreateRequest asks for runs to be created.
type CreateRequest struct {
	Kind  string
	Count int // 1 to MaxCount
	// Key makes the request repeatable: the same key gets the first answer again. It is empty, or
	// 1 to MaxKey bytes of printable ASCII.
	IdempotencyKey string
}

// Limits of a request for new runs.
const (
	DefaultCount = 10
	MaxCount     = 1000 // one transaction; a thousand rows commit in a few milliseconds
	MaxKey       = 200  // bytes; room for a UUID or a hash with a prefix
)

// Batch is what one request created: Count runs with consecutive ids.
type Batch struct {
	First     int64
	Count     int
	Kind      string
	CreatedAt time.Time
}

// Last returns the newest id of the batch.
func (b Batch) Last() int64 { return b.First + int64(b.Count) - 1 }

// Runs returns the runs as they were when they were created, so that a repeated request gets the
// same answer however far they have come since.
func (b Batch) Runs() []ProcessRun {
	runs := make([]ProcessRun, b.Count)
	for i := range runs {
		runs[i] = ProcessRun{
			ID: b.First + int64(i), Kind: b.Kind, Status: Created, Version: 1,
			CreatedAt: b.CreatedAt, UpdatedAt: b.CreatedAt, Progress: Progress{Percent: NoPercent},
		}
	}
	return runs
}

// PageSize is how many runs a page of the list shows.
const PageSize = 25

// RecentSize is how many of the newest runs the progress line speaks of.
const RecentSize = 10

// Query is the question that a list answers. It is comparable, so that equal questions can share
// one answer. The zero Query asks for the newest runs.
type Query struct {
	Filter
	// Turn says on which side of Cursor, the id of a run, the wanted page lies.
	Direction Direction
	Cursor    int64
}

// Turn is a direction in the list.
type Direction int8

// The turns.
const (
	Latest Direction = iota // the newest runs; there is no cursor
	Before                  // the newest runs with smaller ids than the cursor
	After                   // the oldest runs with greater ids than the cursor
)

// InStatus is the query for the newest runs in a status.
func ByStatus(status Status) Query { return Query{Filter: Filter{Filtered: true, Status: status}} }

// To returns the query for another page of the same list.
func (q Query) WithCursor(turn Direction, cursor int64) Query {
	q.Direction, q.Cursor = turn, cursor
	return q
}

// Page is the answer to a Query, read from one state of the database.
type Page struct {
	Query              Query
	Runs               []ProcessRun // newest first, at most PageSize
	HasOlder, HasNewer bool         // whether the list goes on
	// Matches is how many runs the filter finds, when it asks for more than a status; More says that there are
	// more, which were not counted.
	MatchCount       int
	MatchCountCapped bool
	// SearchedTo is not 0 when a search has stopped before the page was full: it goes on before this run or, if Query.Turn
	// is After, after it.
	SearchCursor int64
	// Failure is the one that the filter asks for; the zero Failure when it asks for none, or there is none such.
	Failure Failure
	Overview
}

// CountedMatches is up to how many matches are counted: what a page costs must not depend on how many there are.
const CountedMatches = 10_000

// Older is the query for the next older page. It makes sense where HasOlder says so.
func (p Page) Older() Query {
	if p.SearchCursor > 0 && p.Query.Direction != After {
		return p.Query.WithCursor(Before, p.SearchCursor)
	}
	if n := len(p.Runs); n > 0 {
		return p.Query.WithCursor(Before, p.Runs[n-1].ID)
	}
	return p.Query.WithCursor(Latest, 0) // all there is is older than a cursor that is too high
}

// Newer is the query for the next newer page. It makes sense where HasNewer says so.
func (p Page) Newer() Query {
	if p.SearchCursor > 0 && p.Query.Direction == After {
		return p.Query.WithCursor(After, p.SearchCursor)
	}
	if len(p.Runs) > 0 {
		return p.Query.WithCursor(After, p.Runs[0].ID)
	}
	return p.Query.WithCursor(After, max(0, p.Query.Cursor-1))
}

// RunPage is one run with what its page shows around it, read from one state of the database.
type RunPage struct {
	Run    ProcessRun
	Events []Event // oldest first, the newest MaxEvents of them
	Log    Log     // its newest lines
	// Usual is how long runs of the kind take, when that is known and the run is under way: the median of
	// the newest that completed.
	MedianDuration time.Duration
	Overview
}

// Mark says how far a run has come: while it is the same, so is all that the run's page shows of it.
type Revision struct{ Version, LogEnd int64 }

// Mark is how far the run has come.
func (p RunPage) Revision() Revision { return Revision{Version: p.Run.Version, LogEnd: p.Log.End} }

// Event is a change of a run that its page tells of.
type Event struct {
	Version int64 // that the run had afterwards
	At      time.Time
	Status  Status // that the run had afterwards
	Attempt int
	Note    string // a sentence, or ""
}

// MaxEvents is how many events of a run are kept: a run that is retried for ever must not grow for ever.
const MaxEvents = 200

// Overview is what every page shows of the whole board.
type Overview struct {
	Counts Counts
	// Recent is how many of the newest runs are looked at, at most RecentSize; Done how many of
	// these are final.
	Recent, Done int
	// Unserved are the kinds that nobody here works on, of those that runs wait for.
	Unhandled UnhandledKinds
}

// Counts is how many runs there are in each status.
type Counts [StatusCount]int64

// Total is how many runs there are in all.
func (c Counts) Total() (n int64) {
	for _, count := range c {
		n += count
	}
	return n
}
