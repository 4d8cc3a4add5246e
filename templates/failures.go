package templates

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"runboard/app"
)

// failures is the page that tells what failed runs have in common.
type failures struct {
	app.Failures
	Title    string
	Now      time.Time
	ShowKind bool
}

func (t *Templates) failures(all app.Failures) failures {
	return failures{Failures: all, Title: "Failures", Now: t.now(), ShowKind: len(t.kinds) > 1}
}

// Failures draws the page.
func (t *Templates) Failures(all app.Failures) ([]byte, error) {
	return t.draw("failures", t.failures(all))
}

// FailuresLive draws the part of it that its socket keeps up to date.
func (t *Templates) FailuresLive(all app.Failures) ([]byte, error) {
	return t.draw("failures_live", t.failures(all))
}

// FailuresFrame draws what changes on it, for a socket.
func (t *Templates) FailuresFrame(all app.Failures) ([]byte, error) {
	return t.draw("failures_frame", t.failures(all))
}

// group is a failure as the page draws it.
type group struct {
	app.Failure
	Now      time.Time
	ShowKind bool
}

// Drawn are the failures that are shown.
func (f failures) Drawn() []group {
	groups := make([]group, len(f.Failures.Failures))
	for i, failure := range f.Failures.Failures {
		groups[i] = group{failure, f.Now, f.ShowKind}
	}
	return groups
}

// Hidden is how many more there are.
func (f failures) Hidden() int64 { return f.Groups - int64(len(f.Failures.Failures)) }

// Query asks for the runs that failed so.
func (g group) Query() app.Query { return app.Query{Filter: app.Filter{Failure: g.ID}} }

// Retry is where it is asked whether all of them are to be tried again.
func (g group) Retry() string {
	return withQuery(BulkPath, g.Query()) + "&operation=retry&scope=all"
}

// hourBar is an hour of a sparkline, in a picture of 24 by 16.
type hourBar struct{ X, Y, Height float64 }

// Bars are as high as many runs failed in their hours, beside each other.
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

// Words say what the sparkline shows.
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
