package templates_test

import (
	"strings"
	"testing"

	"runboard/app"
)

func TestBoard_SaysHowToContinueASearch(t *testing.T) {
	t.Parallel()
	for direction, want := range map[app.Direction]string{
		app.Latest: "Press Older to continue", app.Before: "Press Older to continue",
		app.After: "Press Newer to continue",
	} {
		page := app.Page{
			Query: app.Query{Filter: app.Filter{Text: "needle"}}.WithCursor(direction, 7), SearchCursor: 5000,
			MatchCountCapped: true,
			HasOlder:         direction != app.After, HasNewer: direction == app.After,
		}
		text := string(must(t)(newTemplates(t).Board(page, "key-1")))
		link := `href="/process_runs?before=5000&amp;q=needle"`
		if direction == app.After {
			link = `href="/process_runs?after=5000&amp;q=needle"`
		}
		for _, untrue := range []string{"runs match.", "No runs on this page", "More than 0"} {
			if strings.Contains(text, untrue) {
				t.Errorf("direction %d: the page says %q", direction, untrue)
			}
		}
		if !strings.Contains(text, "Searched back to #5000. "+want) || !strings.Contains(text, link) {
			t.Errorf("direction %d: the page does not say how to continue: %s", direction, text)
		}
	}
}
