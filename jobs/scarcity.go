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

// How long a command waits for another start after descriptors, processes or memory were used up. The
// pause doubles from scarceRest to scarceLongRest.
const (
	scarceRest     = 100 * time.Millisecond
	scarceLongRest = 5 * time.Second
)

// descriptorsEach is the number of descriptors that a command costs the server: stdout, stderr, the
// supervisor's socket and process, the directory, and one more during the start.
const descriptorsEach = 6

// ownDescriptors is the number of descriptors that the server needs for itself and its database. A
// quarter of the limit is reserved for clients in addition.
const ownDescriptors = 40

// enoughDescriptors limits the number of concurrent commands, so that the database and clients have
// enough descriptors. Without them, these would fail, while a command can wait.
var enoughDescriptors = &descriptors{said: rate.Sometimes{First: 1, Interval: time.Minute}}

// descriptors is a semaphore for commands that is sized by the limit on open files.
type descriptors struct {
	once   sync.Once
	places chan struct{}

	mu   sync.Mutex
	said rate.Sometimes
}

// acquire waits until one more command may run. It fails with the cause of ctx. The caller must call
// release when the command has ended.
func (d *descriptors) acquire(ctx context.Context, log *slog.Logger) (release func(), err error) {
	d.once.Do(func() { d.places = make(chan struct{}, mostCommands()) })
	release = func() { <-d.places }
	select {
	case d.places <- struct{}{}:
		return release, nil
	default:
	}
	d.tell(log, "the other open files that the process may have are for the database and clients")
	select {
	case d.places <- struct{}{}:
		return release, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// tell warns the operator that commands wait, at most once a minute.
func (d *descriptors) tell(log *slog.Logger, why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.said.Do(func() {
		log.Warn("commands wait until there is room; raise ulimit -n and -u or lower --workers", "reason", why)
	})
}

// mostCommands returns how many commands may run at once.
func mostCommands() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > math.MaxInt32 {
		return math.MaxInt16
	}
	return max(1, (int(limit.Cur)*3/4-ownDescriptors)/descriptorsEach)
}
