package browser

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"runboard/app"
	"runboard/board"
	"runboard/e2e/harness"
)

// wave oscillates around 1.
func wave(i int, length float64) float64 { return 1 + 0.6*math.Sin(float64(i)/length) }

// busyDayContent is the content of the database of busyDay. Creating it takes seconds.
var busyDayContent struct {
	sync.Mutex
	file []byte
}

// busyDay creates the database of a board that was busy for a day and then overloaded, and returns its path.
func busyDay(t *testing.T) (path string) {
	t.Helper()
	busyDayContent.Lock()
	defer busyDayContent.Unlock()
	path = filepath.Join(t.TempDir(), "test.db")
	if busyDayContent.file == nil {
		createBusyDay(t, path)
		busyDayContent.file = []byte(harness.ReadFile(t, path))
	} else if err := os.WriteFile(path, busyDayContent.file, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func createBusyDay(t *testing.T, path string) {
	t.Helper()
	p := openPast(t, path)
	defer p.close()
	end := time.Now()
	for i := range int((app.Last24Hours.Length() - app.Last15Minutes.Length()) / app.Last24Hours.Step()) {
		n := int(60 * wave(i, 20) * wave(i, 5))
		p.clock.set(end.Add(-app.Last24Hours.Length() + time.Duration(i+1)*app.Last24Hours.Step()))
		p.create("backup", n)
		p.create("report", n/4)
		p.clock.set(p.clock.now().Add(20 * time.Second))
		p.work("backup", n, 9*time.Second)
		p.work("report", n/4, 70*time.Second)
	}
	for i := range int(app.Last15Minutes.Length() / app.Last15Minutes.Step()) {
		n := int(2.5 * wave(i, 12) * wave(i+9, 4))
		p.clock.set(end.Add(-app.Last15Minutes.Length() + time.Duration(i)*app.Last15Minutes.Step()))
		p.create("backup", n)
		p.create("report", n/2)
		if i > 30 && i < 50 {
			p.create("backup", 12)
		}
		p.clock.set(p.clock.now().Add(2 * time.Second))
		p.work("backup", 4, 5*time.Second) // its maximum rate
		p.work("report", n/2, 7*time.Second)
	}
}

func TestStatistics_LookLikeTheirPictures(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	path := busyDay(t)
	backup, open := harness.Gate("backup")
	p := harness.StartProgram(t, func(c *board.Config) { c.DatabaseURL, c.Workers = "sqlite:"+path, 2 },
		backup, harness.WorkThat("report", ""))
	takePictures(t, p.URL, "statistics", "/process_runs/statistics", 760)
	open()
}

// partsOutside evaluates to the parts of a chart that are drawn outside of its picture.
const partsOutside = `[...document.querySelectorAll(".plot > svg")].flatMap((svg) => {
	const box = svg.getBoundingClientRect();
	return [...svg.querySelectorAll(".bar > rect, path.waiting")].filter((part) => {
		const is = part.getBoundingClientRect();
		return is.left < box.left - 1 || is.right > box.right + 1 || is.top < box.top - 3 ||
		is.bottom > box.bottom + 1;
	}).map((part) => part.outerHTML);
})`

// All parts of a chart are inside its picture and large enough to read, also on a phone.
func TestCharts_AreReadableOnAPhone(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	path := busyDay(t)
	p := harness.StartProgram(t, func(c *board.Config) { c.DatabaseURL = "sqlite:" + path },
		harness.WorkThat("backup", ""), harness.WorkThat("report", ""))
	for _, width := range []int64{320, 360, 1000, 1920} {
		for _, period := range []string{"15m", "24h", "7d", "30d"} {
			tab := openTab(t, p.URL+"/process_runs/statistics?period="+period,
				chromedp.EmulateViewport(width, 800))
			tab.untilLive()
			evaluate[bool](tab,
				`document.querySelectorAll("details").forEach((one) => one.open = true), true`)
			if wide := evaluate[int64](tab, "document.documentElement.scrollWidth"); wide > width {
				t.Errorf("the page of %s is %d pixels wide in a window of %d", period, wide, width)
			}
			if small := evaluate[[]string](tab, `[...document.querySelectorAll("main :is(p, span, li, td, th, caption, summary, small)")].
				filter((one) => one.innerText && parseFloat(getComputedStyle(one).fontSize) < 12).
				map((one) => one.outerHTML)`); len(small) > 0 {
				t.Errorf("at a width of %d these are too small: %v", width, small)
			}
			if out := evaluate[[]string](tab, partsOutside); len(out) > 0 {
				t.Errorf("at a width of %d these are not where they should be: %v", width, out)
			}
			if thin := evaluate[float64](tab,
				`Math.min(...[...document.querySelectorAll(".bar .target")].
					map((one) => one.getBoundingClientRect().width))`); thin < 2.5 {
				t.Errorf("at a width of %d, a bar of %s is %v pixels wide", width, period, thin)
			}
		}
	}
}

// Every bar says its values when the pointer is over it, without any script.
func TestChart_BarsSayTheirValues(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	path := busyDay(t)
	p := harness.StartProgram(t, func(c *board.Config) { c.DatabaseURL = "sqlite:" + path },
		harness.WorkThat("nothing", ""))
	tab := newTab(t)
	call(tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	tab.do(chromedp.EmulateViewport(1000, 900), chromedp.Navigate(p.URL+"/process_runs/statistics"))
	titles := evaluate[[]string](tab, `[...document.querySelectorAll(".plot > svg > .bar")].map((bar) => {
		const box = bar.querySelector(".target").getBoundingClientRect();
		const over = document.elementFromPoint(box.left + box.width / 2, box.bottom - 3);
		return over.closest(".bar") === bar ? bar.querySelector("title").textContent : "hidden";
	})`)
	values := regexp.MustCompile(`^\d+ \w+, \d\d:\d\d–\d\d:\d\d UTC: ([\d,]+ failed, )?[\d,]+ completed` +
		`(, at most [\d,]+ waiting)?$|: none finished`)
	for _, title := range titles {
		if !values.MatchString(title) {
			t.Errorf("a bar says %q", title)
		}
	}
	if len(titles) < 49 || len(titles) > 50 { // the first one may be of less than half an hour
		t.Errorf("%d bars", len(titles))
	}
	rows := evaluate[int](tab, `document.querySelectorAll("#statistics_table tr").length`)
	if shown := evaluate[bool](tab,
		`document.querySelector("#statistics_table").checkVisibility()`); rows != len(titles) || shown {
		t.Errorf("the table has %d rows, and is open: %t", rows, shown)
	}
}

// Without colours, patterns tell statuses apart, and in forced colours everything is still drawn.
func TestChart_IsReadableInForcedColours(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	path := busyDay(t)
	p := harness.StartProgram(t, func(c *board.Config) { c.DatabaseURL = "sqlite:" + path },
		harness.WorkThat("nothing", ""))
	tab := newTab(t)
	call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}},
	})
	tab.do(chromedp.Navigate(p.URL + "/process_runs/statistics"))
	colours := evaluate[[]string](tab, `[...document.querySelectorAll("pattern > :first-child")].
		map((one) => getComputedStyle(one).fill).
		concat(getComputedStyle(document.querySelector(".plot path.waiting")).stroke)`)
	if different(colours) != 4 {
		t.Errorf("in forced colours the statuses and the line are %q", colours)
	}
}

