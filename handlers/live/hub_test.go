package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"runboard/app"
)

// onVirtualTime runs a test of a hub on a clock that advances only while all goroutines are blocked.
func onVirtualTime(t *testing.T, test func(t *testing.T, store *answers, hub *Hub)) {
	t.Helper()
	drawing := newTemplates(t)
	synctest.Test(t, func(t *testing.T) {
		store := &answers{}
		hub := NewHub(store, drawing, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			hub.Run(ctx)
		}()
		test(t, store, hub)
		cancel()
		<-done
	})
}

func TestHub_SendsFirstChangeAtOnceThenCoalesces(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, store *answers, hub *Hub) {
		w := hub.Watch(ViewKey{})
		defer w.Close()
		next(t, w)
		time.Sleep(time.Second)

		began := time.Now()
		store.change(func(a *answers) { a.page.Counts[app.Created] = 1 })
		next(t, w)
		if late := time.Since(began); late > 0 {
			t.Errorf("on an idle server the change left %s late", late)
		}
		frames := 0
		go func() { // makes 500 changes in a second
			for i := range 500 {
				store.change(func(a *answers) { a.page.Counts[app.Created] = int64(i + 2) })
				time.Sleep(2 * time.Millisecond)
			}
		}()
		for last := ""; !strings.Contains(last, `<b id="count_created">501</b>`); frames++ {
			before := time.Now()
			last = string(next(t, w).HTML)
			if apart := time.Since(before); frames > 0 && apart < MinInterval {
				t.Errorf("two frames left only %s apart", apart)
			}
		}
		if frames > 6 {
			t.Errorf("there were %d frames in a second", frames)
		}
	})
}

// search subscribes to searches for these texts and reads the first frame of each.
func search(t *testing.T, hub *Hub, texts ...string) (watchers []*Subscriber) {
	t.Helper()
	for _, text := range texts {
		watchers = append(watchers, hub.Watch(ViewKey{Query: app.Query{Filter: app.Filter{Text: text}}}))
	}
	for _, w := range watchers {
		next(t, w)
	}
	return watchers
}

// numbered returns n different texts that begin with text.
func numbered(text string, n int) (texts []string) {
	for i := range n {
		texts = append(texts, fmt.Sprint(text, i))
	}
	return texts
}

// keepChanging changes a count ten times a second until stop is closed.
func keepChanging(store *answers, stop <-chan struct{}) {
	for i := int64(1000); ; i++ {
		select {
		case <-stop:
			return
		case <-time.After(100 * time.Millisecond):
			store.change(func(a *answers) { a.page.Counts[app.Created] = i })
		}
	}
}

func TestHub_ThousandSearchesDelayNoOtherView(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, store *answers, hub *Hub) {
		store.takes = func(string) time.Duration { return 5 * time.Millisecond }
		searches, plain := search(t, hub, numbered("word ", 1000)...), hub.Watch(ViewKey{})
		next(t, plain)
		for i := range 50 {
			began := time.Now()
			store.change(func(a *answers) { a.page.Counts[app.Created] = int64(i + 1) })
			next(t, plain)
			if late := time.Since(began); late > time.Second {
				t.Errorf("a change was shown after %v", late)
			}
		}
		for _, w := range append(searches, plain) {
			w.Close()
		}
	})
}

func TestHub_RendersOldestViewsFirstAndSearchesLast(t *testing.T) {
	now := time.Now()
	search := func(text string, age time.Duration) *view {
		key := ViewKey{}
		key.Query.Text = text
		return &view{key: key, renderedAt: now.Add(-age)}
	}
	run := func(id int64, age time.Duration) *view {
		return &view{key: ViewKey{Run: id}, renderedAt: now.Add(-age)}
	}
	want := []*view{run(3, time.Hour), run(1, time.Minute), run(2, 0), search("b", time.Hour),
		search("a", time.Minute)}
	due := []*view{want[4], want[2], want[0], want[3], want[1]}
	sortFair(due)
	if !slices.Equal(due, want) {
		t.Errorf("the views are rendered in another order: %v", due)
	}
}

func TestHub_RendersSlowSearchAmongManyViews(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, store *answers, hub *Hub) {
		store.takes = func(text string) time.Duration {
			if text == "slow" {
				return 20 * time.Millisecond
			}
			return time.Millisecond
		}
		// together they keep the hub busy
		quick, slow := search(t, hub, numbered("quick ", 300)...), search(t, hub, "slow")[0]
		stop := make(chan struct{})
		go keepChanging(store, stop)
		for range 20 {
			began := time.Now()
			next(t, slow)
			if late := time.Since(began); late > 3*time.Second {
				t.Errorf("it had to wait for %v", late)
			}
		}
		close(stop)
		for _, w := range append(quick, slow) {
			w.Close()
		}
	})
}

func TestHub_ThousandSubscribersShareOneRead(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, store *answers, hub *Hub) {
		var all sync.WaitGroup
		watchers := make([]*Subscriber, 1000)
		for i := range watchers {
			all.Go(func() { watchers[i] = hub.Watch(ViewKey{}) })
		}
		all.Wait()
		frames := map[*Frame]bool{}
		for _, w := range watchers {
			frames[next(t, w)] = true
		}
		// More than one read is allowed, because the hub may start before all have joined.
		if asked := store.asked(); asked > 20 {
			t.Errorf("the store was read %d times", asked)
		}
		if len(frames) > 20 {
			t.Errorf("the frame was rendered %d times", len(frames))
		}
		for _, w := range watchers {
			w.Close()
		}
		synctest.Wait()
		if len(hub.views) != 0 {
			t.Error("a view without subscribers is kept")
		}
	})
}

