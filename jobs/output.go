package jobs

import (
	"os"
	"sync/atomic"
	"time"
)

// output is a pipe from a command to a log.
type output struct {
	to, from *os.File
	lines    *lineWriter
	ended    atomic.Bool
	copied   chan struct{} // closed when all is in the log; nil: nothing is copied
}

// After the end of a command, what is left in its pipe is read: all of it, unless a process holds the pipe
// that the end has not reached. A pipe holds a megabyte at most.
const (
	outputQuiet = 2 * time.Second // how long nothing has come then
	outputRest  = 1 << 20
)

func newOutput(lines *lineWriter) (o *output, err error) {
	o = &output{lines: lines}
	o.from, o.to, err = os.Pipe()
	return o, err
}

// copy begins to copy what others write. It closes the end of this process to write to: else there would be
// no end.
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
	buffer := make([]byte, 64<<10)
	for left := outputRest; left > 0; {
		n, err := o.from.Read(buffer)
		if n > 0 {
			_, _ = o.lines.Write(buffer[:n])
		}
		if err != nil {
			return
		}
		if o.ended.Load() {
			left -= n
			_ = o.from.SetReadDeadline(time.Now().Add(outputQuiet)) // the lines may have had to wait for the database
		}
	}
}

// close returns when all that the command has written is in the log. It must have ended.
func (o *output) close() {
	o.ended.Store(true)
	_ = o.from.SetReadDeadline(time.Now().Add(outputQuiet))
	if o.copied != nil {
		<-o.copied
	}
	_ = o.to.Close() // it may be closed already
	_ = o.from.Close()
}
