package templates

import (
	"time"

	"runboard/app"
)

// moment is an entry of a run's history as the page shows it.
type moment struct {
	app.Event
	After time.Duration // time since the previous entry
	Now   time.Time
}

// history returns the events of a run, oldest first, after an entry for its creation, which has no event.
func history(page app.RunPage, now time.Time) []moment {
	moments := []moment{{Event: app.Event{Version: 1, At: page.Run.CreatedAt, Status: app.Created}, Now: now}}
	for _, event := range page.Events {
		after := event.At.Sub(moments[len(moments)-1].At)
		moments = append(moments, moment{Event: event, After: max(0, after), Now: now})
	}
	return moments
}

// left estimates how much longer a started run takes: from its progress if it reports any, else from usual,
// the median duration of its kind. It returns 0 if there is no estimate or the run has already taken longer
// than usual, and at least a second otherwise.
func left(run app.ProcessRun, usual time.Duration, now time.Time) time.Duration {
	elapsed := now.Sub(run.StartedAt)
	var rest time.Duration
	switch {
	case run.Status != app.Started || run.Percent >= 100 || elapsed <= 0:
		return 0
	case run.Percent > 0:
		rest = elapsed / time.Duration(run.Percent) * time.Duration(100-run.Percent)
	case usual > elapsed:
		rest = usual - elapsed
	default:
		return 0
	}
	return max(rest.Truncate(time.Second), time.Second)
}
