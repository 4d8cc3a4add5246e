package templates

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"runboard/app"
)

// failures is the view model of the page that groups failed runs by error.
type failures struct {
	app.Failures
	Title    string
	Now      time.Time
	ShowKind bool
}

func (t *Templates) failures(all app.Failures) failures {
	return failures{Failures: all, Title: "Failures", Now: t.now(), ShowKind: len(t.kinds) > 1}
}

// Failures renders the failures page.
func (t *Templates) Failures(all app.Failures) ([]byte, error) {
	return t.draw("failures", t.failures(all))
}

// FailuresLive renders the region of the failures page that its socket keeps up to date.
func (t *Templates) FailuresLive(all app.Failures) ([]byte, error) {
	return t.draw("failures_live", t.failures(all))
}

// FailuresFrame renders the changing part of the failures page for a socket.
func (t *Templates) FailuresFrame(all app.Failures) ([]byte, error) {
	return t.draw("failures_frame", t.failures(all))
}

// group is the view model of a failure group.
type group struct {
	app.Failure
	Now      time.Time
	ShowKind bool
}

// Drawn returns the groups that the page shows.
func (f failures) Drawn() []group {
	groups := make([]group, len(f.Failures.Failures))
	for i, failure := range f.Failures.Failures {
		groups[i] = group{failure, f.Now, f.ShowKind}
	}
	return groups
}

// Hidden returns the number of groups that the page does not show.
func (f failures) Hidden() int64 { return f.Groups - int64(len(f.Failures.Failures)) }

// Query returns the query for the runs of the group.
func (g group) Query() app.Query { return app.Query{Filter: app.Filter{Failure: g.ID}} }

// Retry returns the path of the preview for retrying all runs of the group.
func (g group) Retry() string {
	return withQuery(BulkPath, g.Query()) + "&operation=retry&scope=all"
}

// hourBar is an hour of a sparkline, in units of a picture 24 wide and 16 high.
type hourBar struct{ X, Y, Height float64 }

// Bars returns a bar for each hour with failures. The busiest hour fills the height, and every bar is at
// least 1 high.
func (g group) Bars() (bars []hourBar) {
	var most int64 = 1
	for _, n := range g.Hours {
		most = max(most, n)
	}
	for hour, n := range g.Hours {
		if n > 0 {
			height := max(1, 16*float64(n)/float64(most))
			bars = append(bars, hourBar{float64(hour), 16 - height, height})
		}
	}
	return bars
}

// Words describes the sparkline for screen readers.
func (g group) Words() string {
	var sum, most int64
	var when int
	for hour, n := range g.Hours {
		if sum += n; n > most {
			most, when = n, app.FailureHours-1-hour
		}
	}
	switch {
	case sum == 0:
		return "None in the last 24 hours"
	case when == 0:
		return fmt.Sprintf("%s in the last 24 hours, most of them, %s, in the present hour", humanize.Comma(sum), humanize.Comma(most))
	}
	return fmt.Sprintf("%s in the last 24 hours, most of them, %s, %d h ago", humanize.Comma(sum), humanize.Comma(most), when)
}
