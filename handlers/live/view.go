package live

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"runboard/app"
	"runboard/templates"
)

// ViewKey identifies a view: the PageView if it is not nil, else one run if Run is not 0, else the list of
// Query. Subscribers with equal keys share a view.
type ViewKey struct {
	Page  PageView
	Run   int64
	Query app.Query
}

// PageView is a page that is rendered as a whole whenever the result of Load changes. Equal pages share a
// view, so its type must be comparable.
type PageView interface {
	// Load reads what the page shows. Results are compared with reflect.DeepEqual.
	Load(ctx context.Context, store app.Store) (any, error)
	// Render renders a frame from a result of Load.
	Render(t *templates.Templates, loaded any) ([]byte, error)
	// MinInterval is the shortest time between two frames.
	MinInterval() time.Duration
}

// deltaView is a PageView whose changes take less than the whole page.
type deltaView interface {
	// RenderDelta renders a frame that turns the page of one result of Load into that of another.
	RenderDelta(t *templates.Templates, before, loaded any) ([]byte, error)
}

// view is the shared state of all subscribers with the same key. The goroutine of the hub owns it.
type view struct {
	key         ViewKey
	subscribers []*Subscriber
	joining     []*Subscriber // subscribers without their first frame
	dirty       bool          // the store may have changed since it was read
	notBefore   time.Time     // earliest time of the next frame
	dueAt       time.Time     // when what is shown changes without a change of the store; zero: never
	polled      bool          // dueAt has passed since it was read
	renderedAt  time.Time

	number   int64        // of the newest frame; 0 before the first
	shown    result       // the last result that was rendered
	deleted  bool         // the run has been deleted
	current  *state       // the newest, for subscribers that join; nil if it is not kept
	revision app.Revision // of the run that was last rendered
}

// result is the result of the store for a key. Only one of its fields is set.
type result struct {
	page   app.Page
	run    app.RunPage
	loaded any
}

// dated is a loaded result that changes at a time even if the store does not.
type dated interface {
	// ChangesAt returns that time, or the zero time if there is none.
	ChangesAt() time.Time
}

// positionInterval is how often the place of a run in the queue is read again. It changes with every start of
// another run, and counting costs more than comparing revisions.
const positionInterval = time.Second

// dueAt returns when the result must be read again although it has not changed in the store, or the zero
// time: when the first of the created runs becomes due that is not due now, every second for a place in the
// queue, or as a dated result says. It returns no time before MinInterval has passed, because the runs of a
// page may become due one after the other.
func (r result) dueAt(now time.Time) (first time.Time) {
	loaded, isDated := r.loaded.(dated)
	switch {
	case isDated:
		first = loaded.ChangesAt()
	case r.run.Position.Place > 0:
		first = now.Add(positionInterval)
	default:
		first = r.run.Run.DueAfter(now)
	}
	for i := range r.page.Runs {
		due := r.page.Runs[i].DueAfter(now)
		if first.IsZero() || !due.IsZero() && due.Before(first) {
			first = due
		}
	}
	if soonest := now.Add(MinInterval); !first.IsZero() && first.Before(soonest) {
		return soonest
	}
	return first
}

// state is a view at one moment. It is immutable, so subscribers share it. It holds rendered HTML, so a
// subscriber drops it after reading, and a view with a single subscriber does not keep it.
type state struct {
	number   int64  // of the frame, from 1
	delta    *Frame // the difference to the previous state; nil if the snapshot is as short
	gone     error  // the run has been deleted; this is the last frame for subscribers that got others
	snapshot func() (*Frame, error)
}

// Costs of a view, see Hub.renderFair.
const (
	pageCost = iota
	searchCost
)

func (v *view) cost() int {
	if v.key.Query.Text != "" {
		return searchCost
	}
	return pageCost
}

func (v *view) minInterval() time.Duration {
	if v.key.Page != nil {
		return v.key.Page.MinInterval()
	}
	return MinInterval
}

// isIdleRun reports whether the view shows a run, all its subscribers have the last rendering, and it need
// only be read again if the run has changed.
func (v *view) isIdleRun() bool {
	return v.key.Run != 0 && v.number > 0 && len(v.joining) == 0 && !v.deleted && !v.polled
}

// refresh reads the store. If the result differs from the last one, refresh makes it the current state and
// returns true.
func (v *view) refresh(ctx context.Context, store app.Store, t *templates.Templates) (bool, error) {
	fresh, err := v.load(ctx, store)
	if app.CodeOf(err) == app.CodeNotFound {
		return v.markDeleted(err, t), nil
	}
	if err != nil {
		return false, err
	}
	v.dueAt, v.polled = fresh.dueAt(time.Now()), false
	next := &state{number: v.number, snapshot: v.snapshot(fresh, t)}
	if v.number > 0 && v.isShown(fresh) {
		if v.current == nil && len(v.joining) > 0 {
			v.current = next // what the other subscribers have, for those that join
		}
		return false, nil
	}
	if v.number > 0 {
		next.delta, err = v.delta(fresh, t)
		if err != nil {
			return false, err
		}
	}
	next.number++
	v.number, v.current = next.number, next
	v.revision = fresh.run.Revision()
	v.shown = result{page: fresh.page, loaded: fresh.loaded} // of a run only the revision is kept
	return true, nil
}

