package live

import (
	"context"
	"errors"
	"sync"
	"time"

	"runboard/app"
)

// answers is a store whose results the test sets. It is for tests of when the hub reads. Other tests use a
// real store, which cannot run on the clock of synctest.
type answers struct {
	app.Store
	mu      sync.Mutex
	bell    app.Notifier
	page    app.Page
	err     error
	panics  bool
	queries int
	takes   func(text string) time.Duration // the duration of a search; nil: none
	runs    map[int64]app.ProcessRun
	place   int     // of all runs in the queue
	read    []int64 // IDs of the runs that Run has read
}

func (a *answers) Changed() *app.Notifier { return &a.bell }

func (a *answers) Page(ctx context.Context, query app.Query) (app.Page, error) {
	if app.PurposeOf(ctx) != app.ForLive { // the purpose of reads by the hub
		return app.Page{}, errors.New("the read does not say that it is for the hub")
	}
	if a.takes != nil && query.Text != "" {
		time.Sleep(a.takes(query.Text))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queries++
	if a.panics {
		panic("a bug")
	}
	page := a.page
	page.Query = query
	return page, a.err
}

func (a *answers) Run(_ context.Context, id int64) (app.RunPage, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.read = append(a.read, id)
	if _, exists := a.runs[id]; !exists && a.runs != nil {
		return app.RunPage{}, app.Errorf(app.CodeNotFound, "There is no run #%d.", id)
	}
	return app.RunPage{Run: a.runs[id], Position: app.Position{Place: a.place}}, a.err
}

func (a *answers) Revisions(_ context.Context, ids []int64) (map[int64]app.Revision, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queries++
	marks := map[int64]app.Revision{}
	for _, id := range ids {
		if run, exists := a.runs[id]; exists {
			marks[id] = app.Revision{Version: run.Version}
		}
	}
	return marks, a.err
}

// change changes the results and notifies the hub.
func (a *answers) change(change func(*answers)) {
	a.mu.Lock()
	change(a)
	a.mu.Unlock()
	a.bell.Notify()
}

func (a *answers) asked() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.queries
}
