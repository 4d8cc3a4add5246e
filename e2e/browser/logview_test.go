package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"runboard/board"
	"runboard/e2e/harness"
	"runboard/jobs"
)

// finishedLog returns the address of a run with these many lines in its log.
func finishedLog(t *testing.T, lines int) string {
	t.Helper()
	work := harness.NewSteps("job")
	p := harness.StartProgram(t, func(c *board.Config) { c.LogLimit = 64 << 20 }, work.Kind)
	e := harness.NewExpect(t, p)
	path := harness.StartRun(e, "job")
	work.Write(lines)
	close(work.Asked)
	harness.UntilStatus(t, e, path, "completed")
	return p.URL + path
}

// clickLine clicks the number of a line, with these keys held: 8 is Shift.
func (p *tab) clickLine(line int, modifiers int64) {
	p.t.Helper()
	evaluate[bool](p, fmt.Sprintf(`document.getElementById("L%d").scrollIntoView({block: "nearest"}), true`,
		line))
	x, y := p.middle(fmt.Sprintf("#L%d > a", line))
	for _, kind := range []input.DispatchMouseEventType{input.DispatchMouseEventTypeMousePressed,
		input.DispatchMouseEventTypeMouseReleased} {
		call(p, input.DispatchMouseEvent, input.DispatchMouseEventParams{
			Type: kind, X: x, Y: y, Button: input.MouseButtonLeft, ClickCount: 1, Modifiers: modifiers,
		})
	}
}

// marked evaluates to the numbers of the marked lines.
const marked = `[...document.querySelectorAll("#log [data-marked] > a")].map((a) => a.dataset.line).join()`

// inSight evaluates to whether a line is visible within the log.
func inSight(line int) string {
	return fmt.Sprintf(`((line, log) => line !== null && line.getBoundingClientRect().top >= log.getBoundingClientRect().top &&
		line.getBoundingClientRect().bottom <= log.getBoundingClientRect().bottom)(document.getElementById("L%d"), document.getElementById("log"))`, line)
}

func TestLogLines_AreLinked(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	url := finishedLog(t, 5000)
	tab := openTab(t, url)
	tab.untilLive()
	tab.until("the end is visible", atEnd)
	tab.clickLine(4990, 0)
	tab.until("the line is marked", marked+` === "4990"`)
	tab.clickLine(4993, 8)
	tab.until("the range is marked", marked+` === "4990,4991,4992,4993"`)
	tab.until("the address names it", `location.search + location.hash === "?line=4990-4993#L4990-L4993"`)
	tab.clickLine(4989, 8)
	tab.until("the range goes the other way", marked+` === "4989,4990"`)
	tab.do(chromedp.Reload())
	tab.until("a reload marks it again", marked+` === "4989,4990" && `+inSight(4989))

	for _, address := range []string{"?line=1200-1202#L1200-L1202", "#L1200-L1202", "#L1200-1202",
		"?line=1200-1202"} {
		other := openTab(t, url+address)
		other.until(address+" is shown", marked+` === "1200,1201,1202" && `+inSight(1200))
		other.untilLive()
		other.until("it is still shown", marked+` === "1200,1201,1202" && `+inSight(1200)+
			` && !document.getElementById("log_follow").hidden`)
		if address != "#L1200-L1202" {
			continue
		}
		evaluate[bool](other, `location.hash = "#L7", true`)
		other.until("another hash is shown", marked+` === "7" && `+inSight(7))
		evaluate[bool](other, `history.back(), true`)
		other.until("Back leads back", marked+` === "1200,1201,1202" && `+inSight(1200))
	}
}

