package query

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"runboard/app"
)

const (
	// usualAge is how long a usual duration is kept. It changes slowly, and pages are read five times a
	// second.
	usualAge = 10 * time.Second
	// maxUsual is the largest number of kinds whose usual durations are kept.
	maxUsual = 1000
)

// usualCache keeps the usual durations of kinds. 0 is a kind without completed runs.
type usualCache struct {
	mu     sync.Mutex
	byKind map[string]usualDuration
}

type usualDuration struct {
	duration time.Duration
	readAt   time.Time
}

// get returns the durations of kinds that are known at a time, and the kinds whose durations are not.
func (c *usualCache) get(kinds []string, now time.Time) (known map[string]time.Duration, missing []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known = make(map[string]time.Duration, len(kinds))
	for _, kind := range kinds {
		usual, found := c.byKind[kind]
		if age := now.Sub(usual.readAt); !found || age < 0 || age > usualAge {
			missing = append(missing, kind)
			continue
		}
		known[kind] = usual.duration
	}
	return known, missing
}

// put keeps durations. When there are too many, it drops all others: they are read again.
func (c *usualCache) put(durations map[string]time.Duration, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKind == nil || len(c.byKind)+len(durations) > maxUsual {
		c.byKind = make(map[string]usualDuration)
	}
	for kind, duration := range durations {
		c.byKind[kind] = usualDuration{duration, now}
	}
}

// usualDurations returns the usual durations of the kinds of runs, as far as there are completed ones. Bulk
// runs have none.
func (s *snapshot) usualDurations(runs []app.ProcessRun) map[string]time.Duration {
	var kinds []string
	seen := map[string]bool{}
	for _, run := range runs {
		if !seen[run.Kind] && !NeverSearched(run.Kind) {
			seen[run.Kind] = true
			kinds = append(kinds, run.Kind)
		}
	}
	now := s.db.Now()
	usual, missing := s.usual.get(kinds, now)
	if len(missing) > 0 {
		read := s.readUsual(missing)
		if s.err == nil {
			s.usual.put(read, now)
		}
		for kind, duration := range read {
			usual[kind] = duration
		}
	}
	for kind, duration := range usual {
		if duration == 0 {
			delete(usual, kind)
		}
	}
	return usual
}

// readUsual reads the usual durations of kinds: the median of the newest completed runs, or 0 without any.
func (s *snapshot) readUsual(kinds []string) map[string]time.Duration {
	var rows []struct{ Kind, Durations string }
	s.all(&rows, s.dialect.UsualSQL(), JSONArray(kinds))
	usual := make(map[string]time.Duration, len(rows))
	for _, row := range rows {
		var millis []int64
		s.fail(json.Unmarshal([]byte(row.Durations), &millis))
		usual[row.Kind] = median(millis)
	}
	return usual
}

// UsualSQL returns the query for the durations of the newest completed runs of kinds, as a JSON array for
// each. It probes the index by kind, so that the number of runs does not affect its cost. Its argument is the
// JSONArray of the kinds.
func (d Dialect) UsualSQL() string {
	return "WITH wanted (kind) AS " + d.TextArray + " SELECT kind, " +
		"CAST(coalesce(" + d.durationsSQL() + ", '[]') AS text) AS durations FROM wanted"
}

// durationsSQL returns a subquery for the durations of the newest completed runs of the kind wanted.kind, in
// milliseconds, as a JSON array.
func (d Dialect) durationsSQL() string {
	return "(SELECT " + d.JSONGroup + "(finished_at - started_at) FROM " +
		d.newestOfKind("id, started_at, finished_at", app.Completed, app.UsualRuns) + ")"
}

// newestOfKind returns a table with columns of the newest runs of the kind wanted.kind in a status.
func (d Dialect) newestOfKind(columns string, status app.Status, limit int) string {
	return fmt.Sprintf("(SELECT %s FROM %s WHERE kind = wanted.kind AND %s "+
		"ORDER BY %s DESC LIMIT %d) AS found",
		columns, d.runsBy("process_runs_by_kind"), statusIs(status), d.SortKey, limit)
}
