package handlers

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
	"runboard/handlers/live"
)

const (
	logPart  = 64 << 10 // maximum bytes of a log in one read or one page
	logLines = 1000     // maximum lines of a log in one page or JSON answer
)

// errDropped aborts an answer that counts bytes exactly when the next bytes have been dropped because the
// reader was too slow. A new request gets the offset at which the log begins now.
var errDropped = errors.New("what follows in the log has been dropped")

var errFollow = app.Errorf(app.CodeMalformed, "follow must be 0 or 1.")

// logHeader is the response header with the log offset of the first byte in the body.
const logHeader = "Log-Offset"

// logRequest is a parsed request for a part of a log.
type logRequest struct {
	app.LogQuery
	given  bool // offset or before was given
	follow bool // send new lines as the run writes them
}

// showLog answers GET /process_runs/:id/log as text, JSON or a fragment of the page.
func (s *Server) showLog(c *fiber.Ctx) error {
	request, err := parseLog(c)
	if err != nil {
		return err
	}
	if negotiate(c) == asPage {
		return s.sendLog(c, request)
	}
	log, err := s.store.Log(c.UserContext(), request.LogQuery)
	if err != nil {
		return err
	}
	if negotiate(c) == asJSON {
		if log.Lines == nil {
			log.Lines = []app.LogLine{}
		}
		return c.JSON(log)
	}
	return sendHTML(c)(s.Templates.LogLines(request.Run, log))
}

// parseLog parses a request for a log: the part that starts at ?offset= or the part that ends at ?before=.
// The default is the whole log; for a fragment, its end.
func parseLog(c *fiber.Ctx) (r logRequest, err error) {
	r.Bytes, r.Lines = logPart, logLines
	if r.Run, err = parseID(c); err != nil {
		return r, err
	}
	given, err := parseForm(c.Context().QueryArgs()).single("offset", "before", "follow")
	if err != nil {
		return r, err
	}
	for name, text := range given {
		n, ok := parseNumber(text)
		switch {
		case name == "follow" && (!ok || n > 1):
			return r, errFollow
		case name == "follow":
			r.follow = n == 1
		case !ok:
			return r, app.Errorf(app.CodeMalformed, "%s must be a number of bytes.", name)
		case r.given:
			return r, app.Errorf(app.CodeMalformed, "before and offset cannot both be given.")
		default:
			r.Offset, r.Backwards, r.given = n, name == "before", true
		}
	}
	if !r.given && negotiate(c) == asFragment {
		r.Offset, r.Backwards = math.MaxInt64, true
		r.Bytes, r.Lines = app.TailBytes, app.TailLines
	}
	return r, nil
}

// followsLog reports whether a request asks to follow a log. Like parseLog it also accepts 01.
func followsLog(c *fiber.Ctx) bool {
	follow, _ := parseNumber(string(c.Context().QueryArgs().Peek("follow")))
	return follow > 0
}

// sendLog sends a log as a text stream, so that it need not fit into memory.
func (s *Server) sendLog(c *fiber.Ctx, request logRequest) error {
	if request.Backwards {
		return app.Errorf(app.CodeMalformed, "before is only for pages and JSON. For text, give an offset.")
	}
	log, err := s.store.Log(c.UserContext(), request.LogQuery)
	if err != nil {
		return err
	}
	connection := stream{s, c.Context().Conn()}
	stream := &logStream{stream: connection, run: request.Run, at: request.Offset, until: log.End}
	if request.given { // a resuming client counts bytes
		stream.at, stream.exact = max(request.Offset, log.Start), true
	}
	if request.follow {
		if stream.slot, err = s.sockets.slots.acquire(s.address(c)); err != nil {
			return err
		}
		stream.slot.confirm()
		stream.until = math.MaxInt64
		c.Context().SetConnectionClose() // awaitDisconnect reads from it
	}
	c.Set(logHeader, strconv.FormatInt(max(request.Offset, log.Start), 10))
	c.Set(fiber.HeaderContentType, fiber.MIMETextPlainCharsetUTF8)
	c.Response().ImmediateHeaderFlush = true
	sendStream(c, stream.write)
	return nil
}

// logStream writes the log of a run to a connection.
type logStream struct {
	stream
	run   int64
	at    int64 // the offset of the next byte
	until int64 // the offset of the end
	exact bool  // dropped bytes abort the answer instead of adding a line to it
	slot  *slot // nil unless the log is followed
}

func (l *logStream) write(w *bufio.Writer) {
	defer l.server.recoverPanic("a log stream")
	defer l.extendWriteDeadline()
	if l.slot == nil {
		if _, err := l.send(w); err != nil {
			l.abort()
		}
		return
	}
	defer l.slot.release()
	subscriber := l.server.hub.Watch(live.ViewKey{Run: l.run})
	if subscriber == nil { // the server is stopping
		l.sendLast(w)
		return
	}
	defer subscriber.Close()
	disconnected := l.awaitDisconnect()
	for {
		over, err := l.send(w)
		if err != nil {
			l.abort()
		}
		if over || err != nil {
			return
		}
		select {
		case <-subscriber.Notified():
		case <-disconnected:
			return
		case <-l.server.sockets.closing:
			l.sendLast(w)
			return
		}
	}
}

// sendLast sends the rest of the log during a shutdown. Unless the run is final and its log complete, it
// aborts the answer.
func (l *logStream) sendLast(w *bufio.Writer) {
	if over, err := l.send(w); err != nil || !over {
		l.abort()
	}
}

// awaitDisconnect returns a channel that is closed when the client disconnects. Without it, the log of a run
// that writes nothing would stay open, because no write fails.
func (l *logStream) awaitDisconnect() <-chan struct{} {
	closed := make(chan struct{})
	_ = l.conn.SetReadDeadline(time.Time{}) // fails if it has disconnected
	go func() {
		defer close(closed)
		_, _ = io.Copy(io.Discard, l.conn) // returns when the connection ends, at the latest after the answer
	}()
	return closed
}

// send writes the new part of the log and reports whether the log is complete.
func (l *logStream) send(w *bufio.Writer) (over bool, err error) {
	final, err := l.isFinal() // before it reads the log: a final run writes no more
	if err != nil {
		return true, err
	}
	for l.at < l.until {
		log, err := l.read()
		if err != nil || len(log.Lines) == 0 {
			return err != nil || final, err
		}
		l.extendWriteDeadline()
		if dropped := log.From() - l.at; dropped > 0 {
			if l.exact {
				return true, errDropped
			}
			_, _ = fmt.Fprintf(w, "[%d bytes were dropped]\n", dropped) // Flush returns its error
		}
		for _, line := range log.Lines {
			_, _ = w.WriteString(line.Text)
		}
		if err := w.Flush(); err != nil {
			return true, err
		}
		l.at = log.To()
	}
	return true, nil
}

// read returns the next part of the log, with a timeout of its own: all parts together may take long.
func (l *logStream) read() (app.Log, error) {
	ctx, cancel := requestContext()
	defer cancel()
	return l.server.store.Log(ctx, app.LogQuery{Run: l.run, Offset: l.at, Bytes: logPart, Lines: math.MaxInt})
}

func (l *logStream) isFinal() (bool, error) {
	ctx, cancel := requestContext()
	defer cancel()
	page, err := l.server.store.Run(ctx, l.run)
	return page.Run.Status.Final(), err
}