func different(words []string) int {
	all := map[string]bool{}
	for _, word := range words {
		all[word] = true
	}
	return len(all)
}

func TestStatistics_OpenTableStaysOpen(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	e := harness.NewExpect(t, p)
	tab := openTab(t, p.URL+"/process_runs/statistics?period=15m")
	tab.untilLive()
	if hidden := evaluate[bool](tab,
		`[...document.querySelectorAll("details")].every((one) => !one.checkVisibility())`); !hidden {
		t.Error("an empty chart has a table")
	}
	harness.StartRuns(e, 3)
	tab.until("there is a picture", `document.querySelectorAll(".plot svg .bar").length > 30`)
	tab.do(chromedp.Focus(chromedp.CSS("details summary")))
	tab.press(kb.Enter)
	tab.until("the table is open", `document.querySelector("details").open`)
	evaluate[bool](tab, `window.opened = document.querySelector("details"), true`)
	evaluate[bool](tab, `window.picture = document.querySelector(".plot > svg"), true`)
	inTable := func(n int) string {
		return fmt.Sprintf(`[...document.querySelectorAll("#statistics_table td:nth-child(2)")].reduce((sum, one) => sum + Number(one.innerText), 0) === %d`, n)
	}
	tab.until("it is in the table", inTable(3))
	harness.StartRuns(e, 4)
	tab.until("the rest is in the table", inTable(7))
	tab.until("the rest is in the words",
		`document.getElementById("statistics_chart_desc").textContent.startsWith("7 completed, 0 failed, 0 cancelled.")`)
	tab.until("the rest is in the table of kinds",
		`document.querySelector("#statistics_kinds td").innerText === "7"`)
	if !evaluate[bool](tab,
		`window.opened.isConnected && window.opened.open &&
			document.activeElement === window.opened.querySelector("summary") && window.notReloaded`) {
		t.Error("what was opened, or the focus, is lost")
	}
	if !evaluate[bool](tab, `window.picture.isConnected`) {
		t.Error("the picture was replaced, and not changed")
	}
}

