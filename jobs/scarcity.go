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

// How long a command waits before it is tried again to start it when descriptors, processes or memory are
// used up.
const (
	scarceRest     = 100 * time.Millisecond
	scarceLongRest = 5 * time.Second
)

// descriptorsEach is how many descriptors a command costs the server: its output, its errors, its
// supervisor's socket and process, its directory, and one more for a moment while it is started.
const descriptorsEach = 6

// ownDescriptors is how many descriptors the server needs for itself, with its database, beside a quarter of them all for
// clients.
const ownDescriptors = 40

// enoughDescriptors lets commands run only as long as they leave enough descriptors to the database and to clients:
// these would fail, while a command can wait.
var enoughDescriptors = &descriptors{said: rate.Sometimes{First: 1, Interval: time.Minute}}

type descriptors struct {
	once   sync.Once
	places chan struct{}

	mu   sync.Mutex
	said rate.Sometimes
}

// acquire waits until there is room for one more command. It fails with the cause of ctx.
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

// tell says in the log, now and then, that commands wait.
func (d *descriptors) tell(log *slog.Logger, why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.said.Do(func() {
		const text = "commands wait until there is room for them; raise the limit (ulimit -n, ulimit -u) or lower --workers"
		log.Warn(text, "reason", why)
	})
}

// mostCommands is how many commands may run at once.
func mostCommands() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > math.MaxInt32 {
		return math.MaxInt16
	}
	return max(1, (int(limit.Cur)*3/4-ownDescriptors)/descriptorsEach)
}