// markDeleted handles a run that has been deleted: current subscribers get a last frame that says so, new
// ones CodeNotFound. It reports whether the deletion is new to the view.
func (v *view) markDeleted(err error, t *templates.Templates) (changed bool) {
	changed = !v.deleted
	if changed {
		v.deleted = true
		v.number++
		v.current = nil
	}
	if v.current == nil {
		run := v.key.Run
		v.current = &state{number: v.number, gone: err, snapshot: sync.OnceValues(func() (*Frame, error) {
			return frame(t.DeletedFrame(run))
		})}
	}
	return changed
}

// publish hands the current state to all subscribers if it has changed, else to the joining ones.
func (v *view) publish(changed bool) {
	if v.current == nil {
		return
	}
	receivers := v.joining
	if changed {
		receivers = v.subscribers
	}
	for _, s := range receivers {
		s.notify(v.current)
	}
	v.joining = nil
	v.dropUnshared()
}

// dropUnshared drops the rendered state if the view has fewer than two subscribers: thousands of pages with
// one subscriber each must not keep as many renderings. It is rendered again when another subscriber joins.
func (v *view) dropUnshared() {
	if len(v.subscribers) < 2 {
		v.current = nil
	}
}

func (v *view) load(ctx context.Context, store app.Store) (fresh result, err error) {
	switch {
	case v.key.Page != nil:
		fresh.loaded, err = v.key.Page.Load(ctx, store)
	case v.key.Run != 0:
		fresh.run, err = store.Run(ctx, v.key.Run)
	default:
		fresh.page, err = store.Page(ctx, v.key.Query)
	}
	return fresh, err
}

// isShown reports whether the subscribers already show this result.
func (v *view) isShown(fresh result) bool {
	switch {
	case v.key.Page != nil:
		return reflect.DeepEqual(v.shown.loaded, fresh.loaded)
	case v.key.Run != 0:
		return v.revision == fresh.run.Revision()
	}
	old, page := v.shown.page, fresh.page
	return old.Overview == page.Overview && old.Tabs == page.Tabs && sameSurroundings(old, page) &&
		slices.EqualFunc(old.Runs, page.Runs, sameState) &&
		slices.EqualFunc(old.Running, page.Running, sameState)
}

// sameState reports whether two states of a run look the same. What a run waits for changes without a new
// version.
func sameState(a, b app.ProcessRun) bool {
	return a.ID == b.ID && a.Version == b.Version && a.Waiting == b.Waiting
}

func sameRun(a, b app.ProcessRun) bool { return a.ID == b.ID }

// sameSurroundings reports whether two pages of a list have the same links, search cursor, match count and
// note.
func sameSurroundings(a, b app.Page) bool {
	return a.HasOlder == b.HasOlder && a.HasNewer == b.HasNewer && a.SearchCursor == b.SearchCursor &&
		a.Failure.Triage == b.Failure.Triage &&
		a.MatchCount == b.MatchCount && a.MatchCountCapped == b.MatchCountCapped
}

// delta renders the difference to the last result; for a list, the changed cells. It returns nil if a
// snapshot would be as short: for most pages, and when other parts of a list than cells and counts changed.
func (v *view) delta(fresh result, t *templates.Templates) (*Frame, error) {
	deltas, hasDeltas := v.key.Page.(deltaView)
	switch {
	case hasDeltas:
		return frame(deltas.RenderDelta(t, v.shown.loaded, fresh.loaded))
	case v.key.Page != nil:
		return nil, nil
	case v.key.Run != 0:
		return frame(t.DeltaFrame(v.revision, fresh.run))
	}
	old, page := v.shown.page, fresh.page
	if !slices.EqualFunc(old.Runs, page.Runs, sameRun) || !sameSurroundings(old, page) {
		return nil, nil
	}
	return frame(t.CellsFrame(old, page))
}

// snapshot returns a function that renders the whole view, at most once for all subscribers.
func (v *view) snapshot(fresh result, t *templates.Templates) func() (*Frame, error) {
	key := v.key
	return sync.OnceValues(func() (*Frame, error) {
		switch {
		case key.Page != nil:
			return frame(key.Page.Render(t, fresh.loaded))
		case key.Run != 0:
			return frame(t.RunFrame(fresh.run))
		}
		return frame(t.ListFrame(fresh.page))
	})
}

// Frame is an HTML message for sockets. Each element in it names the element that it replaces. Subscribers
// share frames and must not modify HTML.
type Frame struct{ HTML []byte }

func frame(html []byte, err error) (*Frame, error) {
	if err != nil {
		return nil, fmt.Errorf("a frame could not be rendered: %w", err)
	}
	return &Frame{HTML: html}, nil
}
