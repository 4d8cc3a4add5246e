package query

import (
	"reflect"
	"strconv"
	"testing"
	"time"

	"runboard/app"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// pageOf returns a page of the runs with a text, without its counts.
func pageOf(text string) app.Page {
	return app.Page{Query: app.Query{Filter: app.Filter{Text: text}}, HasOlder: true}
}

// counted returns the page with capped counts.
func counted(page app.Page) app.Page {
	page.MatchCount, page.MatchCountCapped = 5000, true
	page.Tabs.Counts[app.Failed], page.Tabs.Capped[app.Failed] = 1000, true
	return page
}

func TestCappedCache_KeepsCountsForAMoment(t *testing.T) {
	t.Parallel()
	var cache cappedCache
	page := pageOf("disk")
	if cache.fill(&page, noon) {
		t.Error("an empty cache knows counts")
	}
	cache.put(counted(page), noon)
	if !cache.fill(&page, noon.Add(cappedAge)) || !reflect.DeepEqual(page, counted(pageOf("disk"))) {
		t.Errorf("the page is %+v", page)
	}
	for name, late := range map[string]time.Time{
		"later": noon.Add(cappedAge + 1), "earlier, as the clock was set back": noon.Add(-1),
	} {
		if cache.fill(&page, late) {
			t.Errorf("the counts are known %s", name)
		}
	}
}

func TestCappedCache_CountsOtherPagesAnew(t *testing.T) {
	t.Parallel()
	var cache cappedCache
	cache.put(counted(pageOf("disk")), noon)
	other, last := pageOf("paper"), pageOf("disk")
	last.HasOlder = false
	if cache.fill(&other, noon) {
		t.Error("the counts of another search are known")
	}
	if cache.fill(&last, noon) {
		t.Error("the page with the last matches has old counts")
	}
	exact := counted(other)
	exact.MatchCountCapped = false
	cache.put(exact, noon)
	if cache.fill(&other, noon) {
		t.Error("exact counts are kept")
	}
}

func TestCappedCache_IsBounded(t *testing.T) {
	t.Parallel()
	var cache cappedCache
	for i := range 10 * maxCapped {
		cache.put(counted(pageOf(strconv.Itoa(i))), noon)
		if len(cache.byFilter) > maxCapped {
			t.Fatalf("%d counts are kept", len(cache.byFilter))
		}
	}
}
