package jobs

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"runboard/jobs/command"
)

// output copies one output stream of a command from a pipe to the log.
//
// Two pipes do not say which of two writes came first. So that an error does not stand above the lines that
// led to it, stderr is read together with stdout: what stdout has by then comes first.
type output struct {
	to, from *os.File
	lines    *lineWriter
	turn     *sync.Mutex   // held from a read until its lines are in the log; shared by both streams
	first    *output       // the stream whose output comes before that of this one, or nil
	buffer   []byte        // as is ended, only used by the holder of turn
	ended    bool          // nothing more is read
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

// newOutputs returns the outputs of a command for stdout and stderr with open pipes. The caller must close
// them, also after an error.
func newOutputs(stdout, stderr *lineWriter) (outputs [2]*output, err error) {
	turn := &sync.Mutex{}
	outputs[0] = &output{lines: stdout, turn: turn, buffer: make([]byte, pipeSize)}
	outputs[1] = &output{lines: stderr, turn: turn, buffer: make([]byte, pipeSize), first: outputs[0]}
	for _, o := range outputs {
		if o.from, o.to, err = os.Pipe(); err != nil {
			return outputs, err
		}
	}
	return outputs, nil
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
	defer func() {
		o.turn.Lock()
		o.ended = true
		o.turn.Unlock()
	}()
	pipe, err := o.from.SyscallConn()
	if err != nil {
		return
	}
	for left := outputRest; left > 0; {
		n := 0
		err := pipe.Read(func(fd uintptr) (done bool) {
			n, done = o.copySome(int(fd))
			return done
		})
		if err != nil || n <= 0 {
			return
		}
		if quiet := o.quiet.Load(); quiet > 0 {
			left -= n
			// Extend the deadline after each read, because writing lines may have waited for the database.
			_ = o.from.SetReadDeadline(time.Now().Add(time.Duration(quiet)))
		}
	}
}

// copySome copies what the pipe has, at most a buffer. It returns the number of bytes, which is 0 at EOF and
// negative after an error. It returns false if the pipe is empty.
func (o *output) copySome(fd int) (n int, done bool) {
	o.turn.Lock()
	defer o.turn.Unlock()
	n, err := unix.Read(fd, o.buffer)
	for errors.Is(err, unix.EINTR) { // "the pipe is empty" would wait for the next output
		n, err = unix.Read(fd, o.buffer)
	}
	if err != nil {
		return -1, !errors.Is(err, unix.EAGAIN)
	}
	if o.first != nil {
		o.first.copyRest()
	}
	o.write(n)
	return n, true
}

// copyRest copies what the pipe has, at most outputRest. The caller must hold turn.
func (o *output) copyRest() {
	pipe, err := o.from.SyscallConn()
	if err != nil || o.ended {
		return
	}
	for left := outputRest; left > 0; {
		n := 0
		err := pipe.Control(func(fd uintptr) { n, _ = unix.Read(int(fd), o.buffer) })
		if err != nil || n <= 0 {
			return
		}
		o.write(n)
		left -= n
	}
}

// write writes the first n bytes of the buffer to the log. The caller must hold turn.
func (o *output) write(n int) {
	_, _ = o.lines.Write(o.buffer[:n])
	// The command writes much. A larger pipe makes it wait for this process less often.
	if n == len(o.buffer) && n < largePipe {
		command.GrowPipe(o.from, largePipe)
		o.buffer = make([]byte, largePipe)
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
	_ = o.to.Close() // copy may have closed it; without a pipe it fails
	_ = o.from.Close()
}
