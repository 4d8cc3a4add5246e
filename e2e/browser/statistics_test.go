package browser

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"runboard/app"
	"runboard/board"
	"runboard/db/sqlite"
	"runboard/e2e/harness"
)

// clock is a settable clock. It is safe for concurrent use, because the store reads it at any time.
type clock struct{ unixMicro atomic.Int64 }

func (c *clock) now() time.Time { return time.UnixMicro(c.unixMicro.Load()) }

func (c *clock) set(now time.Time) { c.unixMicro.Store(now.UnixMicro()) }

// past fills a store with history by setting its clock.
type past struct {
	t       *testing.T
	store   *sqlite.Store
	clock   clock
	waiting map[string][]app.ProcessRun // by kind, oldest first
}

func (p *past) create(kind string, n int) {
	p.t.Helper()
	if n == 0 {
		return
	}
	batch, err := p.store.Create(p.t.Context(), app.CreateRequest{Kind: kind, Count: n})
	if err != nil {
		p.t.Fatal(err)
	}
	p.waiting[kind] = append(p.waiting[kind], batch.Runs()...)
}

// work starts up to n waiting runs of a kind and finishes them after about the given time. Every eighth run
// fails.
func (p *past) work(kind string, n int, about time.Duration) {
	p.t.Helper()
	runs := p.waiting[kind][:min(n, len(p.waiting[kind]))]
	p.waiting[kind] = p.waiting[kind][len(runs):]
	began := p.clock.now()
	p.each(runs, func(run *app.ProcessRun) (err error) {
		*run, err = p.store.Start(p.t.Context(), *run)
		return err
	})
	for part, i := len(runs)/3+1, 0; i < len(runs); i += part {
		p.clock.set(p.clock.now().Add(about / 3))
		p.each(runs[i:min(i+part, len(runs))], func(run *app.ProcessRun) error {
			if run.ID%8 == 0 {
				return p.store.Finish(p.t.Context(), *run,
					app.Outcome{Status: app.Failed, Error: "the disk is full"})
			}
			return p.store.Finish(p.t.Context(), *run, app.Outcome{Status: app.Completed})
		})
	}
	p.clock.set(began)
}

// each applies do to all runs concurrently.
func (p *past) each(runs []app.ProcessRun, do func(*app.ProcessRun) error) {
	p.t.Helper()
	var group sync.WaitGroup
	for i := range runs {
		group.Go(func() {
			if err := do(&runs[i]); err != nil {
				p.t.Error(err)
			}
		})
	}
	group.Wait()
}

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
	p := &past{t: t, waiting: map[string][]app.ProcessRun{}}
	store, err := sqlite.Open(t.Context(),
		sqlite.Options{Path: path, Synchronous: "normal", Now: p.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	p.store = store
	end := time.Now()
	for i := range int((app.DaySpan - app.RecentSpan) / app.DayStep) {
		n := int(60 * wave(i, 20) * wave(i, 5))
		p.clock.set(end.Add(-app.DaySpan + time.Duration(i+1)*app.DayStep))
		p.create("backup", n)
		p.create("report", n/4)
		p.clock.set(p.clock.now().Add(20 * time.Second))
		p.work("backup", n, 9*time.Second)
		p.work("report", n/4, 70*time.Second)
	}
	for i := range int(app.RecentSpan / app.RecentStep) {
		n := int(2.5 * wave(i, 12) * wave(i+9, 4))
		p.clock.set(end.Add(-app.RecentSpan + time.Duration(i)*app.RecentStep))
		p.create("backup", n)
		p.create("report", n/2)
		if i > 30 && i < 50 {
			p.create("backup", 12)
		}
		p.clock.set(p.clock.now().Add(2 * time.Second))
		p.work("backup", 4, 5*time.Second) // its maximum rate
		p.work("report", n/2, 7*time.Second)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestStatistics_LookLikeTheirPictures(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	path := busyDay(t)
	backup, open := harness.Gate("backup")
	p := harness.StartProgram(t, func(c *board.Config) { c.DatabaseURL, c.Workers = "sqlite:"+path, 2 },
		backup, harness.WorkThat("report", ""))
	for _, one := range []picture{
		{"statistics.png", "/process_runs/statistics", "light", 1000, 1000},
		{"statistics-dark.png", "/process_runs/statistics", "dark", 1000, 1000},
		{"statistics-narrow.png", "/process_runs/statistics", "light", 360, 1000},
	} {
		t.Run(one.name, func(t *testing.T) { takePicture(t, p.URL, one) })
	}
	open()
}

// All parts of a chart are inside its picture and large enough to read, also on a phone.
func TestCharts_AreReadableOnAPhone(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	path := busyDay(t)
	p := harness.StartProgram(t, func(c *board.Config) { c.DatabaseURL = "sqlite:" + path },
		harness.WorkThat("backup", ""), harness.WorkThat("report", ""))
	for _, width := range []int64{320, 360, 1000} {
		tab := openTab(t, p.URL+"/process_runs/statistics", chromedp.EmulateViewport(width, 800))
		tab.untilLive()
		evaluate[bool](tab, `document.querySelectorAll("details").forEach((one) => one.open = true), true`)
		if wide := evaluate[int64](tab, "document.documentElement.scrollWidth"); wide > width {
			t.Errorf("the page is %d pixels wide in a window of %d", wide, width)
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
			return style.strokeDasharray + " " + Math.round(parseFloat(style.strokeWidth) / 2); // a bit broader is not seen
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

func TestStatistics_OpenTablesStayOpen(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	e := harness.NewExpect(t, p)
	tab := openTab(t, p.URL+"/process_runs/statistics")
	tab.untilLive()
	if hidden := evaluate[bool](tab,
		`[...document.querySelectorAll("details")].every((one) => !one.checkVisibility())`); !hidden {
		t.Error("an empty chart has a table")
	}
	harness.StartRuns(e, 3)
	tab.until("there is a picture", `document.querySelectorAll(".plot svg polyline").length === 8`)
	tab.do(chromedp.Focus(chromedp.CSS("details summary")))
	tab.press(kb.Enter)
	tab.until("the table is open", `document.querySelector("details").open`)
	evaluate[bool](tab, `window.opened = document.querySelector("details"), true`)
	inTable := func(n int) string {
		return fmt.Sprintf(`[...document.querySelectorAll("#recent_table td:nth-child(2)")].reduce((sum, one) => sum + Number(one.innerText), 0) === %d`, n)
	}
	tab.until("it is in the table", inTable(3))
	harness.StartRuns(e, 4)
	tab.until("the rest is in the table", inTable(7))
	tab.until("the rest is in the words",
		`document.getElementById("recent_chart_desc").textContent.startsWith("7 created, 7 started, 7 completed, 0 failed.")`)
	if !evaluate[bool](tab,
		`window.opened.isConnected && window.opened.open && document.activeElement === window.opened.querySelector("summary") && window.notReloaded`) {
		t.Error("what was opened, or the focus, is lost")
	}
}

func TestStatistics_MoveOnWhenIdle(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	path := busyDay(t)
	p := harness.StartProgram(t, func(c *board.Config) { c.DatabaseURL = "sqlite:" + path },
		harness.WorkThat("nothing", ""))
	tab := openTab(t, p.URL+"/process_runs/statistics")
	tab.untilLive()
	evaluate[string](tab,
		`window.before = document.querySelector("#recent_chart .created[points]").getAttribute("points")`)
	tab.until("it has moved",
		`document.querySelector("#recent_chart .created[points]").getAttribute("points") !== window.before`)
}
