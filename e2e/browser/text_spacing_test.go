package browser

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"runboard/board"
	"runboard/e2e/harness"
)

// spaceText gives a page the text spacing of WCAG 1.4.12, which users may set.
const spaceText = `(() => {
	const sheet = new CSSStyleSheet();
	sheet.replaceSync("* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important } p { margin-block-end: 2em !important }");
	document.adoptedStyleSheets.push(sheet);
	return true;
})()`

// tooWide evaluates to the elements that end outside of the window.
const tooWide = `[...document.querySelectorAll("main *")].filter((one) =>
	one.checkVisibility() && one.getBoundingClientRect().right > innerWidth + 0.5).
	map((one) => one.outerHTML.slice(0, 120))`

func TestPages_FitWithTextSpacing(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	path := busyDay(t)
	p := harness.StartProgram(t, func(c *board.Config) { c.DatabaseURL = "sqlite:" + path },
		harness.WorkThat("backup", ""), harness.WorkThat("report", "the disk is full"))
	harness.StartRunsOf(harness.NewExpect(t, p), "report", 2)
	for _, page := range []string{"/process_runs", "/process_runs?q=disk&status=failed",
		"/process_runs/1", "/kinds",
		"/kinds/report", "/process_runs/failures", "/process_runs/statistics",
		"/process_runs/statistics?period=15m",
		"/process_runs/statistics?period=30d", "/process_runs/timeline"} {
		fitsWithTextSpacing(t, p.URL+page)
	}
}

// Durations in two units are the longest texts in the columns of numbers.
func TestStatistics_LongDurationsFitWithTextSpacing(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	past := openPast(t, path)
	past.clock.set(time.Now().Add(-23 * time.Hour))
	past.create("backup", 9)
	past.clock.set(past.clock.now().Add(11*time.Hour + 58*time.Minute))
	past.work("backup", 9, 10*time.Hour+57*time.Minute)
	past.close()
	p := harness.StartProgram(t, func(c *board.Config) { c.DatabaseURL = "sqlite:" + path },
		harness.WorkThat("backup", ""))
	fitsWithTextSpacing(t, p.URL+"/process_runs/statistics")
}

// fitsWithTextSpacing checks that a page on a phone does not scroll sideways.
func fitsWithTextSpacing(t *testing.T, url string) {
	t.Helper()
	const width = 360
	tab := openTab(t, url, chromedp.EmulateViewport(width, 800))
	tab.untilLive()
	evaluate[bool](tab, spaceText)
	evaluate[bool](tab, `document.querySelectorAll("main details").forEach((one) => one.open = true), true`)
	if wide := evaluate[int](tab, "document.documentElement.scrollWidth"); wide > width {
		t.Errorf("%s is %d pixels wide in a window of %d: %q", url, wide, width,
			evaluate[[]string](tab, tooWide))
	}
}
