package jobs

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"
)

// A command that could not be started because descriptors, processes or memory were used up is started again.
// The pause before that doubles from minScarcePause to maxScarcePause.
const (
	minScarcePause = 100 * time.Millisecond
	maxScarcePause = 5 * time.Second
)

// descriptorsEach is the number of descriptors that a command costs the server: stdout, stderr, the
// supervisor's socket and process, the directory, and one more during the start.
const descriptorsEach = 6

// ownDescriptors is the number of descriptors that the server needs for itself and its database. A
// quarter of the limit is reserved for clients in addition.
const ownDescriptors = 40

// commandSlots limits the number of concurrent commands, so that enough descriptors are left for the database
// and clients. These would fail without one, while a command can wait.
var commandSlots = &commandLimiter{warning: rate.Sometimes{First: 1, Interval: time.Minute}}

// commandLimiter is a semaphore for commands that is sized by the limit on open files.
type commandLimiter struct {
	once  sync.Once
	slots chan struct{}

	mu      sync.Mutex
	warning rate.Sometimes // guarded by mu
}

// acquire waits until one more command may run. It fails with the cause of ctx. The caller must call
// release when the command has ended.
func (l *commandLimiter) acquire(ctx context.Context, log *slog.Logger) (release func(), err error) {
	l.once.Do(func() { l.slots = make(chan struct{}, maxCommands()) })
	release = func() { <-l.slots }
	select {
	case l.slots <- struct{}{}:
		return release, nil
	default:
	}
	l.warn(log, "the other open files are reserved for the database and clients")
	select {
	case l.slots <- struct{}{}:
		return release, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// warn warns the operator that commands wait, at most once a minute.
func (l *commandLimiter) warn(log *slog.Logger, reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.warning.Do(func() {
		const text = "commands wait until there is room; raise ulimit -n and -u or lower --workers"
		log.Warn(text, "reason", reason)
	})
}

// maxCommands returns how many commands may run at once.
func maxCommands() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > math.MaxInt32 {
		return math.MaxInt16
	}
	return max(1, (int(limit.Cur)*3/4-ownDescriptors)/descriptorsEach)
}
