package handlers

import (
	"bufio"
	"context"
	"encoding/json"
	"math"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
)

// exportBatch is how many runs an export reads at once.
const exportBatch = 500

// exportFormat writes runs in a file format.
type exportFormat struct {
	name, contentType string
	begin             func(*bufio.Writer) error
	write             func(*bufio.Writer, app.ProcessRun) error
}

var ndjson = exportFormat{
	name: "ndjson", contentType: "application/x-ndjson",
	begin: func(*bufio.Writer) error { return nil },
	write: func(w *bufio.Writer, run app.ProcessRun) error { return json.NewEncoder(w).Encode(runJSON(run)) },
}

var commaSeparated = exportFormat{
	name: "csv", contentType: "text/csv; charset=utf-8; header=present",
	begin: func(w *bufio.Writer) error { return writeRecord(w, columns()) },
	write: func(w *bufio.Writer, run app.ProcessRun) error { return writeRecord(w, record(run)) },
}

// export answers GET /process_runs.ndjson and .csv with all runs that match a filter, newest first, as a
// stream. Each run appears once, in its state when its batch was read.
func (s *Server) export(f exportFormat) fiber.Handler {
	return func(c *fiber.Ctx) error {
		query, err := s.parseQuery(c)
		if err != nil {
			return err
		}
		runs, next, err := s.store.Runs(c.UserContext(), query.Filter, math.MaxInt64, exportBatch)
		if err != nil {
			return err
		}
		slot, err := s.sockets.slots.acquire(s.address(c))
		if err != nil {
			return err
		}
		slot.confirm()
		stream := &exportStream{stream{s, c.Context().Conn()}, f, query.Filter, slot}
		c.Set(fiber.HeaderContentType, f.contentType)
		c.Set(fiber.HeaderContentDisposition, `attachment; filename="process_runs.`+f.name+`"`)
		sendStream(c, func(w *bufio.Writer) { stream.write(w, runs, next) })
		return nil
	}
}

// exportStream writes the runs of an export to a connection. It holds a slot while it runs.
type exportStream struct {
	stream
	format exportFormat
	filter app.Filter
	slot   *slot
}

func (e *exportStream) write(w *bufio.Writer, runs []app.ProcessRun, next int64) {
	defer e.server.recoverPanic("an export")
	defer e.slot.release()
	defer e.extendWriteDeadline()
	if e.format.begin(w) != nil {
		return // the client has disconnected
	}
	for {
		e.extendWriteDeadline()
		for _, run := range runs {
			if e.format.write(w, run) != nil {
				return
			}
		}
		if next == 0 || w.Flush() != nil || e.stopping() {
			return
		}
		var err error
		if runs, next, err = e.next(next); err != nil {
			e.server.Log.Warn("an export ends early", "error", err)
			e.abort()
			return
		}
	}
}

func (e *exportStream) next(before int64) (runs []app.ProcessRun, next int64, err error) {
	err = e.read(func(ctx context.Context) (err error) {
		runs, next, err = e.server.store.Runs(ctx, e.filter, before, exportBatch)
		return err
	})
	return runs, next, err
}

// stopping aborts the export if the server is shutting down, and reports whether it did.
func (e *exportStream) stopping() bool {
	select {
	case <-e.server.sockets.closing:
		e.abort()
		return true
	default:
		return false
	}
}