// Only the window of the log changes while the reader goes through it.
func TestLog_HundredThousandLinesScroll(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	url := finishedLog(t, 100_000)
	tab := openTab(t, url+"?line=50000#L50000")
	tab.untilLive()
	tab.until("the line is visible", inSight(50_000))
	const contiguous = `((numbers) => numbers.length > 50 && numbers.length <= 4000 &&
		numbers.every((n, i) => n === numbers[0] + i))(
		[...document.querySelectorAll("#log a[data-line]")].map((a) => Number(a.dataset.line)))`
	visible := `Number([...document.querySelectorAll("#log a[data-line]")].
		find((a) => a.getBoundingClientRect().bottom > document.getElementById("log").
		getBoundingClientRect().top)?.dataset.line)`
	for _, step := range []struct {
		scroll string
		until  string
	}{{"scrollHeight", "> 54000"}, {"0", "< 47000"}} {
		tab.until("the reader comes to lines "+step.until, fmt.Sprintf(
			`(document.getElementById("log").scrollTop = document.getElementById("log").%s) !== undefined && %s && %s %s`,
			map[string]string{"0": "clientTop", "scrollHeight": "scrollHeight"}[step.scroll], contiguous,
			visible, step.until))
	}
	if links := evaluate[int](tab,
		`[...document.querySelectorAll("#log :is(.earlier, .later)")].
			filter((link) => link.checkVisibility()).length`); links > 2 {
		t.Errorf("%d links to other lines are visible", links)
	}
	evaluate[bool](tab, `document.getElementById("log").focus(), true`)
	tab.press(kb.Home)
	tab.until("Home leads to the first line", inSight(1)+" && "+contiguous)
	tab.press(kb.End)
	tab.until("End leads to the last line", inSight(100_000)+" && "+contiguous)
	tab.until("the log is followed", `document.getElementById("log_follow").hidden`)
}

func TestLog_CountsNewLines(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	work, tab := atTheEnd(t)
	const button = `document.getElementById("log_follow")`
	evaluate[bool](tab, `document.getElementById("log").scrollTop = 100, true`)
	tab.until("the button leads to the end", button+`.textContent === "↓ Follow" && !`+button+`.hidden`)
	work.Write(1)
	tab.until("it says what is new", button+`.textContent === "↓ 1 new line"`)
	work.Write(11)
	tab.until("it counts", button+`.textContent === "↓ 12 new lines"`)
	work.Write(5000) // more than the page keeps
	tab.until("it goes on counting", button+`.textContent === "↓ 5,012 new lines"`)
	if n := evaluate[int](tab, linesShown+".length"); n > 2500 {
		t.Errorf("the page keeps %d lines", n)
	}
	tab.click("#log_follow")
	tab.untilLast(5052)
	tab.until("the end is visible", atEnd+` && `+button+`.hidden`)
	work.Write(1)
	tab.untilLast(5053)
	close(work.Asked)
}

// A browser loads the colors of terminals when the log has the first one.
func TestLog_LoadsColorsWithTheFirstOne(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	opened := make(chan struct{})
	p := harness.StartProgram(t, nil,
		jobs.Kind{Name: "job", Work: func(_ context.Context, run *jobs.Run) error {
			run.Logf("plain")
			<-opened
			run.Logf("\x1b[31mred\x1b[0m")
			return nil
		}})
	tab := openTab(t, p.URL+harness.StartRun(harness.NewExpect(t, p), "job"))
	tab.until("the first line is there", linesShown+`.join() === "plain"`)
	const loaded = `performance.getEntriesByType("resource").some(({ name }) => name.includes("/ansi."))`
	tab.until("everything is loaded", `document.readyState === "complete"`)
	if evaluate[bool](tab, loaded) {
		t.Error("the colors are loaded without need")
	}
	close(opened)
	tab.until("the colors are loaded", loaded)
	tab.until("the line has its color", `getComputedStyle(document.querySelector("#log .fg-1")).color !==
		getComputedStyle(document.getElementById("L1")).color`)
}

