package templates

import (
	"strings"
	"time"

	"runboard/app"
)

// facts is the view model of the table on a run's page.
type facts struct {
	ElementID string
	Rows      []fact
}

// fact is the view model of a row of facts: Text, then Time, then Note.
type fact struct {
	Label string
	Path  string // of a link around Text
	Text  string
	Clock clockTime // instead of Text
	Time  relative
	Note  string
}

func (t *Templates) facts(page app.RunPage, now time.Time) facts {
	run := page.Run
	view := facts{ElementID: FactsID(run.ID)}
	add := func(one fact) { view.Rows = append(view.Rows, one) }
	kind := fact{Label: "Kind", Text: t.kindLabel(run.Kind)}
	if _, offered := t.kinds.Kind(run.Kind); offered {
		kind.Path = KindPath(run.Kind)
	}
	add(kind)
	add(fact{Label: "Created", Clock: dateTime(run.CreatedAt), Time: age(run.CreatedAt, now)})
	if queue, known := queueTime(run, now); known {
		add(queue)
	}
	if duration, known := t.duration(page, now); known {
		add(duration)
	}
	add(fact{Label: "Attempt", Text: t.attempt(run)})
	if page.Node > 0 {
		add(fact{Label: "Node", Text: decimal(page.Node)})
	}
	return view
}

// queueTime says how long a run waited for its last attempt, or waits for the next one, as its row does.
func queueTime(run app.ProcessRun, now time.Time) (_ fact, known bool) {
	if run.Status == app.Created {
		return fact{Label: "Queue time", Time: elapsed(run.UpdatedAt, now)}, true
	}
	waited, known := run.Waited()
	return fact{Label: "Queue time", Text: between(waited)}, known
}

// duration says how long the last attempt took, with its limit and the usual duration.
func (t *Templates) duration(page app.RunPage, now time.Time) (row fact, known bool) {
	run := page.Run
	row.Label = "Duration"
	kind, _ := t.kinds.Kind(run.Kind)
	var notes []string
	if limit := t.limitOf(kind); limit > 0 && !isBulk(run) { // a bulk run continues after its limit
		notes = append(notes, "limit "+lasting(limit))
	}
	if page.MedianDuration > 0 && !isBulk(run) {
		notes = append(notes, "usually "+lasting(page.MedianDuration))
	}
	row.Note = strings.Join(notes, " · ")
	switch {
	case run.Status == app.Started:
		row.Time = elapsed(run.StartedAt, now)
	case run.Status.Final() && !run.StartedAt.IsZero():
		row.Text = between(run.FinishedAt.Sub(run.StartedAt))
	case run.Status == app.Created:
		return row, row.Note != ""
	default:
		return row, false
	}
	return row, true
}

func (t *Templates) attempt(run app.ProcessRun) string {
	text := "none yet"
	switch {
	case run.Attempt == 0 && run.Status.Final():
		text = "none"
	case run.Attempt > 0:
		kind, _ := t.kinds.Kind(run.Kind)
		text = decimal(int64(run.Attempt)) + " of " + decimal(int64(t.attemptsOf(kind)))
	}
	switch run.Crashes {
	case 0:
		return text
	case 1:
		return text + ", interrupted by a crash once"
	}
	return text + ", interrupted by a crash " + decimal(int64(run.Crashes)) + " times"
}
