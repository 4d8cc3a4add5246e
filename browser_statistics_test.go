package main

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"runboard/app"
	"runboard/db"
)

// happens is what runs of a kind do in a step of a past that is made up.
type happens struct {
	kind                     string
	created, started, failed int
	wait, work               time.Duration
}

// past plays a past in a store whose clock it sets.
type past struct {
	t     *testing.T
	store *db.Store
	now   time.Time
}

// live has it happen at a time that what it creates is started and ends.
func (p *past) live(at time.Time, h happens) {
	p.t.Helper()
	ok := func(err error) {
		p.t.Helper()
		if err != nil {
			p.t.Fatal(err)
		}
	}
	p.now = at
	if h.created == 0 {
		return
	}
	batch, err := p.store.Create(p.t.Context(), app.NewRuns{Kind: h.kind, Count: h.created})
	ok(err)
	for i, run := range batch.Runs()[:min(h.created, h.started)] {
		uneven := time.Duration(float64(h.wait) * (0.4 + 0.1*float64(i%10)))
		p.now = at.Add(uneven)
		run, err = p.store.Start(p.t.Context(), run)
		ok(err)
		p.now = p.now.Add(time.Duration(float64(h.work) * (0.7 + 0.05*float64(i%7))))
		outcome := app.Outcome{Status: app.Completed}
		if i < h.failed {
			outcome = app.Outcome{Status: app.Failed, Error: "the disk is full"}
		}
		ok(p.store.Finish(p.t.Context(), run, outcome))
	}
}

// wave goes up and down around 1.
func wave(i int, length float64) float64 { return 1 + 0.6*math.Sin(float64(i)/length) }

