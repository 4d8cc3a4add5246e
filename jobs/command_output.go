package jobs

import (
	"os"
	"sync/atomic"
	"time"

	"runboard/jobs/command"
)

// output copies one output stream of a command from a pipe to the log.
type output struct {
	to, from *os.File
	lines    *lineWriter
	quiet    atomic.Int64  // maximum silence in nanoseconds; set when the command has ended
	copied   chan struct{} // closed when all output is in the log; nil: copy was not called
}

// Limits on reading after the command has ended. Its pipe is read to the end, unless a surviving process
// holds it open. outputRest is the largest capacity of a pipe in bytes, so no more output can be left.
const (
	outputRest  = 1 << 20
	outputQuiet = 2 * time.Second        // maximum silence
	outputLeft  = 100 * time.Millisecond // maximum silence if a process is known to survive
)

// Capacity of a pipe: initially, and when the command writes faster than this process reads.
const (
	pipeSize  = 64 << 10
	largePipe = 512 << 10
)

// newOutput returns an output with an open pipe. The caller must close it.
func newOutput(lines *lineWriter) (o *output, err error) {
	o = &output{lines: lines}
	o.from, o.to, err = os.Pipe()
	return o, err
}

// copy starts copying to the log. It closes this process's write end, because the reader would
// otherwise never see EOF.
func (o *output) copy() {
	_ = o.to.Close()
	o.copied = make(chan struct{})
	go func() {
		defer close(o.copied)
		o.read()
		_ = o.lines.Close()
	}()
}

// read copies until EOF, or until the limits after the end of the command.
func (o *output) read() {
	buffer := make([]byte, pipeSize)
	for left := outputRest; left > 0; {
		n, err := o.from.Read(buffer)
		if n > 0 {
			_, _ = o.lines.Write(buffer[:n])
		}
		if err != nil {
			return
		}
		// The command writes much. A larger pipe makes it wait for this process less often.
		if n == len(buffer) && n < largePipe {
			command.GrowPipe(o.from, largePipe)
			buffer = make([]byte, largePipe)
		}
		if quiet := o.quiet.Load(); quiet > 0 {
			left -= n
			// Extend the deadline after each read, because writing lines may have waited for the database.
			_ = o.from.SetReadDeadline(time.Now().Add(time.Duration(quiet)))
		}
	}
}

// end reports that the command has ended. Reading stops after EOF or after the silence quiet.
func (o *output) end(quiet time.Duration) {
	o.quiet.Store(int64(quiet))
	_ = o.from.SetReadDeadline(time.Now().Add(quiet))
}

// close waits until all output is in the log, and then closes the pipe. The caller must have called end,
// unless copy was never called.
func (o *output) close() {
	if o.copied != nil {
		<-o.copied
	}
	_ = o.to.Close() // copy may have closed it
	_ = o.from.Close()
}
