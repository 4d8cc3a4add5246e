package app

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Kind describes a kind of run: what people read about it, its inputs, and the policies of its runs.
type Kind struct {
	Name        string
	Title       string // what people read; empty: the name
	Description string
	Group       string // heading on the page
	Inputs      []Input
	Confirm     string // question that the page asks before a start; {name} stands for the value of an input
	Policy
	// Definition changes whenever something changes that a person confirms before a start: the inputs, the
	// question, or what a run executes.
	Definition string
}

// Policy has the limits of the runs of a kind.
type Policy struct {
	Timeout     time.Duration // of an attempt; 0: that of the board
	Attempts    int           // of a run; 0: that of the board
	Concurrency int           // runs that may be started at once; 0: any number
	// ConcurrencyKey are the inputs whose values are counted separately. Empty: all runs of the kind are
	// counted together.
	ConcurrencyKey []string
}

// WithDefaults returns the policy with these limits of the board where it has none of its own.
func (p Policy) WithDefaults(timeout time.Duration, attempts int) Policy {
	p.Timeout = cmp.Or(p.Timeout, timeout)
	p.Attempts = cmp.Or(p.Attempts, attempts)
	return p
}

// KindSource has the kinds that are offered now. They may change between two calls, because the kinds file
// can be read again. Its methods may be called from any goroutine. Callers must not change what they return.
type KindSource interface {
	// Kinds returns the kinds in the order in which pages list them.
	Kinds() []Kind
	// Kind returns the kind with this name, and false if none is offered.
	Kind(name string) (Kind, bool)
}

// Label returns the title of the kind, or else its name.
func (k Kind) Label() string {
	if k.Title != "" {
		return k.Title
	}
	return k.Name
}

// DefaultCount returns the number of runs that a request starts which names none.
func (k Kind) DefaultCount() int {
	if k.Name == SimulatedKind {
		return DefaultCount
	}
	return 1
}

// SimulatedKind is the name of the kind for demonstrations.
const SimulatedKind = "simulated"

// maxConcurrencyKey is the maximum length of a concurrency key in bytes. Databases index it, so a longer one
// is replaced by its hash.
const maxConcurrencyKey = 100

// ConcurrencyKeyOf returns the key under which runs with these values are counted together, or "" if all runs
// of the kind are.
func (p Policy) ConcurrencyKeyOf(values InputValues) string {
	var key strings.Builder
	for _, name := range p.ConcurrencyKey {
		key.WriteString(name)
		for _, value := range values {
			if value.Name != name {
				continue
			}
			for _, text := range value.Texts {
				key.WriteString("=" + strconv.Quote(InputKey(value.Type, text)))
			}
		}
		key.WriteByte(';')
	}
	if key.Len() > maxConcurrencyKey {
		sum := sha256.Sum256([]byte(key.String()))
		return hex.EncodeToString(sum[:16])
	}
	return key.String()
}

// Waiting says why a created run that is due does not start. The zero Waiting says that it waits for a
// worker.
type Waiting struct {
	Paused bool `json:"paused,omitzero"` // its kind is paused
	// Limit is the Concurrency of its kind if so many runs with its concurrency key are started, and else 0.
	Limit int `json:"limit,omitzero"`
	// By is the oldest of these runs.
	By int64 `json:"by,omitzero"`
}

// KindOverview says how the runs of a kind fare.
type KindOverview struct {
	Last ProcessRun // the newest run; with ID 0 if there is none
	// MedianDuration is the median of the newest completed runs, at most UsualRuns, and Measured their
	// number.
	MedianDuration time.Duration
	Measured       int
	Started        int64 // runs in this status, as is Created; CountedOfKind+1 means more than CountedOfKind
	Created        int64
	Paused         bool
}

// MaxPaused is the maximum number of kinds that PausedKinds names.
const MaxPaused = 3

// PausedKinds are the kinds that are paused, offered or not. It is comparable.
type PausedKinds struct {
	Names [MaxPaused]string // the first by name, then ""
	More  bool              // there are more
}

// Named returns the names.
func (p PausedKinds) Named() []string {
	n := 0
	for n < MaxPaused && p.Names[n] != "" {
		n++
	}
	return p.Names[:n]
}

// UsualRuns is how many of the newest completed runs of a kind its usual duration is measured from.
const UsualRuns = 20

// CountedOfKind is how many runs of a kind in a status are counted for its overview.
const CountedOfKind = 1000

// CommandPreview is what a run with certain inputs would execute.
type CommandPreview struct {
	Words     []string // of the command, secrets masked
	Dir       string   // working directory; "": an empty one for each run
	Variables []string // names of the environment variables that the operator has set
}

// QueueAhead is what a new run would wait for.
type QueueAhead struct {
	Waiting
	// Started and Created are the runs in this status that come first: those of the same kind and concurrency
	// key if the kind is limited, of which at most CountedOfKind+1 are counted, or else all runs.
	Started, Created int64
}

// ErrSecretUnknown says that a secret input of a run cannot be decrypted: the key has changed or is lost.
var ErrSecretUnknown = Errorf(CodeConflict, "The secret is no longer known.")

// DefinitionOf returns a Kind.Definition: a hash of everything that a person confirms.
func DefinitionOf(parts ...any) string {
	hash := sha256.New()
	encoder := json.NewEncoder(hash)
	for _, part := range parts {
		_ = encoder.Encode(part) // declarations never fail
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}
