package templates

import (
	"time"

	"runboard/app"
)

// moment is one line of a run's history.
type moment struct {
	app.Event
	After time.Duration // since the line before
	Now   time.Time
}

// history is what happened to a run, with its creation, which is in its row and not among its events.
func history(page app.RunPage, now time.Time) []moment {
	moments := []moment{{Event: app.Event{Version: 1, At: page.Run.CreatedAt, Status: app.Created}, Now: now}}
	for _, event := range page.Events {
		after := event.At.Sub(moments[len(moments)-1].At)
		moments = append(moments, moment{Event: event, After: max(0, after), Now: now})
	}
	return moments
}

// left is how long work goes on: if it goes on as it has, when it says how far it has come, or else if it takes as
// long as usual. It is 0 when nobody can know that, or when it takes longer than usual.
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
