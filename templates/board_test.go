package templates_test

import (
	"strings"
	"testing"

	"runboard/app"
)

func TestBoard_SaysHowToContinueASearch(t *testing.T) {
	t.Parallel()
	for turn, want := range map[app.Direction]string{
		app.Latest: "Press Older to continue", app.Before: "Press Older to continue", app.After: "Press Newer to continue",
	} {
		page := app.Page{
			Query: app.Query{Filter: app.Filter{Text: "needle"}}.WithCursor(turn, 7), SearchCursor: 5000, MatchCountCapped: true,
			HasOlder: turn != app.After, HasNewer: turn == app.After,
		}
		text := string(must(t)(newTemplates(t).Board(page, "key-1")))
		link := `href="/process_runs?before=5000&amp;q=needle"`
		if turn == app.After {
			link = `href="/process_runs?after=5000&amp;q=needle"`
		}
		for _, untrue := range []string{"runs match.", "No runs on this page", "More than 0"} {
			if strings.Contains(text, untrue) {
				t.Errorf("after turn %d the page says %q", turn, untrue)
			}
		}
		if !strings.Contains(text, "Searched back to #5000. "+want) || !strings.Contains(text, link) {
			t.Errorf("after turn %d the page is %s", turn, text)
		}
	}
}
