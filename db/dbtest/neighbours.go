package dbtest

import (
	"testing"

	"runboard/app"
)

// testNeighbours tests which runs are next to a run in a list.
func testNeighbours(t *testing.T, subject Subject) {
	t.Run("neighbours are the next runs of the list", func(t *testing.T) {
		t.Parallel()
		checkNeighbours(open(t, subject))
	})
	t.Run("neighbours of a search are its next results", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		first, other, last := f.failedWith("disk full"), f.failedWith("no network"), f.failedWith("disk full")
		f.wantNeighbours(app.Filter{Text: "disk"}, last.ID, app.Neighbours{Older: first.ID})
		f.wantNeighbours(app.Filter{Text: "disk"}, first.ID, app.Neighbours{Newer: last.ID})
		f.wantNeighbours(app.Filter{Text: "disk"}, other.ID, app.Neighbours{Newer: last.ID, Older: first.ID})
	})
	t.Run("neighbours fail like the list", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		_, err := f.store.Neighbours(ctx, app.Filter{Text: "!"}, 1)
		if app.CodeOf(err) != app.CodeMalformed {
			t.Errorf("a search without words: %v", err)
		}
	})
}

func checkNeighbours(f fixture) {
	f.wantNeighbours(app.Filter{}, 1, app.Neighbours{})
	first := f.createOf("a", 1, nil)[0]
	failed := f.in(app.Failed)
	second := f.createOf("a", 1, nil)[0]
	completed := f.in(app.Completed)
	third := f.createOf("a", 1, nil)[0]
	all := app.Filter{}
	f.wantNeighbours(all, first.ID, app.Neighbours{Newer: failed.ID})
	f.wantNeighbours(all, second.ID, app.Neighbours{Newer: completed.ID, Older: failed.ID})
	f.wantNeighbours(all, third.ID, app.Neighbours{Older: completed.ID})
	ofKind := app.Filter{Kind: "a"}
	f.wantNeighbours(ofKind, second.ID, app.Neighbours{Newer: third.ID, Older: first.ID})
	f.wantNeighbours(ofKind, failed.ID, app.Neighbours{Newer: second.ID, Older: first.ID})
	failures := app.ByStatus(app.Failed).Filter
	f.wantNeighbours(failures, failed.ID, app.Neighbours{})
	f.wantNeighbours(failures, third.ID, app.Neighbours{Older: failed.ID})
	f.wantNeighbours(app.Filter{Failure: f.get(failed.ID).Failure}, first.ID,
		app.Neighbours{Newer: failed.ID})
}

func (f fixture) wantNeighbours(filter app.Filter, run int64, want app.Neighbours) {
	f.Helper()
	got, err := f.store.Neighbours(ctx, filter, run)
	f.ok(err)
	if got != want {
		f.Fatalf("with the filter %+v the neighbours of run %d are %+v and not %+v", filter, run, got, want)
	}
}
