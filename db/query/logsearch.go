package query

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"runboard/app"
)

// SearchLog implements app.Store.
func (r *Reader) SearchLog(ctx context.Context, search app.LogSearch) (hits app.LogHits, err error) {
	err = r.read(forLong(ctx), func(s *snapshot) {
		if s.requireRun(search.Run) {
			hits = s.openLog(search.Run).search(search)
		}
	})
	return hits, err
}

// searchTime is how long a search goes on. On a busy machine it comes less far than app.SearchedBytes.
const searchTime = time.Second

// search returns the first lines that contain a text. It looks at about app.SearchedBytes, but at one part of
// the log at least.
func (r *logReader) search(search app.LogSearch) app.LogHits {
	found := logSearcher{text: strings.ToLower(search.Text), hits: []app.LogHit{}}
	begin := max(search.After, r.bounds.Start) // the text before may have been dropped
	deadline := time.Now().Add(searchTime)
	stopped := false
	for part := range r.parts(app.LogQuery{Offset: search.After}) {
		if endsBefore(part, begin, deadline) || !r.searchPart(part, search, &found) {
			stopped = true
			break
		}
	}
	result := app.LogHits{End: r.bounds.Stop}
	if stopped {
		next := found.next(search.After)
		result.Next = &next
	}
	result.Hits = found.result(result.Next)
	return result
}

// endsBefore reports whether a search from an offset on ends before a part, because it has come far enough or
// has taken too long. It never ends before its first part.
func endsBefore(part LogPart, offset int64, deadline time.Time) bool {
	if part.Start <= offset {
		return false
	}
	return part.Start-offset >= app.SearchedBytes || time.Now().After(deadline)
}

// searchPart looks at a part of the log. It returns false if there are enough hits before its end.
func (r *logReader) searchPart(part LogPart, search app.LogSearch, found *logSearcher) bool {
	lines, _, err := part.lines(r.countBefore(part))
	r.fail(err)
	for _, line := range cutLines(lines, app.LogQuery{Offset: search.After}) {
		if len(found.hits) >= app.SearchedHits {
			return false
		}
		found.add(line)
	}
	return true
}

// logSearcher looks for a text in the lines of a log. Lines of different streams may interleave.
type logSearcher struct {
	text string // in lower case
	hits []app.LogHit
	open [app.ServerLog + 1]searchedLine
	end  int64 // offset after the last line
}

// searchedLine is a line that has not ended.
type searchedLine struct {
	begun bool
	hit   app.LogHit
	found bool
	// tail is the end, in lower case, of the text so far, in which the text may begin.
	tail string
}

// add looks at the next line, or part of one.
func (s *logSearcher) add(part app.LogLine) {
	s.end = part.End()
	if part.Stream == app.ServerLog { // a new attempt does not continue lines of the previous one
		for stream := range s.open {
			s.finish(app.Stream(stream))
		}
	}
	line := &s.open[part.Stream]
	if !line.begun {
		*line = searchedLine{begun: true, hit: app.LogHit{
			At: part.At, Number: part.Number, Stream: part.Stream,
		}}
	}
	text, replaces := strings.CutPrefix(part.Text, "\r")
	if replaces {
		line.tail, line.found, line.hit.Text = "", false, ""
	}
	text, ended := strings.CutSuffix(text, "\n")
	line.add(app.PlainText(text), s.text)
	if ended {
		s.finish(part.Stream)
	}
}

// add looks for the text, which is in lower case, in the next text of the line.
func (l *searchedLine) add(next, text string) {
	if room := app.MaxHit - len(l.hit.Text); room > 0 {
		l.hit.Text += strings.ToValidUTF8(next[:min(len(next), room)], "")
	}
	if l.found {
		return
	}
	l.tail += strings.ToLower(next)
	l.found = strings.Contains(l.tail, text)
	l.tail = l.tail[max(0, len(l.tail)-len(text)+1):]
}

// finish adds the open line of a stream to the hits if it is one.
func (s *logSearcher) finish(stream app.Stream) {
	line := s.open[stream]
	s.open[stream] = searchedLine{}
	if line.begun && line.found {
		s.hits = append(s.hits, line.hit)
	}
}

// next returns the offset at which the next search continues: where the first open line begins. If that is
// where this search has begun, it is the end: the line is too long to be looked at as a whole.
func (s *logSearcher) next(after int64) int64 {
	next := s.end
	for _, line := range s.open {
		if line.begun && line.hit.At > after {
			next = min(next, line.hit.At)
		}
	}
	return next
}

// result returns the hits in order. If another search continues at next, it finds those from there on.
func (s *logSearcher) result(next *int64) []app.LogHit {
	for stream := range s.open {
		s.finish(app.Stream(stream))
	}
	slices.SortFunc(s.hits, func(a, b app.LogHit) int { return cmp.Compare(a.At, b.At) })
	if next == nil {
		return s.hits
	}
	return slices.DeleteFunc(s.hits, func(hit app.LogHit) bool { return hit.At >= *next })
}
