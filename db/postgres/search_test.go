package postgres

import (
	"slices"
	"strings"
	"testing"

	"runboard/app"
	"runboard/db/rows"
)

func TestATextIsTakenApartIntoWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"The Disk is full: /dev/sda1 (100%)": {"100", "dev", "disk", "full", "is", "sda1", "the"},
		"zwölf Äpfel, ÉTÉ":                   {"apfel", "ete", "zwolf"},
		"it's 'quoted' \\ & | ! : * <->":     {"it", "quoted", "s"},
		"twice twice":                        {"twice"},
		"中文 かな Ω":                            {"ω", "かな", "中文"},
		" \n\t...":                           nil,
	} {
		if got := wordsOf(text); !slices.Equal(got, want) {
			t.Errorf("%q is %q and not %q", text, got, want)
		}
	}
	if long := wordsOf(strings.Repeat("ü", 5000)); len(long) != 1 || len(long[0]) > maxWord {
		t.Errorf("a long word is %d", len(long[0]))
	}
}

func TestAnyTextCanBeSearchedFor(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	fail(t, store, create(t, store, 1)[0], `'; DROP TABLE "x" -- \ `+strings.Repeat("word", 200))
	for text, want := range map[string]int{
		"'": 0, `\`: 0, "'':*": 0, "drop & table": 1, "!drop": 1, "drop | nothing": 0, "drop <-> table": 1, "dro'p": 0, `dr`: 1, "wordword": 1,
		"x'; --": 1, "\u0301": 0,
	} {
		page, err := store.Page(ctx, app.Query{Filter: app.Filter{Text: text}})
		if ok(t, err); page.Matches != want {
			t.Errorf("%q finds %d", text, page.Matches)
		}
	}
}

func TestASearchForWordsThatNeverStandTogetherGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	const many = 2*lookThrough + 10
	execute(t, store, `INSERT INTO run_texts SELECT i, 0, array_to_tsvector(ARRAY[CASE WHEN i % 2 = 0 THEN 'even' ELSE 'odd' END])
		FROM generate_series(1, $1::int) AS i`, many)
	execute(t, store, `UPDATE run_texts SET words = array_to_tsvector(ARRAY['even', 'odd']) WHERE run_id = 5`)
	execute(t, store, "ANALYZE run_texts")
	execute(t, store, `INSERT INTO process_runs (id, kind, status, version, attempt, crashes, claim, error, created_at, updated_at, job)
		SELECT i, 'simulated', 2, 3, 1, 0, 1, '', 1, 1, 0 FROM generate_series(1, 10) AS i`)
	query, pages := app.Query{Filter: app.Filter{Text: "odd even"}}, 1
	page, err := store.Page(ctx, query)
	ok(t, err)
	for ; page.HasOlder && pages < 9; pages++ {
		if len(page.Runs) > 0 || page.SearchedTo == 0 || !page.More {
			t.Fatalf("it finds %+v", page)
		}
		page, err = store.Page(ctx, page.Older())
		ok(t, err)
	}
	if len(page.Runs) != 1 || page.Runs[0].ID != 5 || pages != 3 {
		t.Errorf("on page %d it finds %v", pages, page.Runs)
	}
	e := looksAt(t, store, func(b rows.Board) error { _, err := b.Page(ctx, query); return err })
	if e.blocks > 12_000 {
		t.Errorf("it looks at %d blocks: %s", e.blocks, strings.Join(e.plans, "\n"))
	}
}
