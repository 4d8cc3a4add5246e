package app

// Stream is the source of a log line.
type Stream int8

// The streams, with their numbers in the database.
const (
	Stdout    Stream = iota // standard output of the work
	Stderr                  // standard error of the work
	ServerLog               // lines that the server adds
)

var streamNames = [...]string{"stdout", "stderr", "server"}

// String returns the name of s on pages and in JSON.
func (s Stream) String() string {
	if s < 0 || int(s) >= len(streamNames) {
		return "unknown"
	}
	return streamNames[s]
}

// MarshalText returns String.
func (s Stream) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogLine is a line of a log, or a part of a line that is longer than MaxLine or was saved before its end.
type LogLine struct {
	// At is the offset of its first byte. The store sets it.
	At     int64  `json:"offset"`
	Stream Stream `json:"stream"`
	// Text is valid UTF-8 of at most MaxLine bytes, with no control characters but tabs and the codes of a
	// TextStyle. It ends with a newline, unless the line continues in the next part of the same stream. A part that begins with a
	// carriage return replaces the line so far, as on a terminal.
	Text string `json:"text"`
}

// End returns the offset of the next line.
func (l LogLine) End() int64 { return l.At + int64(len(l.Text)) }

// MaxLine is the longest LogLine, in bytes.
const MaxLine = 8 << 10

// Log is a part of a run's log. Offsets count all bytes of all attempts, so they stay valid when the oldest
// part has been dropped.
type Log struct {
	Start int64     `json:"start"` // offset of the oldest byte that is kept
	End   int64     `json:"end"`   // offset after the newest byte
	Lines []LogLine `json:"lines"` // without gaps
}

// From returns the offset of the first line, or End without lines.
func (l Log) From() int64 {
	if len(l.Lines) == 0 {
		return l.End
	}
	return l.Lines[0].At
}

// To returns the offset after the last line, or End without lines.
func (l Log) To() int64 {
	if len(l.Lines) == 0 {
		return l.End
	}
	return l.Lines[len(l.Lines)-1].End()
}

// LogQuery asks for the part of a log after an offset or, with Backwards, before it. An offset within a line
// cuts the line.
type LogQuery struct {
	Run       int64
	Offset    int64
	Backwards bool
	Bytes     int // about how many; at least one line is returned if there is one
	Lines     int // the most lines to return
}

// Limits of the newest lines that the page of a run shows at once.
const (
	TailBytes = 8 << 10
	TailLines = 100
)

// ProgressUpdate is the progress and the log lines that a run reported since the last update.
type ProgressUpdate struct {
	// ID identifies an update that may be saved again because the answer was lost; 0 for an update that is
	// saved once.
	ID       int64
	Progress *Progress // nil if unchanged
	// Skipped is the number of bytes before Lines that exceed the limit of the log. If it is not 0, nothing
	// earlier is kept either. It is 0 without lines.
	Skipped int64
	Lines   []LogLine // at most a few hundred KB
}
