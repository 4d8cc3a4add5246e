package templates

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"runboard/app"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// lately returns the period of the last 15 minutes. over is how much of its last step has passed, and flows
// has counters by step.
func lately(over time.Duration, flows map[int]app.Counters) period {
	p := period{Name: "recent", Span: "the last 15 minutes", Unit: "minute", At: noon.Add(over), Period: app.Period{
		From: noon.Add(-app.RecentSpan), Step: app.RecentStep, Counters: make([]app.Counters, 91),
	}}
	for step, flow := range flows {
		p.Counters[step] = flow
	}
	return p
}

// wholeDay returns the period of the last 24 hours, with the parameters of lately.
func wholeDay(over time.Duration, flows map[int]app.Counters) period {
	p := period{Name: "day", Span: "the last 24 hours", Unit: "hour", At: noon.Add(over), Period: app.Period{
		From: noon.Add(-app.DaySpan), Step: app.DayStep, Counters: make([]app.Counters, 145),
	}}
	for step, flow := range flows {
		p.Counters[step] = flow
	}
	return p
}

func TestALineGoesWhereItsNumbersSay(t *testing.T) {
	t.Parallel()
	p := lately(4*time.Second, map[int]app.Counters{0: {Created: 100}, 2: {Created: 50, Failed: 25}})
	if top, half, per := p.Top(), p.Half(), p.Per(); top != "10" || half != "5" || per != "a second" {
		t.Errorf("the upper edge is %s %s and the middle %s", top, per, half)
	}
	lines := p.Lines()
	if created, failed := lines[0], lines[3]; !strings.HasPrefix(created.Points, "0,0 1,100 2,50 3,100 ") || !strings.HasPrefix(failed.Points, "0,100 1,100 2,75 3,100 ") ||
		created.Total != 150 || failed.Total != 25 {
		t.Errorf("they go %+v", lines)
	}
	if last := lines[0].Points[strings.LastIndex(lines[0].Points, " "):]; last != " 89,100" || p.Width() != 90 {
		t.Errorf("the last corner is%s of %d", last, p.Width())
	}
}

func TestAStepIsDrawnWhenItTellsEnough(t *testing.T) {
	t.Parallel()
	for over, want := range map[time.Duration]int{0: 89, 2 * time.Second: 89, 3 * time.Second: 90, 9 * time.Second: 90} {
		if n := len(lately(over, nil).shown()); n != want {
			t.Errorf("of the last minutes %d steps are drawn when %s of the last one is over, and not %d", n, over, want)
		}
	}
	for over, want := range map[time.Duration]int{0: 144, 59 * time.Second: 144, time.Minute: 145, 9 * time.Minute: 145} {
		if n := len(wholeDay(over, nil).shown()); n != want {
			t.Errorf("of the day %d steps are drawn when %s of the last one is over, and not %d", n, over, want)
		}
	}
	if p := wholeDay(2*time.Minute, map[int]app.Counters{144: {Started: 240}}); p.peak() != 2 {
		t.Errorf("240 in two minutes are %v a second", p.peak())
	}
}

func TestFewAreToldByTheMinuteOrTheHour(t *testing.T) {
	t.Parallel()
	for created, want := range map[int64]string{
		12: "2 a second", 10: "2 a second", 9: "100 a minute", 1: "10 a minute", 0: "2 an hour", 1234: "200 a second", 5000: "500 a second",
	} {
		p := lately(0, map[int]app.Counters{7: {Created: created}})
		if got := p.Top() + " " + p.Per(); got != want {
			t.Errorf("the upper edge for %d in ten seconds is %s and not %s", created, got, want)
		}
	}
	p := wholeDay(0, map[int]app.Counters{7: {Completed: 3}})
	if got := p.Top() + " " + p.Per(); got != "20 an hour" {
		t.Errorf("the upper edge for 3 in ten minutes is %s", got)
	}
}

func TestNoLineLeavesThePicture(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		flow := rapid.Custom(func(t *rapid.T) app.Counters {
			n := rapid.Int64Range(0, 1e9)
			return app.Counters{Created: n.Draw(t, "created"), Started: n.Draw(t, "started"), Completed: n.Draw(t, "completed"), Failed: n.Draw(t, "failed")}
		})
		p := lately(time.Duration(rapid.Int64Range(0, int64(app.RecentStep)-1).Draw(t, "over")), rapid.MapOf(rapid.IntRange(0, 90), flow).Draw(t, "flows"))
		for _, line := range p.Lines() {
			corners := strings.Fields(line.Points)
			if len(corners) != len(p.shown()) {
				t.Fatalf("%d corners for %d steps", len(corners), len(p.shown()))
			}
			for i, corner := range corners {
				x, y, _ := strings.Cut(corner, ",")
				high, err := strconv.ParseFloat(y, 64)
				if x != strconv.Itoa(i) || err != nil || high < 0 || high > chartHeight || math.IsNaN(high) {
					t.Fatalf("corner %d is %s", i, corner)
				}
			}
		}
	})
}

