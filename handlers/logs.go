package handlers

import (
	"bufio"
	"context"
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
	logPart  = 64 << 10 // bytes of a log that are read, and shown in a page, at once
	logLines = 1000     // lines of a log that are shown in a page, or in JSON, at once
)

// errDropped ends an answer whose reader was too slow, and counts bytes. Asking again, it is told where the log begins now.
var errDropped = errors.New("what follows in the log has been dropped")

var errOffset = app.Errorf(app.CodeMalformed, "An offset in a log must be a number of bytes, given once.")

// logHeader says where in the log the body of an answer begins.
const logHeader = "Log-Offset"

// logRequest is which part of a log is wanted, and whether what is yet to come is, too.
type logRequest struct {
	app.LogQuery
	given  bool // an offset was
	follow bool
}

// showLog answers GET /process_runs/:id/log: as text, in JSON, or for the page.
func (s *Server) showLog(c *fiber.Ctx) error {
	request, err := parseLog(c)
	if err != nil {
		return err
	}
	ctx, cancel := requestContext()
	defer cancel()
	if negotiate(c) == asPage {
		return s.sendLog(ctx, c, request)
	}
	log, err := s.Store.Log(ctx, request.LogQuery)
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

// parseLog reads which part is wanted: what follows offset, or what comes before before; and for a page that says
// neither, the end.
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
		case !ok, name == "follow" && n > 1:
			return r, errOffset
		case name == "follow":
			r.follow = n == 1
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

// sendLog sends a log as text, part by part: all of it need not be in memory.
func (s *Server) sendLog(ctx context.Context, c *fiber.Ctx, request logRequest) error {
	if request.Backwards {
		return app.Errorf(app.CodeMalformed, "before is for pages; as text, a log is read from an offset on.")
	}
	log, err := s.Store.Log(ctx, request.LogQuery)
	if err != nil {
		return err
	}
	stream := &logStream{stream: stream{s, c.Context().Conn()}, run: request.Run, at: request.Offset, until: log.End}
	if request.given { // a client that resumes counts bytes, and must get nothing else
		stream.at, stream.exact = max(request.Offset, log.Start), true
	}
	if request.follow {
		if stream.slot, err = s.sockets.slots.acquire(s.address(c)); err != nil {
			return err
		}
		stream.slot.confirm()
		stream.until = math.MaxInt64
		c.Context().SetConnectionClose() // nothing else is read from it, see watch
	}
	c.Set(logHeader, strconv.FormatInt(max(request.Offset, log.Start), 10))
	c.Set(fiber.HeaderContentType, fiber.MIMETextPlainCharsetUTF8)
	c.Response().ImmediateHeaderFlush = true
	sendStream(c, stream.write)
	return nil
}

// logStream writes a run's log to a connection.
type logStream struct {
	stream
	run   int64
	at    int64 // where it is
	until int64 // where it ends
	exact bool  // nothing may be left out, nor said of it
	slot  *slot // nil unless the log is followed
}

func (l *logStream) write(w *bufio.Writer) {
	defer l.server.recoverPanic("a log's writer")
	defer l.extendWriteDeadline()
	if l.slot == nil {
		if _, err := l.send(w); err != nil {
			l.abort()
		}
		return
	}
	defer l.slot.release()
	watcher := l.server.Hub.Watch(live.ViewKey{Run: l.run})
	if watcher == nil { // the server stops
		l.sendLast(w)
		return
	}
	defer watcher.Close()
	gone := l.watch()
	for {
		over, err := l.send(w)
		if err != nil {
			l.abort()
		}
		if over || err != nil {
			return
		}
		select {
		case <-watcher.Notified():
		case <-gone:
			return
		case <-l.server.sockets.closing:
			l.sendLast(w)
			return
		}
	}
}

// sendLast sends what there is when the server stops. A regular end is only for a run that has ended and whose log was
// sent whole.
func (l *logStream) sendLast(w *bufio.Writer) {
	if over, err := l.send(w); err != nil || !over {
		l.abort()
	}
}

// watch returns a channel that is closed when the reader has gone: from a run that is silent, nothing that could
// not be written would tell so.
func (l *logStream) watch() <-chan struct{} {
	gone := make(chan struct{})
	_ = l.conn.SetReadDeadline(time.Time{}) // fails when it has
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, l.conn) // ends with the connection, at the latest when the answer has
	}()
	return gone
}

// send writes what there is, and reports whether nothing more will come.
func (l *logStream) send(w *bufio.Writer) (over bool, err error) {
	final, err := l.isFinal() // before the log: what is final then writes no more
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
			_, _ = fmt.Fprintf(w, "[%d bytes were dropped]\n", dropped) // its error is that of Flush
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

// read returns what comes next. It has a time of its own: the reader may take long for all of it together.
func (l *logStream) read() (app.Log, error) {
	ctx, cancel := requestContext()
	defer cancel()
	return l.server.Store.Log(ctx, app.LogQuery{Run: l.run, Offset: l.at, Bytes: logPart, Lines: math.MaxInt})
}

func (l *logStream) isFinal() (bool, error) {
	ctx, cancel := requestContext()
	defer cancel()
	page, err := l.server.Store.Run(ctx, l.run)
	return page.Run.Status.Final(), err
}