func TestHub_IdleReadsLittleAndRendersNothing(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, store *answers, hub *Hub) {
		w := hub.Watch(ViewKey{})
		next(t, w)
		asked := store.asked()
		time.Sleep(time.Hour)
		if asked := store.asked() - asked; asked > int(time.Hour/tick) {
			t.Errorf("the store was read %d times in an idle hour", asked)
		}
		store.bell.Notify() // a notification without a change makes no frame
		time.Sleep(time.Second)
		if frame, err := w.Next(); frame != nil || err != nil {
			t.Errorf("a frame without news was sent: %s %v", frame.HTML, err)
		}
		w.Close()
	})
}

func TestHub_RecoversFromLostNotification(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, store *answers, hub *Hub) {
		w := hub.Watch(ViewKey{})
		defer w.Close()
		next(t, w)
		store.mu.Lock() // without a notification
		store.page.Counts[app.Failed] = 3
		store.mu.Unlock()
		if html := string(next(t, w).HTML); !strings.Contains(html, `<b id="count_failed">3</b>`) {
			t.Errorf("the frame is %s", html)
		}
	})
}

func TestHub_PanicEndsOnlyItsView(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, store *answers, hub *Hub) {
		store.runs = map[int64]app.ProcessRun{1: {ID: 1, Version: 1}}
		list, run := hub.Watch(ViewKey{}), hub.Watch(ViewKey{Run: 1})
		defer list.Close()
		defer run.Close()
		next(t, list)
		next(t, run)
		store.change(func(a *answers) { a.panics, a.runs[1] = true, app.ProcessRun{ID: 1, Version: 2} })
		if html := string(next(t, run).HTML); !strings.Contains(html, `data-version="2"`) {
			t.Errorf("the frame is %s", html)
		}
		store.mu.Lock() // the hub retries without a notification
		store.panics, store.page.Counts[app.Failed] = false, 3
		store.mu.Unlock()
		next(t, list)
	})
}

func TestHub_ReadsOnlyChangedRunsAtStop(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, store *answers, hub *Hub) {
		store.runs = map[int64]app.ProcessRun{1: {ID: 1, Version: 1}, 2: {ID: 2, Version: 1},
			3: {ID: 3, Version: 1}}
		ctx, cancel := context.WithCancel(t.Context())
		last := NewHub(store, hub.templates, hub.log)
		done := make(chan struct{})
		go func() {
			defer close(done)
			last.Run(ctx)
		}()
		watchers := map[int64]*Subscriber{}
		for id := range int64(3) {
			watchers[id+1] = last.Watch(ViewKey{Run: id + 1})
			next(t, watchers[id+1])
		}
		synctest.Wait()
		store.mu.Lock() // without a notification
		store.read, store.runs[2] = nil, app.ProcessRun{ID: 2, Version: 2}
		store.mu.Unlock()
		cancel()
		<-done
		if len(store.read) != 1 || store.read[0] != 2 {
			t.Errorf("the runs %v were read", store.read)
		}
		if html := string(next(t, watchers[2]).HTML); !strings.Contains(html, `data-version="2"`) {
			t.Errorf("the last frame is %s", html)
		}
	})
}

func TestSubscriber_ClosedBeforeFirstFrameIsForgotten(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, store *answers, hub *Hub) {
		store.change(func(a *answers) { a.err = errors.New("the disk is gone") })
		stays, leaves := hub.Watch(ViewKey{}), hub.Watch(ViewKey{})
		defer stays.Close()
		leaves.Close()
		synctest.Wait()
		if view := hub.views[ViewKey{}]; len(view.joining) != 1 || view.joining[0] != stays {
			t.Errorf("there wait %d watchers", len(view.joining))
		}
	})
}

func TestHub_RetriesFailingStore(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, store *answers, hub *Hub) {
		store.change(func(a *answers) { a.err = errors.New("the disk is gone") })
		w := hub.Watch(ViewKey{})
		defer w.Close()
		time.Sleep(10 * time.Second)
		if asked := store.asked(); asked < 9 || asked > 11 {
			t.Errorf("in ten seconds the store was read %d times", asked)
		}
		store.mu.Lock() // without a notification
		store.err = nil
		store.mu.Unlock()
		next(t, w)
	})
}

func TestHub_RendersLastStateBeforeStop(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, store *answers, hub *Hub) {
		ctx, cancel := context.WithCancel(t.Context())
		last := NewHub(store, hub.templates, hub.log)
		done := make(chan struct{})
		go func() {
			defer close(done)
			last.Run(ctx)
		}()
		w := last.Watch(ViewKey{})
		next(t, w)
		// within MinInterval of the last frame
		store.change(func(a *answers) { a.page.Counts[app.Completed] = 7 })
		cancel()
		<-done
		if html := string(next(t, w).HTML); !strings.Contains(html, `<b id="count_completed">7</b>`) {
			t.Errorf("the last frame is %s", html)
		}
		w.Close()
		if last.Watch(ViewKey{}) != nil {
			t.Error("a hub that has stopped takes a watcher in")
		}
	})
}
