package templates

import (
	"strings"

	"runboard/app"
)

// timelineSummary says what is in the window.
func timelineSummary(timeline app.Timeline) string {
	var counters app.Counters
	for _, bin := range timeline.Bins {
		counters = counters.Add(bin.Counters)
	}
	running, retried := int64(0), int64(0)
	for _, bar := range timeline.Bars {
		switch {
		case !bar.Last:
			retried++
		case bar.Status == app.Completed:
			counters.Completed++
		case bar.Status == app.Failed:
			counters.Failed++
		case bar.Status == app.Cancelled:
			counters.Cancelled++
		default:
			running++
		}
	}
	var parts []string
	if running > 0 {
		parts = append(parts, grouped(running)+" running")
	}
	if counters.Finished() > 0 {
		parts = append(parts, endedInWords(counters))
	}
	if retried > 0 {
		parts = append(parts, plural(retried, "earlier attempt", "earlier attempts"))
	}
	if len(parts) == 0 {
		return "No runs in this window."
	}
	return strings.Join(parts, ", ") + "."
}

// timelineNote says what the picture leaves out.
func timelineNote(timeline app.Timeline) string {
	switch {
	case timeline.Cut:
		return "Too many runs to draw all of them: these are the last " +
			decimal(int64(len(timeline.Bars))) + ". Zoom in to see the others."
	case timeline.Binned():
		return "Too many runs to draw each one. A column counts the runs of a kind that finished within " +
			lasting(timeline.Bin) + ". Zoom in to see single runs."
	}
	return ""
}
