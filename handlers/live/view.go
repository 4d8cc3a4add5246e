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

// ViewKey says what a view shows: the PageView if it is not nil, else one run if Run is not 0, else the list
// of Query. Equal keys share a view.
type ViewKey struct {
	Page  *PageView
	Run   int64
	Query app.Query
}

// PageView is a page that is rendered as a whole whenever Load returns something else.
type PageView struct {
	Load        func(context.Context, app.Store) (any, error)
	Render      func(t *templates.Templates, loaded any) ([]byte, error) // a frame
	MinInterval time.Duration                                            // between two frames
}

// view is what the subscribers of one key see. It is owned by the hub's goroutine.
type view struct {
	key         ViewKey
	subscribers []*Subscriber
	joining     []*Subscriber // subscribers that have not got their first frame
	dirty       bool          // the store may have changed since it was read
	notBefore   time.Time     // when the next frame may leave
	renderedAt  time.Time

	number   int64        // of the newest frame; 0 before the first
	shown    result       // what was last rendered
	deleted  bool         // the run has been deleted
	current  *state       // the newest, for subscribers that join; nil if it is not kept
	revision app.Revision // of the run that was last rendered
}

// result is what the store returned for a key: one of the three.
type result struct {
	page   app.Page
	run    app.RunPage
	loaded any
}

// state is a view at one moment. It is immutable, so every subscriber may read it. It holds rendered HTML, so
// subscribers drop it after reading, and the view does if it has a single subscriber.
type state struct {
	number   int64  // of the frame, from 1
	delta    *Frame // leads here from the previous state; nil if the snapshot is as short
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
		return v.key.Page.MinInterval
	}
	return MinInterval
}

// isIdleRun reports whether the view shows a run and all its subscribers have what was last rendered.
func (v *view) isIdleRun() bool {
	return v.key.Run != 0 && v.number > 0 && len(v.joining) == 0 && !v.deleted
}

// refresh reads the store. If the result differs from the last one, it becomes the current state.
func (v *view) refresh(ctx context.Context, store app.Store, t *templates.Templates) (changed bool, err error) {
	fresh, err := v.load(ctx, store)
	if app.CodeOf(err) == app.CodeNotFound {
		return v.markDeleted(err, t), nil
	}
	if err != nil {
		return false, err
	}
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

// publish hands the newest state to all subscribers if it has changed, else to those that join.
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

// dropUnshared drops the rendered state if a single subscriber has it: thousands of pages with one subscriber
// each must not keep as many renderings. If another one joins, it is rendered again.
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

// isShown reports whether a frame for this result would change nothing.
func (v *view) isShown(fresh result) bool {
	switch {
	case v.key.Page != nil:
		return reflect.DeepEqual(v.shown.loaded, fresh.loaded)
	case v.key.Run != 0:
		return v.revision == fresh.run.Revision()
	}
	old, page := v.shown.page, fresh.page
	return old.Overview == page.Overview && sameSurroundings(old, page) && slices.EqualFunc(old.Runs, page.Runs, sameVersion)
}

func sameVersion(a, b app.ProcessRun) bool { return a.ID == b.ID && a.Version == b.Version }

func sameRun(a, b app.ProcessRun) bool { return a.ID == b.ID }

// sameSurroundings reports whether everything around the rows of a list is the same, apart from the overview.
func sameSurroundings(a, b app.Page) bool {
	return a.HasOlder == b.HasOlder && a.HasNewer == b.HasNewer && a.SearchCursor == b.SearchCursor &&
		a.MatchCount == b.MatchCount && a.MatchCountCapped == b.MatchCountCapped
}

// delta renders what changed; of a list, the cells. It returns nil if the rows themselves changed, because
// then the whole list is rendered as for the snapshot, and for a PageView.
func (v *view) delta(fresh result, t *templates.Templates) (*Frame, error) {
	switch {
	case v.key.Page != nil:
		return nil, nil
	case v.key.Run != 0:
		return frame(t.DeltaFrame(v.revision, fresh.run))
	}
	old, page := v.shown.page, fresh.page
	if !slices.EqualFunc(old.Runs, page.Runs, sameRun) || !sameSurroundings(old, page) {
		return nil, nil
	}
	var changed []app.ProcessRun
	for i, run := range page.Runs {
		if run.Version != old.Runs[i].Version {
			changed = append(changed, run)
		}
	}
	return frame(t.CellsFrame(changed, page.Overview))
}

// snapshot returns a function that renders all of the view, once for all subscribers that need it.
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

// Frame is HTML for a socket, every element of which names its target. All sockets share it.
type Frame struct{ HTML []byte }

func frame(html []byte, err error) (*Frame, error) {
	if err != nil {
		return nil, fmt.Errorf("a frame could not be rendered: %w", err)
	}
	return &Frame{HTML: html}, nil
}