// busyDay makes a database of a board that had much to do for a day.
func busyDay(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "test.db")
	p := &past{t: t}
	store, err := db.Open(t.Context(), db.Options{Path: path, Synchronous: "normal", Now: func() time.Time { return p.now }})
	if err != nil {
		t.Fatal(err)
	}
	p.store = store
	end := time.Now()
	for i := range int(app.DaySpan/app.DayStep) - 2 {
		n := int(12 * wave(i, 20) * wave(i, 5))
		p.live(end.Add(-app.DaySpan+time.Duration(i+1)*app.DayStep), happens{"backup", n, n, n / 9, 20 * time.Second, 9 * time.Second})
		p.live(end.Add(-app.DaySpan+time.Duration(i+1)*app.DayStep), happens{"report", n / 3, n / 3, 0, 8 * time.Second, 70 * time.Second})
	}
	steps := int(app.RecentSpan / app.RecentStep)
	for i := range steps {
		n := int(11 * wave(i, 12) * wave(i+9, 4))
		waits := 0
		if i > steps-8 {
			waits = 2
		}
		at := end.Add(-app.RecentSpan + time.Duration(i)*app.RecentStep)
		p.live(at, happens{"backup", n, n - waits, n / 8, 7 * time.Second, 5 * time.Second})
		p.live(at, happens{"report", n / 4, n / 4, 0, 3 * time.Second, 20 * time.Second})
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheStatisticsLookLikeTheirPictures(t *testing.T) {
	t.Parallel()
	path := busyDay(t)
	backup, open := gate("backup")
	p := startProgram(t, func(c *app.Config) { c.DatabaseURL, c.Workers = "sqlite:"+path, 2 }, backup, workThat("report", ""))
	for _, one := range []picture{
		{"statistics.png", "/process_runs/statistics", "light", 1000, 1000},
		{"statistics-dark.png", "/process_runs/statistics", "dark", 1000, 1000},
		{"statistics-narrow.png", "/process_runs/statistics", "light", 360, 1000},
	} {
		t.Run(one.name, func(t *testing.T) { takePicture(t, p.url, one) })
	}
	open()
}

// Everything that is drawn is inside of its picture, and large enough to be read, on a telephone as well.
func TestPicturesAreReadableOnATelephone(t *testing.T) {
	t.Parallel()
	path := busyDay(t)
	p := startProgram(t, func(c *app.Config) { c.DatabaseURL = "sqlite:" + path }, workThat("backup", ""), workThat("report", ""))
	for _, width := range []int64{320, 360, 1000} {
		tab := openTab(t, p.url+"/process_runs/statistics", chromedp.EmulateViewport(width, 800))
		tab.untilLive()
		evaluate[bool](tab, `document.querySelectorAll("details").forEach((one) => one.open = true), true`)
		if wide := evaluate[int64](tab, "document.documentElement.scrollWidth"); wide > width {
			t.Errorf("it is %d pixels wide where there are %d", wide, width)
		}
		if small := evaluate[[]string](tab, `[...document.querySelectorAll("main :is(p, span, li, td, th, caption, summary, small)")].
			filter((one) => one.innerText && parseFloat(getComputedStyle(one).fontSize) < 12).map((one) => one.outerHTML)`); len(small) > 0 {
			t.Errorf("at a width of %d these are too small: %v", width, small)
		}
		if out := evaluate[[]string](tab, `[...document.querySelectorAll(".plot svg")].flatMap((svg) => {
			const box = svg.getBoundingClientRect();
			return [...svg.querySelectorAll("polyline")].filter((line) => {
				const is = line.getBoundingClientRect();
				return is.left < box.left - 1 || is.right > box.right + 1 || is.top < box.top - 1 || is.bottom > box.bottom + 1 || is.width < box.width / 2;
			}).map((line) => line.outerHTML);
		})`); len(out) > 0 {
			t.Errorf("at a width of %d these lines are not where they should be: %v", width, out)
		}
		if looks := evaluate[[]string](tab, `[...document.querySelector(".plot").querySelectorAll("polyline")].map((line) => {
			const style = getComputedStyle(line);
			return style.strokeDasharray + " " + style.strokeWidth;
		})`); different(looks) != 4 {
			t.Errorf("without their colours the lines are %v", looks)
		}
	}
}

func different(words []string) int {
	all := map[string]bool{}
	for _, word := range words {
		all[word] = true
	}
	return len(all)
}

func TestWhatOneHasOpenedStaysOpenWhileThePicturesGoOn(t *testing.T) {
	t.Parallel()
	p := startProgram(t, nil)
	e := newExpect(t, p)
	tab := openTab(t, p.url+"/process_runs/statistics")
	tab.untilLive()
	if hidden := evaluate[bool](tab, `[...document.querySelectorAll("details")].every((one) => !one.checkVisibility())`); !hidden {
		t.Error("there is a table of nothing")
	}
	startRuns(e, 3)
	tab.until("there is a picture", `document.querySelectorAll(".plot svg polyline").length === 8`)
	tab.do(chromedp.Focus(chromedp.CSS("details summary")))
	tab.press(kb.Enter)
	tab.until("the table is open", `document.querySelector("details").open`)
	evaluate[bool](tab, `window.opened = document.querySelector("details"), true`)
	inTable := func(n int) string {
		return fmt.Sprintf(`[...document.querySelectorAll("#recent_table td:nth-child(2)")].reduce((sum, one) => sum + Number(one.innerText), 0) === %d`, n)
	}
	tab.until("it is in the table", inTable(3))
	startRuns(e, 4)
	tab.until("the rest is in the table", inTable(7))
	tab.until("the rest is in the words", `document.getElementById("recent_chart_desc").textContent.startsWith("7 created, 7 started, 7 completed, 0 failed.")`)
	if !evaluate[bool](tab, `window.opened.isConnected && window.opened.open && document.activeElement === window.opened.querySelector("summary") && window.notReloaded`) {
		t.Error("what was opened, or the focus, is lost")
	}
}

func TestThePicturesGoOnWhenNothingHappens(t *testing.T) {
	t.Parallel()
	path := busyDay(t)
	p := startProgram(t, func(c *app.Config) { c.DatabaseURL = "sqlite:" + path }, workThat("nothing", ""))
	tab := openTab(t, p.url+"/process_runs/statistics")
	tab.untilLive()
	evaluate[string](tab, `window.before = document.querySelector("#recent_chart .created[points]").getAttribute("points")`)
	tab.until("it has moved", `document.querySelector("#recent_chart .created[points]").getAttribute("points") !== window.before`)
}
