package app_test

import (
	"testing"

	"runboard/app"
)

func page(query app.Query, ids ...int64) app.Page {
	p := app.Page{Query: query}
	for _, id := range ids {
		p.Runs = append(p.Runs, app.ProcessRun{ID: id})
	}
	return p
}

func TestPage_LinksOlderAndNewer(t *testing.T) {
	t.Parallel()
	failed := app.ByStatus(app.Failed)
	for name, test := range map[string]struct {
		page         app.Page
		older, newer app.Query
	}{
		"the newest page goes on below its last run": {
			page:  page(app.Query{}, 50, 49, 26),
			older: app.Query{Direction: app.Before, Cursor: 26},
			newer: app.Query{Direction: app.After, Cursor: 50},
		},
		"the filter stays": {
			page: page(failed.WithCursor(app.Before, 90), 80, 31),
			older: app.Query{Filter: app.Filter{Filtered: true, Status: app.Failed},
				Direction: app.Before, Cursor: 31},
			newer: app.Query{Filter: app.Filter{Filtered: true, Status: app.Failed},
				Direction: app.After, Cursor: 80},
		},
		"the size of the page stays": {
			page:  page(app.Query{Rows: 50}, 50, 49),
			older: app.Query{Direction: app.Before, Cursor: 49, Rows: 50},
			newer: app.Query{Direction: app.After, Cursor: 50, Rows: 50},
		},
		"a page of one run leads both ways from it": {
			page:  page(app.Query{}.WithCursor(app.After, 4), 5),
			older: app.Query{Direction: app.Before, Cursor: 5},
			newer: app.Query{Direction: app.After, Cursor: 5},
		},
		"an empty page after too high an id leads back to the newest runs": {
			page:  page(failed.WithCursor(app.After, 99)),
			older: app.ByStatus(app.Failed),
			newer: app.Query{Filter: app.Filter{Filtered: true, Status: app.Failed},
				Direction: app.After, Cursor: 98},
		},
		"an empty page before too low an id leads up to the run of that id": {
			page:  page(app.Query{}.WithCursor(app.Before, 3)),
			older: app.Query{},
			newer: app.Query{Direction: app.After, Cursor: 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := test.page.Older(); got != test.older {
				t.Errorf("older is %+v, want %+v", got, test.older)
			}
			if got := test.page.Newer(); got != test.newer {
				t.Errorf("newer is %+v, want %+v", got, test.newer)
			}
		})
	}
}

func TestCounts_Total(t *testing.T) {
	t.Parallel()
	if got := (app.Counts{1, 20, 300, 4000, 50000}).Total(); got != 54321 {
		t.Errorf("the total is %d, want 54321", got)
	}
}

func TestQuery_HasPageSize(t *testing.T) {
	t.Parallel()
	if got := (app.Query{}).PageSize(); got != app.PageSize {
		t.Errorf("the size of a page is %d", got)
	}
	big := app.Query{Rows: 100, Direction: app.Before, Cursor: 7}
	if got := big.PageSize(); got != 100 {
		t.Errorf("the size of a page of 100 is %d", got)
	}
	kind := app.Filter{Kind: "backup"}
	if got, want := big.WithFilter(kind), (app.Query{Filter: kind, Rows: 100}); got != want {
		t.Errorf("with another filter it is %+v, want %+v", got, want)
	}
}

func TestTabCounts_AnyCapped(t *testing.T) {
	t.Parallel()
	var tabs app.TabCounts
	if tabs.AnyCapped() {
		t.Error("no count is capped")
	}
	tabs.Capped[app.Failed] = true
	if !tabs.AnyCapped() {
		t.Error("a count is capped")
	}
}
