package app

// Stream says who wrote a line of a run's log.
type Stream int8

// The streams. Their numbers are those in the database.
const (
	Stdout Stream = iota // the work, as its output
	Stderr               // the work, as an error
	Notes                // the server, about the work
)

var streamNames = [...]string{"stdout", "stderr", "server"}

// String returns the word for s as pages and JSON spell it.
func (s Stream) String() string {
	if s < 0 || int(s) >= len(streamNames) {
		return "unknown"
	}
	return streamNames[s]
}

// MarshalText spells s as String does.
func (s Stream) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogLine is a line of a run's log, or a part of one that is longer than MaxLine or was shown before its end.
type LogLine struct {
	// At is where it begins: how many bytes the log had before. The store sets it.
	At     int64  `json:"offset"`
	Stream Stream `json:"stream"`
	// Text is valid UTF-8 of at most MaxLine bytes, with no control characters but tabs. It ends with a
	// newline, unless the line goes on in the next part of the same stream. A part that begins with a carriage
	// return replaces what the line was before, as on a terminal.
	Text string `json:"text"`
}

// End is where the next line begins.
func (l LogLine) End() int64 { return l.At + int64(len(l.Text)) }

// MaxLine is how long a LogLine may be, in bytes.
const MaxLine = 8 << 10

// Log is a part of what a run's work wrote. Offsets count bytes from the very first one, and go on over
// all attempts, so they mean the same for ever, also when the first part has been dropped.
type Log struct {
	Start int64     `json:"start"` // of the oldest byte that is kept
	End   int64     `json:"end"`   // behind the newest byte
	Lines []LogLine `json:"lines"` // one after the other, without a gap
}

// From is where the lines begin, or End when there are none.
func (l Log) From() int64 {
	if len(l.Lines) == 0 {
		return l.End
	}
	return l.Lines[0].At
}

// To is where the lines end.
func (l Log) To() int64 {
	if len(l.Lines) == 0 {
		return l.End
	}
	return l.Lines[len(l.Lines)-1].End()
}

// LogQuery asks for a part of a run's log: what follows an offset or, with Backwards, what comes before it.
// An offset amid a line cuts the line.
type LogQuery struct {
	Run       int64
	Offset    int64
	Backwards bool
	Bytes     int // about how much; at least one line is returned if there is one
	Lines     int // at most so many
}

// What a run's page shows of the log at once: the newest lines, in both measures at most.
const (
	TailBytes = 8 << 10
	TailLines = 100
)

// Report is what the work of a run says of itself since its last report.
type ProgressUpdate struct {
	// ID tells reports of a run apart. A report that is handed in again, because the answer to it was lost, has the same ID.
	// 0 is a report that is handed in once.
	ID       int64
	Progress *Progress // nil: no news
	// Skipped is how many bytes of the log came before Lines that are not kept, because Lines and what follows them are
	// as much as a log may have. Then nothing earlier is kept, either. It is 0 if there are no lines.
	Skipped int64
	Lines   []LogLine // at most a few hundred KB
}
