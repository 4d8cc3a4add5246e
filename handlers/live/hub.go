// Package live keeps browsers up to date. A view is a query, such as "the newest 25 failed runs" or "run 42";
// all browsers with the same query share it. When the store notifies of a change, the hub reads each open
// view again, compares the result with the last one, and renders the difference into one frame for all
// subscribers of the view. A slow tick does the same, in case a notification was lost.
//
// One goroutine reads, so an older result never follows a newer one. Subscribers have no queue: each
// remembers the number of its last frame, and gets the delta if it missed no frame, else a snapshot of the
// view. So a slow subscriber costs no memory, does not delay others, and never shows a wrong state.
package live

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"time"

	"runboard/app"
	"runboard/templates"
)

const (
	// MinInterval is the shortest time between two frames of a view: five a second are as many as a person
	// can follow. After a longer pause the first change leaves at once.
	MinInterval = 200 * time.Millisecond
	// tick is how often the hub reads all views without a notification.
	tick = 5 * time.Second
	// retryDelay is how long a view waits after the store failed to answer.
	retryDelay = time.Second
	// timeSlice is how long the hub renders before it looks for subscribers and notifications again.
	timeSlice = 100 * time.Millisecond
)

// Hub renders views for their subscribers. NewHub creates it; subscribers get frames only while Run runs.
type Hub struct {
	store     app.Store
	templates *templates.Templates
	log       *slog.Logger

	requests chan request  // joins and leaves share a channel, so that no leave overtakes its join
	stopped  chan struct{} // closed when Run has returned

	views     map[ViewKey]*view // owned by Run
	notBefore time.Time         // owned by Run: earliest time of the next rendering
}

// request asks Run to add or remove a subscriber.
type request struct {
	subscriber *Subscriber
	key        ViewKey // set when joining
	leaving    bool
}

// NewHub returns a hub for the runs in the store.
func NewHub(store app.Store, templates *templates.Templates, log *slog.Logger) *Hub {
	return &Hub{
		store: store, templates: templates, log: log,
		requests: make(chan request, 256), stopped: make(chan struct{}), views: make(map[ViewKey]*view),
	}
}

// Watch subscribes to a view. The first frame shows the store at some time after this call. The caller must
// Close the subscriber. Watch returns nil if the hub has stopped.
func (h *Hub) Watch(key ViewKey) *Subscriber {
	s := &Subscriber{wake: make(chanWaker, 1)}
	if !h.Join(s, key, s.wake) {
		return nil
	}
	return s
}

// Join is Watch for a Subscriber that is part of another struct. The hub wakes waker when a frame is ready,
// perhaps before Join returns. Join returns false if the hub has stopped.
func (h *Hub) Join(s *Subscriber, key ViewKey, waker Waker) bool {
	s.hub, s.waker = h, waker
	select {
	case <-h.stopped: // checked first, because the channel may have room for a request that is never received
		return false
	default:
	}
	select {
	case h.requests <- request{subscriber: s, key: key}:
		return true
	case <-h.stopped:
		return false
	}
}

// Run serves the subscribers until ctx ends. Before it returns, it renders every changed view once more, so
// that subscribers also see the last commits.
func (h *Hub) Run(ctx context.Context) {
	defer close(h.stopped)
	ctx = app.WithPurpose(ctx, app.ForLive)
	notifications, unsubscribe := h.store.Changed().Subscribe()
	defer unsubscribe()
	timer := time.NewTimer(0)
	defer timer.Stop()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			h.renderAll(context.WithoutCancel(ctx))
			return
		case <-notifications:
			h.markDirty()
		case <-ticker.C:
			h.markDirty()
		case r := <-h.requests:
			h.handle(r)
		case <-timer.C:
		}
		h.drainRequests()
		timer.Reset(h.renderDue(ctx))
	}
}

// markDirty marks every view to be read again, except those of deleted runs, which do not come back.
func (h *Hub) markDirty() {
	for _, v := range h.views {
		v.dirty = v.dirty || !v.deleted
	}
}

// drainRequests handles all pending requests, so that a thousand browsers that reconnect at once cost one
// read of the store.
func (h *Hub) drainRequests() {
	for {
		select {
		case r := <-h.requests:
			h.handle(r)
		default:
			return
		}
	}
}

func (h *Hub) handle(r request) {
	if r.leaving {
		h.remove(r.subscriber)
	} else {
		h.add(r.subscriber, r.key)
	}
}

func (h *Hub) add(s *Subscriber, key ViewKey) {
	v := h.views[key]
	if v == nil {
		v = &view{key: key}
		h.views[key] = v
	}
	s.view, s.index = v, len(v.subscribers)
	v.subscribers = append(v.subscribers, s)
	v.joining = append(v.joining, s)
	v.dirty = true // what the view shows was read before the subscriber joined
}