func TestLog_ShowsColoursAndStreams(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.Commands(t,
		`job=sh -c 'printf "\033[1;31mred\033[0m \033[48;5;208morange\033[0m \033[3;4;9mall\033[0m\n"; sleep 0.3; echo bad >&2; sleep 0.3; printf "\033]8;;http://a\033\\\\link\033]8;;\033\\\\\n"'`)...)
	e := harness.NewExpect(t, p)
	path := harness.StartRun(e, "job")
	harness.UntilStatus(t, e, path, "completed")
	for scheme, red := range map[string]string{"light": "rgb(205, 30, 40)", "dark": ""} {
		tab := newTab(t)
		call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		tab.do(chromedp.Navigate(p.URL + path))
		tab.until("the lines are there", linesShown+`.join("|") === "red orange all|bad|link"`)
		style := func(selector, property string) string {
			return evaluate[string](tab,
				fmt.Sprintf(`getComputedStyle(document.querySelector(%q))[%q]`, selector, property))
		}
		if weight := style("#log .fg-1", "fontWeight"); weight != "700" {
			t.Errorf("red has the weight %s", weight)
		}
		text := style("#L2", "color")
		if colour := style("#log .fg-1", "color"); colour == text || red != "" && colour != red {
			t.Errorf("in the %s theme red is %s", scheme, colour)
		}
		if colour := style("#log .bg-208", "backgroundColor"); colour != "rgb(255, 135, 0)" {
			t.Errorf("orange is %s", colour)
		}
		if line := style("#log .underline", "textDecorationLine"); line != "underline line-through" {
			t.Errorf("the decoration is %s", line)
		}
		if bar := evaluate[string](tab,
			`getComputedStyle(document.getElementById("L2"),
				"::before").borderInlineStartWidth`); bar != "3px" || text != style("#L1", "color") {
			t.Errorf("stderr has a bar of %s and the colour %s", bar, text)
		}
	}
}

func TestLogTools_RememberWrapAndTimes(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	url := finishedLog(t, 30)
	tab := newTab(t)
	call(tab, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Tokyo"})
	tab.do(chromedp.Navigate(url))
	tab.until("lines are wrapped", `document.getElementById("log_wrap").
		getAttribute("aria-pressed") === "true" &&
		getComputedStyle(document.getElementById("L3")).whiteSpaceCollapse === "preserve"`)
	tab.click("#log_wrap")
	tab.until("they are not", `getComputedStyle(document.getElementById("L3")).textWrapMode === "nowrap"`)
	tab.until("times are hidden", `document.querySelector("#log time") === null`)
	tab.click("#log_times")
	const time = `document.querySelector("#L3 > time")`
	tab.until("times are shown in the zone of the reader", time+`.checkVisibility() &&
		/^\d\d:\d\d:\d\d\.\d\d\d$/.test(`+time+`.dataset.text) &&
		(Number(`+time+`.dataset.text.slice(0, 2)) -
			Number(`+time+`.dateTime.slice(11, 13)) + 24) % 24 === 9`)
	tab.until("the title has UTC", `/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC$/.test(`+time+`.title)`)
	tab.do(chromedp.Reload())
	tab.until("both are remembered",
		time+
			`?.checkVisibility() && getComputedStyle(document.getElementById("L3")).textWrapMode === "nowrap"`)
	if text := tab.copied("#log"); strings.TrimSpace(text) != strings.TrimSpace(linesUpTo(1, 30)) {
		t.Errorf("the copy is %q", text)
	}
	tab.click("#log_times")
	tab.until("times are hidden again", `!`+time+`.checkVisibility()`)
	tab.click("#log_wrap")
}

// linesUpTo returns lines as harness.Steps writes them.
func linesUpTo(first, last int) string {
	var lines strings.Builder
	for i := first; i <= last; i++ {
		fmt.Fprintf(&lines, "line %d\n", i)
	}
	return lines.String()
}

func TestLogTools_Copy(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	tab := openTab(t, finishedLog(t, 20))
	tab.untilLive()
	evaluate[bool](tab, `window.written = "", navigator.clipboard.writeText = async (text) => { window.written = text; }, true`)
	tab.click("#log_copy")
	tab.until("all lines are copied", fmt.Sprintf(`window.written === %q`, linesUpTo(1, 20)))
	tab.until("it is announced", `document.getElementById("log_news").textContent === "Copied 20 lines"`)
	tab.clickLine(3, 0)
	tab.until("a line is marked", marked+` === "3"`)
	tab.clickLine(5, 8)
	tab.until("lines are marked", marked+` === "3,4,5"`)
	tab.click("#log_copy")
	tab.until("the marked lines are copied", fmt.Sprintf(`window.written === %q`, linesUpTo(3, 5)))
	// Pages without encryption have no navigator.clipboard.
	evaluate[bool](tab, `Object.defineProperty(navigator, "clipboard", {value: undefined}), true`)
	evaluate[bool](tab, `document.addEventListener("copy", () => { window.written = getSelection().
		toString() || document.activeElement.value; }), true`)
	tab.click("#log_copy")
	tab.until("the marked lines are copied",
		fmt.Sprintf(`window.written.trim() === %q`, strings.TrimSpace(linesUpTo(3, 5))))
}

func TestLogTools_Download(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	tab := openTab(t, finishedLog(t, 20))
	tab.untilLive()
	dir := t.TempDir()
	call(tab, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: "allow", DownloadPath: dir,
		BrowserContextID: chromedp.FromContext(tab.ctx).BrowserContextID,
	})
	tab.click(`.logtools a[download]`)
	harness.Eventually(t, "the log is downloaded", func() error {
		content, err := os.ReadFile(filepath.Join(dir, "run-1.log"))
		if err == nil && string(content) != linesUpTo(1, 20) {
			err = fmt.Errorf("the file is %q", content)
		}
		return err
	})
}

