package query

import (
	"sync"
	"time"

	"runboard/app"
)

const (
	// cappedAge is how long a filter is taken to match more runs than are counted.
	cappedAge = 2 * time.Second
	// maxCapped is the largest number of filters whose counts are kept.
	maxCapped = 100
)

// cappedCache keeps the counts of filters that match more runs than are counted. Counting takes longer than
// the rest of such a page, and live pages are read several times a second. Without a search, the numbers by
// status are cheap and soon outdated, so only the number of all matches is used.
type cappedCache struct {
	mu       sync.Mutex
	byFilter map[app.Filter]cappedCounts
}

type cappedCounts struct {
	tabs       app.TabCounts
	matchCount int
	readAt     time.Time
}

// fill sets the counts of a page that continues on an older one, and reports whether they are known. A page
// with the last matches needs true counts.
func (c *cappedCache) fill(page *app.Page, now time.Time) bool {
	if !page.HasOlder {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	counts, found := c.byFilter[page.Query.Filter]
	if age := now.Sub(counts.readAt); !found || age < 0 || age > cappedAge {
		return false
	}
	page.Tabs, page.MatchCount, page.MatchCountCapped = counts.tabs, counts.matchCount, true
	return true
}

// put keeps the counts of a page, if they are capped. When there are too many, it drops all others: they are
// counted again.
func (c *cappedCache) put(page app.Page, now time.Time) {
	if !page.MatchCountCapped {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byFilter == nil || len(c.byFilter) >= maxCapped {
		c.byFilter = make(map[app.Filter]cappedCounts)
	}
	c.byFilter[page.Query.Filter] = cappedCounts{page.Tabs, page.MatchCount, now}
}