func (h *Hub) remove(s *Subscriber) {
	v := s.view
	if v == nil {
		return
	}
	s.view = nil
	last := len(v.subscribers) - 1
	v.subscribers[s.index], v.subscribers[last].index = v.subscribers[last], s.index
	v.subscribers[last] = nil
	v.subscribers = v.subscribers[:last]
	v.dropUnshared()
	v.joining = slices.DeleteFunc(v.joining, func(other *Subscriber) bool { return other == s })
	if len(v.subscribers) == 0 {
		delete(h.views, v.key)
	}
}

// renderDue renders the views that may have changed, and returns how long to wait before the next call. The
// hub then pauses for as long as rendering took: however many views are open, it uses at most half a core.
func (h *Hub) renderDue(ctx context.Context) (wait time.Duration) {
	began := time.Now()
	if left := h.notBefore.Sub(began); left > 0 {
		return left
	}
	h.renderFair(ctx, h.dropUnchanged(ctx, h.due(began)))
	wait = time.Hour
	for _, v := range h.views {
		if v.dirty {
			wait = min(wait, time.Until(v.notBefore))
		}
		if !v.dueAt.IsZero() {
			wait = min(wait, time.Until(v.dueAt))
		}
	}
	h.notBefore = time.Now().Add(time.Since(began))
	return max(wait, time.Until(h.notBefore))
}

// due returns the views that may have changed and whose interval has passed.
func (h *Hub) due(now time.Time) (due []*view) {
	for _, v := range h.views {
		if !v.dueAt.IsZero() && !v.dueAt.After(now) {
			v.dirty, v.polled, v.dueAt = true, true, time.Time{}
		}
		if v.dirty && !v.notBefore.After(now) {
			due = append(due, v)
		}
	}
	return due
}

// renderFair renders views for a time slice, in the order of sortFair; the others stay due. Each call renders
// at least one search.
func (h *Hub) renderFair(ctx context.Context, due []*view) {
	sortFair(due)
	deadline := time.Now().Add(timeSlice)
	for i, v := range due {
		if time.Now().After(deadline) {
			if i = max(i, firstSearch(due)); i < len(due) {
				h.render(ctx, due[i])
			}
			return
		}
		h.render(ctx, v)
	}
}

// sortFair sorts views by their last rendering, the oldest first. Searches come last, because one costs as
// much as many other views: a user with a thousand different searches delays only searches.
func sortFair(due []*view) {
	slices.SortFunc(due, func(a, b *view) int {
		return cmp.Or(cmp.Compare(a.cost(), b.cost()), a.renderedAt.Compare(b.renderedAt))
	})
}

// firstSearch returns the index of the first search in due, or its length.
func firstSearch(due []*view) int {
	i, _ := slices.BinarySearchFunc(due, searchCost, func(v *view, cost int) int {
		return cmp.Compare(v.cost(), cost)
	})
	return i
}

// dropUnchanged removes the views of runs that have not changed since their last rendering. It reads all
// their revisions at once: when one of thousands of open runs changes, the hub must not read thousands.
func (h *Hub) dropUnchanged(ctx context.Context, due []*view) []*view {
	var runs []int64
	for _, v := range due {
		if v.isIdleRun() {
			runs = append(runs, v.key.Run)
		}
	}
	if len(runs) < 2 {
		return due
	}
	revisions, err := h.store.Revisions(ctx, runs)
	if err != nil {
		return due // reading them one by one will also fail, and logs the error
	}
	return slices.DeleteFunc(due, func(v *view) bool {
		revision, exists := revisions[v.key.Run]
		revision.Position = v.revision.Position // changes only when the view is polled
		unchanged := v.isIdleRun() && exists && revision == v.revision
		v.dirty = !unchanged
		return unchanged
	})
}

// renderAll brings all views up to date once, before the hub stops.
func (h *Hub) renderAll(ctx context.Context) {
	h.drainRequests()
	for _, v := range h.dropUnchanged(ctx, slices.Collect(maps.Values(h.views))) {
		h.render(ctx, v)
	}
}

// render brings one view up to date and publishes it to its subscribers.
func (h *Hub) render(ctx context.Context, v *view) {
	v.renderedAt = time.Now()
	changed, err := h.refresh(ctx, v)
	if err != nil {
		if ctx.Err() == nil {
			h.log.Log(ctx, app.RepeatedLevel(err), "a view could not be rendered", "error", err)
		}
		v.notBefore = time.Now().Add(retryDelay) // and it stays dirty
		return
	}
	v.dirty = false
	v.publish(changed)
	if changed {
		v.notBefore = time.Now().Add(v.minInterval())
	}
}

// refresh brings a view up to date. It turns a panic while rendering into an error of that view.
func (h *Hub) refresh(ctx context.Context, v *view) (changed bool, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v\n%s", panicked, debug.Stack())
		}
	}()
	return v.refresh(ctx, h.store, h.templates)
}
