package templates

import (
	"fmt"
	"math"
	"strconv"

	"runboard/app"
)

// sparkline is the view model of how often an error occurred in each of the last hours.
type sparkline struct {
	Description string // for screen readers
	Total       string // "20 in 24 h"
	Bars        []hourBar
}

// hourBar is the bar of an hour with failures, in units of a picture 24 wide and 16 high. Its title says what
// it stands for.
type hourBar struct{ X, Y, Height, Title string }

// sparklineHeight is the height of the highest bar.
const sparklineHeight = 16

func newSparkline(hours [app.FailureHours]int64) sparkline {
	var sum int64
	for _, n := range hours {
		sum += n
	}
	return sparkline{
		Description: describeHours(hours), Total: grouped(sum) + " in 24 h", Bars: hourBars(hours),
	}
}

// hourBars returns a bar for each hour with failures. The busiest hour fills the height, and every bar is at
// least 1 high.
func hourBars(hours [app.FailureHours]int64) (bars []hourBar) {
	var highest int64 = 1
	for _, n := range hours {
		highest = max(highest, n)
	}
	for hour, n := range hours {
		if n == 0 {
			continue
		}
		height := max(1, math.Round(100*sparklineHeight*float64(n)/float64(highest))/100)
		title := grouped(n) + " this hour"
		if ago := app.FailureHours - 1 - hour; ago > 0 {
			title = fmt.Sprintf("%s, %d h ago", grouped(n), ago)
		}
		bars = append(bars, hourBar{
			X: strconv.Itoa(hour), Y: shortest(sparklineHeight - height), Height: shortest(height), Title: title,
		})
	}
	return bars
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
		return "None in the last 24 hours"
	case hoursAgo == 0:
		return fmt.Sprintf("%s in the last 24 hours, most of them, %s, in the present hour", grouped(sum),
			grouped(highest))
	}
	return fmt.Sprintf("%s in the last 24 hours, most of them, %s, %d h ago", grouped(sum), grouped(highest),
		hoursAgo)
}
