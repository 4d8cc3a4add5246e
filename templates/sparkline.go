package templates

import (
	"fmt"
	"math"
	"strconv"

	"runboard/app"
)

// sparkline is the view model of how often an error occurred in each of the last hours, in a picture 24 wide
// and 16 high.
type sparkline struct {
	Description string // for screen readers
	Total       string // "20 failures in 24 h"
	Bars        string // the path of a bar for each hour with failures, or ""
	Hours       []hour // those with failures
}

// hour is the view model of the values of an hour, for the pointer.
type hour struct{ X, Title string }

// sparklineHeight is the height of the highest bar.
const sparklineHeight = 16

func newSparkline(hours [app.FailureHours]int64) sparkline {
	view := sparkline{Description: describeHours(hours)}
	var sum, highest int64
	for _, n := range hours {
		sum += n
		highest = max(highest, n)
	}
	view.Total = failures(sum) + " in 24 h"
	for i, n := range hours {
		if n == 0 {
			continue
		}
		view.Bars += hourBar(i, float64(n)/float64(highest))
		title := grouped(n) + " this hour"
		if ago := app.FailureHours - 1 - i; ago > 0 {
			title = fmt.Sprintf("%s, %d h ago", grouped(n), ago)
		}
		view.Hours = append(view.Hours, hour{strconv.Itoa(i), title})
	}
	return view
}

func failures(n int64) string { return plural(n, "failure", "failures") }

// hourBar returns the path of the bar of an hour. share is its part of the full height; every bar is at least
// 1 high.
func hourBar(hour int, share float64) string {
	height := shortest(max(1, math.Round(100*sparklineHeight*share)/100))
	return fmt.Sprintf("M%d 16v-%sh.8v%sz", hour, height, height)
}

// shortest formats x with as few digits as identify it.
func shortest(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// describeHours describes a sparkline for screen readers.
func describeHours(hours [app.FailureHours]int64) string {
	var sum, highest int64
	var hoursAgo int
	for hour, n := range hours {
		sum += n
		if n > highest {
			highest, hoursAgo = n, app.FailureHours-1-hour
		}
	}
	switch {
	case sum == 0:
		return "No failures in the last 24 hours"
	case hoursAgo == 0:
		return fmt.Sprintf("%s in the last 24 hours, most of them, %s, in the present hour", failures(sum),
			grouped(highest))
	}
	return fmt.Sprintf("%s in the last 24 hours, most of them, %s, %d h ago", failures(sum), grouped(highest),
		hoursAgo)
}
