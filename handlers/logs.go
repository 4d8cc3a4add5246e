package handlers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
	"runboard/handlers/live"
)

// errDropped aborts an answer that counts bytes exactly when the next bytes have been dropped because the
// reader was too slow. A new request gets the offset at which the log begins now.
var errDropped = errors.New("what follows in the log has been dropped")

// logHeader is the response header with the log offset of the first byte in the body.
const logHeader = "Log-Offset"

// showLog answers GET /process_runs/:id/log as text, JSON or a fragment of the page.
func (s *Server) showLog(c *fiber.Ctx) error {
	request, err := parseLog(c)
	switch {
	case err != nil:
		return err
	case request.search != "":
		return s.searchLog(c, request)
	case negotiate(c) == asPage:
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
	return sendHTML(c)(s.Templates.LogLines(request.Run, log, app.LogFocus{}))
}

// searchLog answers GET /process_runs/:id/log?q= with the lines that contain a text.
func (s *Server) searchLog(c *fiber.Ctx, request logRequest) error {
	if negotiate(c) != asJSON {
		return app.Errorf(app.CodeMalformed, "q is only for JSON. In text, search with grep.")
	}
	hits, err := s.store.SearchLog(c.UserContext(),
		app.LogSearch{Run: request.Run, Text: request.search, After: request.after})
	if err != nil {
		return err
	}
	return c.JSON(hits)
}

// sendLog sends a log as a text stream, so that it need not fit into memory.
func (s *Server) sendLog(c *fiber.Ctx, request logRequest) error {
	if request.Backwards || request.Context > 0 {
		const text = "before and context are only for pages and JSON. For text, give an offset or a line."
		return app.Errorf(app.CodeMalformed, text)
	}
	log, err := s.store.Log(c.UserContext(), request.LogQuery)
	if err != nil {
		return err
	}
	answer := &logStream{
		stream: stream{s, c.Context().Conn()}, run: request.Run, at: request.Offset, until: log.End,
		plain: request.plain,
	}
	if request.given { // a resuming client counts bytes
		answer.at, answer.exact = max(request.Offset, log.Start), !request.plain
	}
	if request.Line > 0 {
		answer.at = log.From()
	}
	if request.follow {
		if answer.slot, err = s.sockets.slots.acquire(s.address(c)); err != nil {
			return err
		}
		answer.slot.confirm()
		answer.until = math.MaxInt64
		c.Context().SetConnectionClose() // awaitDisconnect reads from it
		c.Set("X-Accel-Buffering", "no") // nginx would hold back lines until it has some kilobytes
	}
	c.Set(logHeader, strconv.FormatInt(max(answer.at, log.Start), 10))
	if request.download {
		c.Attachment(fmt.Sprintf("run-%d.log", request.Run))
	}
	c.Set(fiber.HeaderContentType, fiber.MIMETextPlainCharsetUTF8)
	c.Response().ImmediateHeaderFlush = true
	sendStream(c, answer.write)
	return nil
}

// logStream writes the log of a run to a connection.
type logStream struct {
	stream
	run   int64
	at    int64 // the offset of the next byte
	until int64 // the offset of the end
	exact bool  // dropped bytes abort the answer instead of adding a line to it
	plain bool  // without the codes of styles
	open  bool  // the last line that was written has not ended
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
		log, err := l.next()
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
			l.writeLine(w, line)
		}
		if err := w.Flush(); err != nil {
			return true, err
		}
		l.at = log.To()
	}
	return true, nil
}

// writeLine writes a line. A line of the server, with which an attempt begins, does not continue what the
// previous attempt left unended, unless the reader counts bytes.
func (l *logStream) writeLine(w *bufio.Writer, line app.LogLine) {
	if l.open && line.Stream == app.ServerLog && !l.exact {
		_ = w.WriteByte('\n')
	}
	l.open = !strings.HasSuffix(line.Text, "\n")
	if l.plain {
		line.Text = app.PlainText(line.Text)
	}
	_, _ = w.WriteString(line.Text) // Flush returns its error
}

// next returns the next part of the log.
func (l *logStream) next() (log app.Log, err error) {
	query := app.LogQuery{Run: l.run, Offset: l.at, Bytes: logPart, Lines: math.MaxInt}
	err = l.read(func(ctx context.Context) (err error) {
		log, err = l.server.store.Log(ctx, query)
		return err
	})
	return log, err
}

func (l *logStream) isFinal() (final bool, err error) {
	err = l.read(func(ctx context.Context) error {
		page, err := l.server.store.Run(ctx, l.run)
		final = page.Run.Status.Final()
		return err
	})
	return final, err
}