func TestStatistics_PeriodsAreLinks(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	e := harness.NewExpect(t, p)
	tab := openTab(t, p.URL+"/process_runs/statistics")
	tab.untilLive()
	tab.do(chromedp.Click(chromedp.CSS(`nav[aria-label="Period"] a[href$="period=7d"]`)))
	tab.until("the page of the week is open", `location.search === "?period=7d" &&
		document.querySelector('nav[aria-label="Period"] [aria-current=page]').innerText === "7 days"`)
	tab.untilLive()
	harness.StartRuns(e, 2)
	tab.until("the runs are in the chart of the week",
		`document.getElementById("statistics_chart_desc")?.textContent.startsWith("2 completed")`)
	tab.until("and so is the time since when it is known",
		`document.getElementById("statistics_chart_title").textContent === "Runs that finished every 3 h in the last 7 days"`)
	tab.do(chromedp.Click(chromedp.CSS(`#statistics_kinds a`)))
	tab.until("the runs of the kind are listed",
		`location.search.includes("since=168h") &&
			document.querySelectorAll("#process_runs tr").length === 2`)
}

func TestStatistics_TilesAreLive(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	gate, open := harness.Gate("gate")
	defer open()
	p := harness.StartProgram(t, func(c *board.Config) { c.Workers = 2 }, gate)
	e := harness.NewExpect(t, p)
	tab := openTab(t, p.URL+"/process_runs/statistics")
	tab.untilLive()
	tile := func(i int, want string) {
		t.Helper()
		tab.until("tile says "+want, fmt.Sprintf(
			`document.querySelectorAll("#statistics_tiles > li")[%d].innerText.replace(/\s+/g, " ").
				includes(%q)`, i, want))
	}
	tile(0, "0 waiting Queue empty.")
	tile(1, "0 of 2 workers busy")
	tile(2, "– failure rate")
	harness.StartRuns(e, 5)
	tile(0, "3 waiting, too early to tell how long")
	tile(1, "2 of 2 workers busy")
	tile(3, " p95 wait median ")
	open()
	tile(0, "0 waiting Queue empty.")
	tile(1, "0 of 2 workers busy")
	tile(2, "0% failed")
}

func TestStatistics_MoveOnWhenIdle(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	path := busyDay(t)
	p := harness.StartProgram(t, func(c *board.Config) { c.DatabaseURL = "sqlite:" + path },
		harness.WorkThat("nothing", ""))
	tab := openTab(t, p.URL+"/process_runs/statistics?period=15m")
	tab.untilLive()
	evaluate[string](tab, `window.before = document.querySelector(".plot .bar title").textContent`)
	tab.until("it has moved", `document.querySelector(".plot .bar title").textContent !== window.before`)
}

func TestStatistics_AreAccessible(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	path := busyDay(t)
	p := harness.StartProgram(t, func(c *board.Config) { c.DatabaseURL = "sqlite:" + path },
		harness.WorkThat("nothing", ""))
	for _, period := range []string{"15m", "24h", "30d"} {
		for _, scheme := range []string{"light", "dark"} {
			t.Run(period+" "+scheme, func(t *testing.T) {
				tab := newTab(t)
				call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
					Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
				})
				tab.do(chromedp.Navigate(p.URL + "/process_runs/statistics?period=" + period))
				tab.untilLive()
				for _, width := range []int64{1000, 320} {
					tab.do(chromedp.EmulateViewport(width, 800))
					evaluate[bool](tab, `document.querySelector("details").open = true`)
					for _, complaint := range tab.complaints() {
						t.Errorf("at a width of %d: %s", width, complaint)
					}
				}
			})
		}
	}
}
