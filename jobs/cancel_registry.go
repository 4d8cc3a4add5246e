package jobs

import (
	"sync"

	"runboard/app"
)

// cancelRegistry maps the runs of this process to functions that cancel them. The zero registry is ready to
// use.
type cancelRegistry struct {
	mu       sync.Mutex
	attempts map[int64]*cancelEntry // runs whose work goes on
	begun    chan struct{}          // see activated
}

// cancelEntry is a registered run. A run may be registered again before its first entry is removed, when
// its worker lost it and it was started again.
type cancelEntry struct {
	fencingToken int64
	cancel       func()
}

// register has cancel called if cancellation of the attempt is requested, until remove is called.
func (c *cancelRegistry) register(run app.ProcessRun, cancel func()) (remove func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.prepare()
	entry := &cancelEntry{fencingToken: run.FencingToken, cancel: cancel}
	c.attempts[run.ID] = entry
	if len(c.attempts) == 1 {
		select {
		case c.begun <- struct{}{}:
		default: // the watcher has yet to see an earlier one
		}
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.attempts[run.ID] == entry {
			delete(c.attempts, run.ID)
		}
	}
}

// prepare makes the registry ready to use. The caller holds mu.
func (c *cancelRegistry) prepare() {
	if c.attempts == nil {
		c.attempts = make(map[int64]*cancelEntry)
		c.begun = make(chan struct{}, 1)
	}
}

// activated returns a channel that receives when work begins and none went on. It holds one.
func (c *cancelRegistry) activated() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.prepare()
	return c.begun
}

// active reports whether any work goes on.
func (c *cancelRegistry) active() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.attempts) > 0
}

// cancel cancels the attempt that request is for, if its work goes on here. Repeating it changes nothing.
func (c *cancelRegistry) cancel(request app.CancelRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry := c.attempts[request.Run]
	if entry != nil && entry.fencingToken == request.FencingToken {
		entry.cancel()
	}
}
