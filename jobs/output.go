package jobs

import (
	"os"
	"sync/atomic"
	"time"

	"runboard/jobs/command"
)

// output is a pipe from a command to a log.
type output struct {
	to, from *os.File
	lines    *lineWriter
	quiet    atomic.Int64  // set when the command has ended: how long nothing may come then, in nanoseconds
	copied   chan struct{} // closed when all is in the log; nil: nothing is copied
}

// After the end of a command, what is left in its pipe is read: all of it, unless a process holds the pipe that the end
// has not reached. A pipe holds a megabyte at most.
const (
	outputRest  = 1 << 20
	outputQuiet = 2 * time.Second        // how long nothing may come
	outputLeft  = 100 * time.Millisecond // the same when it is known that such a process is left
)

// How much a pipe holds: at first, and when a command writes faster than this process reads.
const (
	pipeSize  = 64 << 10
	largePipe = 512 << 10
)

func newOutput(lines *lineWriter) (o *output, err error) {
	o = &output{lines: lines}
	o.from, o.to, err = os.Pipe()
	return o, err
}

// copy begins to copy what others write. It closes the end of this process to write to: else there would be no end.
func (o *output) copy() {
	_ = o.to.Close()
	o.copied = make(chan struct{})
	go func() {
		defer close(o.copied)
		o.read()
		_ = o.lines.Close()
	}()
}

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
		// It writes much: with more room, it waits less often until this process has its turn.
		if n == len(buffer) && n < largePipe {
			command.GrowPipe(o.from, largePipe)
			buffer = make([]byte, largePipe)
		}
		if quiet := o.quiet.Load(); quiet > 0 {
			left -= n
			// Anew each time, because the lines may have had to wait for the database.
			_ = o.from.SetReadDeadline(time.Now().Add(time.Duration(quiet)))
		}
	}
}

// end says that the command has ended.
func (o *output) end(quiet time.Duration) {
	o.quiet.Store(int64(quiet))
	_ = o.from.SetReadDeadline(time.Now().Add(quiet))
}

// close returns when all that the command has written is in the log. It must have ended.
func (o *output) close() {
	if o.copied != nil {
		<-o.copied
	}
	_ = o.to.Close() // it may be closed already
	_ = o.from.Close()
}
