package postgres

import (
	"strings"
	"testing"

	"runboard/app"
)

func TestSearch_HasNoOperators(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	fail(t, store, create(t, store, 1)[0], `'; DROP TABLE "x" -- \ `+strings.Repeat("word", 200))
	for text, want := range map[string]int{
		"drop & table": 1, "!drop": 1, "drop | nothing": 0, "drop <-> table": 1, "dro'p": 0, `dr`: 1, "wordword": 1,
		"x'; --": 1, "'x':*": 1, `\x`: 1,
	} {
		page, err := store.Page(ctx, app.Query{Filter: app.Filter{Text: text}})
		if ok(t, err); page.MatchCount != want {
			t.Errorf("%q finds %d", text, page.MatchCount)
		}
	}
}
