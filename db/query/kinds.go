package query

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"runboard/app"
)

const (
	pauseSQL = `INSERT INTO paused_kinds (kind, paused_at) VALUES ($1, $2)
		ON CONFLICT DO NOTHING RETURNING true`
	resumeSQL = `DELETE FROM paused_kinds WHERE kind = $1 RETURNING true`
)

// PauseKind pauses or resumes a kind, and reports whether that changed anything.
func PauseKind(w Writer, kind string, paused bool, now time.Time) (changed bool, err error) {
	if paused {
		return w.Find(&changed, pauseSQL, kind, now.UnixMilli())
	}
	return w.Find(&changed, resumeSQL, kind)
}

// overviewRow is a row of overviewsSQL.
type overviewRow struct {
	Last      int64  // id of the newest run, or 0
	Durations string // a JSON array of milliseconds
	Started   int64
	Created   int64
	Paused    bool
}

// overviewsSQL returns the query for the overviews of kinds, in their order. It probes the index by kind, so
// that the number of runs does not affect its cost. Its argument is the JSONArray of the kinds.
func (d Dialect) overviewsSQL() string {
	var newest []string
	for _, status := range app.Statuses() {
		newest = append(newest, "SELECT id FROM "+d.newestOfKind("id", status, 1))
	}
	count := func(status app.Status) string {
		return "(SELECT COUNT(*) FROM " + d.newestOfKind("id", status, app.CountedOfKind+1) + ")"
	}
	last := "(SELECT max(id) FROM (" + strings.Join(newest, " UNION ALL ") + ") AS newest)"
	return "WITH wanted (kind) AS " + d.TextArray + " SELECT coalesce(" + last + ", 0) AS last, " +
		"CAST(coalesce(" + d.durationsSQL() + ", '[]') AS text) AS durations, " +
		count(app.Started) + " AS started, " + count(app.Created) + " AS created, " +
		"EXISTS (SELECT 1 FROM paused_kinds WHERE paused_kinds.kind = wanted.kind) AS paused FROM wanted"
}

// KindOverviews implements app.Store.
func (r *Reader) KindOverviews(
	ctx context.Context, kinds []string,
) (overviews []app.KindOverview, err error) {
	err = r.read(ctx, func(s *snapshot) { overviews = s.overviewsOf(kinds) })
	return overviews, err
}

func (s *snapshot) overviewsOf(kinds []string) []app.KindOverview {
	var rows []overviewRow
	s.all(&rows, s.dialect.overviewsSQL(), JSONArray(kinds))
	var last []int64
	for _, row := range rows {
		if row.Last > 0 {
			last = append(last, row.Last)
		}
	}
	runs := make(map[int64]app.ProcessRun, len(last))
	for _, run := range s.readRuns(s.dialect.RunsByIDSQL(), JSONArray(last)) {
		runs[run.ID] = run
	}
	overviews := make([]app.KindOverview, len(rows))
	for i, row := range rows {
		overviews[i] = app.KindOverview{
			Last: runs[row.Last], Started: row.Started, Created: row.Created, Paused: row.Paused,
		}
		var millis []int64
		s.fail(json.Unmarshal([]byte(row.Durations), &millis))
		overviews[i].MedianDuration, overviews[i].Measured = median(millis), len(millis)
	}
	return overviews
}

// median returns the median of durations in milliseconds, or 0 of none.
func median(millis []int64) time.Duration {
	if len(millis) == 0 {
		return 0
	}
	slices.Sort(millis)
	return time.Duration(millis[len(millis)/2]) * time.Millisecond
}

// QueueAhead implements app.Store.
func (r *Reader) QueueAhead(
	ctx context.Context, kind app.Kind, key string,
) (ahead app.QueueAhead, err error) {
	err = r.read(ctx, func(s *snapshot) {
		s.get(&ahead.Paused, "SELECT EXISTS (SELECT 1 FROM paused_kinds WHERE kind = ?)", kind.Name)
		if kind.Concurrency == 0 {
			counts := s.counts()
			ahead.Started, ahead.Created = counts[app.Started], counts[app.Created]
			return
		}
		ahead.Created, _ = s.sharing(kind, key, app.Created, app.CountedOfKind+1)
		ahead.Started, _ = s.sharing(kind, key, app.Started, app.CountedOfKind+1)
		full := s.fullLimit(kind, key)
		ahead.Limit, ahead.By = full.Limit, full.By
	})
	return ahead, err
}

// sharing returns the number of runs in a status that are counted together for the limit of a kind, at most
// most, and the oldest of them.
func (s *snapshot) sharing(kind app.Kind, key string, status app.Status, most int) (n, oldest int64) {
	scan := s.dialect.scanSharing(kind, key, status)
	statement := fmt.Sprintf("SELECT COUNT(*) AS n, coalesce(min(id), 0) AS oldest FROM (%s) AS counted",
		scan.selectSQL("id", true))
	var found struct{ N, Oldest int64 }
	s.get(&found, statement, scan.Args(allIDs, most)...)
	return found.N, found.Oldest
}

// scanSharing returns the scan of the runs in a status that are counted together for the limit of a kind.
func (d Dialect) scanSharing(kind app.Kind, key string, status app.Status) IndexScan {
	scan := d.scanKind(kind.Name, status)
	switch {
	case len(kind.ConcurrencyKey) == 0:
		return scan
	case status == app.Created && key != "":
		return d.scanKey(kind.Name, key)
	}
	return scan.and("concurrency_key = ?", key) // not many are started
}