func TestTheTableHasAllThatIsDrawn(t *testing.T) {
	t.Parallel()
	p := lately(4*time.Second, map[int]app.Counters{0: {Created: 1}, 5: {Created: 2}, 6: {Started: 3}, 89: {Failed: 4}, 90: {Completed: 5}})
	rows := p.Rows()
	if len(rows) != 16 || rows[0] != (flows{"now", app.Counters{Completed: 5}}) || rows[1] != (flows{"1 min ago", app.Counters{Failed: 4}}) ||
		rows[14] != (flows{"14 min ago", app.Counters{Started: 3}}) || rows[15] != (flows{"15 min ago", app.Counters{Created: 3}}) {
		t.Errorf("the rows are %+v", rows)
	}
	if rows := wholeDay(0, nil).Rows(); len(rows) != 25 || rows[24].When != "24 h ago" {
		t.Errorf("the rows are %+v", rows)
	}
}

func TestAPictureIsSaidInWords(t *testing.T) {
	t.Parallel()
	p := lately(0, map[int]app.Counters{1: {Created: 1200, Started: 30}, 2: {Completed: 2, Failed: 1}})
	if want := "1,200 created, 30 started, 2 completed, 1 failed. At the most there were about 120 a second."; p.Words() != want {
		t.Errorf("it is %q", p.Words())
	}
}

func TestAForecastIsSaidInWords(t *testing.T) {
	t.Parallel()
	unserved := app.UnhandledKinds{{Kind: "report", Runs: 3}}
	for want, f := range map[string]app.Forecast{
		"Queue empty.": {Trend: app.Empty},
		"How many other runs are waiting is unknown.":                                 {Trend: app.Unknown, Waiting: 40},
		"12,300 runs wait: clears in about 3 min.":                                    {Trend: app.Draining, Waiting: 12300, In: 190 * time.Second},
		"1 run waits: clears in about 1 s.":                                           {Trend: app.Draining, Waiting: 1, In: time.Millisecond},
		"40 runs wait: neither growing nor draining. A new one waits for about 12 s.": {Trend: app.Steady, Waiting: 40, In: 12300 * time.Millisecond},
		"40 runs wait: growing, will not drain.":                                      {Trend: app.Growing, Waiting: 40},
		"40 runs wait, and nothing is being started.":                                 {Trend: app.Stalled, Waiting: 40},
		"40 runs wait until one of the 1,000 that are being worked on is done.":       {Trend: app.Busy, Waiting: 40, Working: 1000},
		"40 runs wait. It is too early to say for how long.":                          {Trend: app.Unclear, Waiting: 40},
	} {
		if got := foretell(f, app.UnhandledKinds{}); got != want {
			t.Errorf("it is %q and not %q", got, want)
		}
	}
	if got := foretell(app.Forecast{Trend: app.Empty}, unserved); got != "No other runs are waiting." {
		t.Errorf("it is %q", got)
	}
}

func TestRunsThatNobodyWorksOnAreWarnedOfInWords(t *testing.T) {
	t.Parallel()
	for want, kinds := range map[string]app.UnhandledKinds{
		"": {},
		"1 run of kind report is waiting, but no worker here handles this kind.":                                                    {{Kind: "report", Runs: 1}},
		"3 runs of kind report are waiting, but no worker here handles this kind.":                                                  {{Kind: "report", Runs: 3}},
		"1,200 runs of kind a and 1 run of kind b are waiting, but no worker here handles these kinds.":                             {{Kind: "a", Runs: 1200}, {Kind: "b", Runs: 1}},
		"More than 1,000 runs of kind a, 2 runs of kind b and 1 run of kind c are waiting, but no worker here handles these kinds.": {{Kind: "a", Runs: 1000, More: true}, {Kind: "b", Runs: 2}, {Kind: "c", Runs: 1}},
	} {
		if got := unserved(kinds); got != want {
			t.Errorf("it is %q and not %q", got, want)
		}
	}
}

func TestBarsAreAsLongAsTheyShouldBe(t *testing.T) {
	t.Parallel()
	kinds := []app.KindTimes{
		{Kind: "a", QueueTime: app.Quantiles{Count: 1, P50: time.Second, P95: 4 * time.Second}},
		{Kind: "b", RunTime: app.Quantiles{Count: 1, P50: time.Second, P95: 2 * time.Second}},
	}
	if waits, works := most(kinds, "waits"), most(kinds, "works"); waits != 4*time.Second || works != 2*time.Second {
		t.Errorf("the longest are %s and %s", waits, works)
	}
	var lengths []string
	for _, b := range []bar{newBar(kinds[0].QueueTime, 4*time.Second), newBar(kinds[1].RunTime, 2*time.Second), newBar(app.Quantiles{}, 0)} {
		lengths = append(lengths, b.Half, b.Most)
	}
	if want := []string{"25.8", "100", "50.5", "100", "1", "1"}; !slices.Equal(lengths, want) {
		t.Errorf("they are %v and not %v", lengths, want)
	}
}