func TestLog_SaysThatThereIsNoOutput(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	p := harness.StartProgram(t, nil, kind)
	tab := openTab(t, p.URL+harness.StartRun(harness.NewExpect(t, p), "gate"))
	tab.untilLive()
	const said = `getComputedStyle(document.getElementById("log"), "::before").content`
	tab.until("there may be output later", said+` === '"No output yet."'`)
	open()
	tab.until("there is none", said+` === '"No output."'`)
}

func TestLog_KeyboardReachesLines(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	tab := openTab(t, finishedLog(t, 30))
	tab.untilLive()
	evaluate[bool](tab, `document.getElementById("log").scrollTop = 0, document.getElementById("log").
		focus(), true`)
	tab.press(kb.Enter)
	tab.until("the first line has the focus", `document.activeElement.dataset.line === "1"`)
	tab.press(kb.ArrowDown)
	tab.press(kb.ArrowDown)
	tab.press(kb.ArrowUp)
	tab.until("the second line has it", `document.activeElement.dataset.line === "2"`)
	tab.press(kb.Enter)
	tab.until("Enter marks it", marked+` === "2" && location.hash === "#L2"`)
	tab.press(kb.Escape)
	tab.until("Escape leads back", `document.activeElement.id === "log"`)
}

func TestLog_IsAccessible(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.Commands(t,
		`job=sh -c 'for i in $(seq 0 15); do printf "\033[38;5;${i}mcolour $i\033[0m \033[48;5;${i}mon $i\033[0m \033[1;2;7mother\033[0m\n"; done; echo bad >&2; for i in $(seq 300); do echo line $i; done; exit 1'`)...)
	e := harness.NewExpect(t, p)
	path := harness.StartRun(e, "job")
	harness.UntilStatus(t, e, path, "failed")
	for _, scheme := range []string{"light", "dark"} {
		tab := newTab(t)
		call(tab, emulation.SetEmulatedMedia,
			emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
				{Name: "prefers-color-scheme", Value: scheme},
				{Name: "prefers-reduced-motion", Value: "reduce"},
			}})
		tab.do(chromedp.EmulateViewport(1200, 800), chromedp.Navigate(p.URL+path+"?line=2-4#L2-L4"))
		tab.until("lines are marked", marked+` === "2,3,4"`)
		tab.find("o")
		tab.until("hits are painted", painted+` > 20`)
		tab.click("#log_times")
		tab.until("times are shown", `document.querySelector("#log time")?.checkVisibility()`)
		for _, complaint := range tab.complaints() {
			t.Errorf("in the %s theme: %s", scheme, complaint)
		}
		tab.click("#log_times")
		tab.do(chromedp.EmulateViewport(320, 700))
		if wide := evaluate[int](tab, "document.documentElement.scrollWidth"); wide > 320 {
			t.Errorf("the page is %d pixels wide in a window of 320", wide)
		}
	}
}
