package app

import (
	"time"
	"unicode/utf8"
)

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
	// At is the offset of its first byte. The store sets it, Number and Written.
	At     int64  `json:"offset"`
	Stream Stream `json:"stream"`
	// Text is valid UTF-8 of at most MaxLine bytes, with no control characters but tabs and the codes of a
	// TextStyle. It ends with a newline, unless the line continues in the next part of the same stream. A
	// part that begins with a carriage return replaces the line so far, as on a terminal.
	Text string `json:"text"`
	// Number is the number of the line, from 1, in the order in which lines begin. All parts of a line have
	// its number. It is 0 if it is not known, because an older version of the program wrote the log.
	Number int64 `json:"line,omitempty"`
	// Written is when it was saved, or zero if an older version of the program wrote it.
	Written time.Time `json:"written_at,omitzero"`
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
	Line      int64 // if not 0, the offset is where this line begins or, without it, the next one
	Backwards bool
	Bytes     int // about how many; at least one line is returned if there is one
	Lines     int // the most lines to return
	Context   int // the most lines before the offset to return, too, unless Backwards
}

// LogSearch asks for the lines of a log that contain a text, regardless of case.
type LogSearch struct {
	Run   int64
	Text  string // not empty
	After int64  // offset at which to begin
}

// ParseLogText checks the text of a LogSearch. It fails with CodeMalformed.
func ParseLogText(text string) (string, error) {
	if text == "" || utf8.RuneCountInString(text) > MaxText || !readable(text) {
		return "", Errorf(CodeMalformed, "The text to find in a log has 1 to %d characters.", MaxText)
	}
	return text, nil
}

// Limits of a LogSearch. It ends after the first of both, even without a match.
const (
	SearchedBytes = 8 << 20
	SearchedHits  = 1000
)

// LogHits is the result of a LogSearch.
type LogHits struct {
	Hits []LogHit `json:"hits"` // in the order of their offsets
	// Next is the offset at which the next search continues, or nil at the end of the log.
	Next *int64 `json:"next"`
	End  int64  `json:"end"` // offset after the newest byte of the log
}

// LogHit is a line that contains the text of a search.
type LogHit struct {
	At     int64  `json:"offset"`
	Number int64  `json:"line,omitempty"` // 0 if not known
	Stream Stream `json:"stream"`
	Text   string `json:"text"` // without codes, and cut after MaxHit bytes
}

// MaxHit is the length in bytes to which the text of a LogHit is cut.
const MaxHit = 500

// LogFocus is what a page emphasizes in a log: a range of lines, or the hits of a search. The zero value is
// nothing.
type LogFocus struct {
	First, Last int64 // numbers of lines
	Text        string
	Hit         *LogHit // the line that the page shows
	Next        int64   // offset at which the search continues, or 0
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
	// earlier is kept either. It is 0 without lines. SkippedLines is the number of newlines among them.
	Skipped, SkippedLines int64
	Lines                 []LogLine // at most a few hundred KB
}
