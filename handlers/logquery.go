package handlers

import (
	"math"
	"strings"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
)

const (
	logPart    = 64 << 10 // maximum bytes of a log in one read or one page
	logLines   = 1000     // maximum lines of a log in one page or JSON answer
	logContext = 20       // lines before the one that an address names
)

// logRequest is a parsed request for a part of a log.
type logRequest struct {
	app.LogQuery
	given    bool   // offset, before or line was given
	follow   bool   // send new lines as the run writes them
	plain    bool   // send no codes of styles
	download bool   // for a file
	search   string // or ""
	after    int64  // where the search begins
}

// parseLog parses a request for a log: the part that begins at ?offset= or ?line=, or the part that ends at
// ?before=. The default is the whole log; for a fragment, its end.
func parseLog(c *fiber.Ctx) (r logRequest, err error) {
	r.Bytes, r.Lines = logPart, logLines
	if r.Run, err = parseID(c); err != nil {
		return r, err
	}
	given, err := parseForm(c.Context().QueryArgs()).
		single("offset", "before", "line", "context", "follow", "plain", "download", "q", "after")
	if err != nil {
		return r, err
	}
	if err := r.parsePosition(given); err != nil {
		return r, err
	}
	for name, flag := range map[string]*bool{
		"follow": &r.follow, "plain": &r.plain, "download": &r.download,
	} {
		n, ok := parseNumber(given[name])
		if given[name] != "" && (!ok || n > 1) {
			return r, app.Errorf(app.CodeMalformed, "%s must be 0 or 1.", name)
		}
		*flag = n == 1
	}
	if text, searches := given["q"]; searches {
		if r.search, err = app.ParseLogText(text); err != nil {
			return r, err
		}
	}
	if !r.given && negotiate(c) == asFragment {
		r.Offset, r.Backwards = math.MaxInt64, true
		r.Bytes, r.Lines = app.TailBytes, app.TailLines
	}
	return r, nil
}

// parsePosition parses the fields that say which part of the log is asked for.
func (r *logRequest) parsePosition(given map[string]string) error {
	positions := 0
	for name, number := range map[string]*int64{
		"offset": &r.Offset, "before": &r.Offset, "line": &r.Line, "after": &r.after, "at": &r.after,
	} {
		text, is := given[name]
		if !is {
			continue
		}
		n, ok := parseNumber(text)
		switch {
		case name == "line" && (!ok || n == 0):
			return app.Errorf(app.CodeMalformed, "line must be the number of a line.")
		case !ok:
			return app.Errorf(app.CodeMalformed, "%s must be a number of bytes.", name)
		}
		*number = n
		if number != &r.after {
			positions++
		}
		r.Backwards = r.Backwards || name == "before"
	}
	if positions > 1 {
		return app.Errorf(app.CodeMalformed, "Only one of offset, before and line can be given.")
	}
	r.given = positions > 0
	if text, is := given["context"]; is {
		n, ok := parseNumber(text)
		if !ok || n > logLines {
			return app.Errorf(app.CodeMalformed, "context must be a number of lines, at most %d.", logLines)
		}
		r.Context = int(n)
	}
	return nil
}

// followsLog reports whether a request asks to follow a log. Like parseLog it also accepts 01.
func followsLog(c *fiber.Ctx) bool {
	follow, _ := parseNumber(string(c.Context().QueryArgs().Peek("follow")))
	return follow > 0
}

// focusLog replaces the newest lines on the page of a run by the part of the log that the address names.
// Pages without scripts show other parts in this way: ?line=120, ?line=120-140, ?offset=, ?before=, or the
// first hit of ?find= from ?at= on.
func (s *Server) focusLog(c *fiber.Ctx, page *app.RunPage) error {
	given, err := parseForm(c.Context().QueryArgs()).single("line", "offset", "before", "find", "at")
	if err != nil || len(given) == 0 {
		return err
	}
	request := logRequest{LogQuery: app.LogQuery{Run: page.Run.ID, Bytes: logPart, Lines: app.TailLines}}
	focus, err := parseLines(given)
	if err != nil {
		return err
	}
	if err := request.parsePosition(given); err != nil {
		return err
	}
	if text, searches := given["find"]; searches {
		if focus, err = s.findInLog(c, &request, text); err != nil {
			return err
		}
	}
	page.LogFocus = focus
	if !request.given {
		return nil
	}
	if focus != (app.LogFocus{}) {
		request.Context = logContext
	}
	page.Log, err = s.store.Log(c.UserContext(), request.LogQuery)
	return err
}

var errLines = app.Errorf(app.CodeMalformed, "line must be the number of a line, or two, as in 120-140.")

// parseLines parses the range of lines in given["line"], and leaves the first one of it.
func parseLines(given map[string]string) (focus app.LogFocus, err error) {
	text, is := given["line"]
	if !is {
		return focus, nil
	}
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	var known, alsoKnown bool
	focus.First, known = parseNumber(first)
	focus.Last, alsoKnown = parseNumber(last)
	if !known || !alsoKnown || focus.First == 0 || focus.Last < focus.First {
		return focus, errLines
	}
	given["line"] = first
	return focus, nil
}

// findInLog looks for a text, and makes the request one for the part with the first hit.
func (s *Server) findInLog(c *fiber.Ctx, request *logRequest, text string) (focus app.LogFocus, err error) {
	if focus.Text, err = app.ParseLogText(text); err != nil {
		return focus, err
	}
	found, err := s.store.SearchLog(c.UserContext(),
		app.LogSearch{Run: request.Run, Text: text, After: request.after})
	if err != nil {
		return focus, err
	}
	if found.Next != nil {
		focus.Next = *found.Next
	}
	if len(found.Hits) > 1 {
		focus.Next = found.Hits[1].At
	}
	if len(found.Hits) > 0 {
		hit := found.Hits[0]
		focus.Hit, focus.First, focus.Last = &hit, hit.Number, hit.Number
		request.LogQuery.Offset, request.LogQuery.Line, request.given = hit.At, 0, true
		request.Backwards = false
	}
	return focus, nil
}
