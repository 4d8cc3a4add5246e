package browser

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"runboard/app"
	"runboard/board"
	"runboard/e2e/harness"
	"runboard/jobs"
)

// partText evaluates to the text of a part of the page of a run.
func partText(run int64, part string) string {
	return fmt.Sprintf(`document.getElementById("process_run_%d_%s").innerText`, run, part)
}

const tabIcon = `decodeURIComponent(document.querySelector("link[rel=icon]").href)`

func TestRunPage_TitleAndIconFollow(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	reported, end := make(chan struct{}), make(chan struct{})
	p := harness.StartProgram(t, nil,
		jobs.Kind{Name: "copy", Work: func(ctx context.Context, run *jobs.Run) error {
			<-reported
			run.Progress(63, "copying")
			select {
			case <-end:
				return errors.New("disk full")
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}})
	harness.StartRuns(harness.NewExpect(t, p), 1)
	tab := openTab(t, p.URL+"/process_runs/1")
	tab.untilLive()
	tab.until("the title says that it runs", `document.title === "● #1 copy · Runboard"`)
	tab.until("the icon does",
		tabIcon+`.startsWith("data:image/svg+xml,") && `+tabIcon+`.includes("#2f7df6")`)
	tab.hide(true)
	close(reported)
	tab.until("the title has the progress", `document.title === "63% #1 copy · Runboard"`)
	tab.until("the icon shows it", tabIcon+`.includes("stroke-dasharray")`)
	close(end)
	tab.until("the title has the end", `document.title === "✕ #1 copy · Runboard"`)
	tab.until("the icon shows it", tabIcon+`.includes("#dc2f2f")`)
}

// toldScript records the notifications of a page.
const toldScript = `window.told = []; window.Notification = class extends Notification {
	constructor(title, options) { super(title, options); window.told.push(title + ": " + options.body); }
}`

// openToBeTold opens the page of a run whose origin may show notifications, or not.
func openToBeTold(t *testing.T, p *harness.Program, setting browser.PermissionSetting) *tab {
	t.Helper()
	tab := newTab(t)
	call(tab, browser.SetPermission, browser.SetPermissionParams{
		Permission: &browser.PermissionDescriptor{Name: "notifications"}, Setting: setting, Origin: p.URL,
	})
	call(tab, page.AddScriptToEvaluateOnNewDocument,
		page.AddScriptToEvaluateOnNewDocumentParams{Source: toldScript})
	tab.do(chromedp.Navigate(p.URL + "/process_runs/1"))
	tab.untilLive()
	return tab
}

const tellMe = `document.getElementById("tell_me")`

func TestRunPage_TellsWhenItIsDone(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	p := harness.StartProgram(t, nil, kind)
	harness.StartRuns(harness.NewExpect(t, p), 1)
	tab := openToBeTold(t, p, browser.PermissionSettingGranted)
	tab.until("the button is there", tellMe+".checkVisibility()")
	tab.click("#tell_me")
	tab.until("it is pressed", tellMe+`.getAttribute("aria-pressed") === "true"`)
	tab.click("#tell_me")
	tab.until("it can be taken back", tellMe+`.getAttribute("aria-pressed") === "false"`)
	tab.click("#tell_me")
	tab.until("it is pressed again", tellMe+`.getAttribute("aria-pressed") === "true"`)
	open()
	tab.until("the notification comes, once",
		`window.told.length === 1 && /^✓ #1 gate: took [0-9.]+ (ms|s)$/.test(window.told[0])`)
	tab.until("there is nothing more to tell", "!"+tellMe+".checkVisibility()")
}

func TestRunPage_DoesNotOfferWhatTheBrowserRefuses(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	defer open()
	p := harness.StartProgram(t, nil, kind)
	harness.StartRuns(harness.NewExpect(t, p), 1)
	tab := openToBeTold(t, p, browser.PermissionSettingDenied)
	tab.until("the run is started", shows("1", "started"))
	if evaluate[bool](tab, tellMe+".checkVisibility()") {
		t.Error("the page offers a notification that the browser refuses")
	}
}

func TestRunPage_PlaceInTheQueueFollows(t *testing.T) {
	t.Parallel()
	kind, open := harness.Gate("gate")
	p := harness.StartProgram(t, func(c *board.Config) { c.Workers = 1 }, kind)
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 3)
	harness.CountsAre(t, e, map[string]any{"started": 1})
	tab := openTab(t, p.URL+"/process_runs/3")
	tab.untilLive()
	tab.until("its place is there", partText(3, "state")+`.startsWith("2nd in the queue")`)
	e.POST("/process_runs/2/cancel").WithTransformer(harness.AcceptJSON).Expect()
	tab.until("its place follows", partText(3, "state")+`.startsWith("next in the queue")`)
	open()
	tab.until("it has none at the end", partText(3, "state")+`.startsWith("took")`)
}

func TestRunPage_TellsEachAttempt(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, func(c *board.Config) { c.MaxAttempts = 2 },
		harness.Commands(t, `mail=sh -c 'echo "to 10.0.0.7"; echo "connection refused" >&2; exit 3'`)...)
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 1)
	tab := openTab(t, p.URL+"/process_runs/1")
	tab.untilLive()
	attempts := partText(1, "attempts")
	tab.until("the page says how the first attempt ended", `/Attempt 1 failed after/.test(`+attempts+`)`)
	tab.until("the run has failed", shows("1", "failed"))
	tab.until("the page says how both ended",
		`/Attempt 1 failed after[^]*exit 3[^]*connection refused[^]*Attempt 2 failed after/.test(`+attempts+
			`)`)
	tab.until("the error is there in full, with the exit code",
		`document.querySelector("#process_run_1_problem").innerText.includes("exit 3")
			&& document.querySelector("#process_run_1_problem .message").innerText === "connection refused"`)
	const logs = `[...document.querySelectorAll("#process_run_1_attempts a")].
		map((a) => a.getAttribute("href")).join()`
	tab.until("each attempt leads to its part of the log",
		logs+` === "/process_runs/1?offset=0#log,/process_runs/1?offset=31#log"`)
	tab.click(retryOnPage)
	tab.until("the retry begins a new series",
		`/Attempt 2 failed[^]*Retried by hand at \d\d:\d\d:\d\d[^]*Attempt 1 failed/.test(`+attempts+`)`)
}

func TestRunPage_NextAttemptHasATime(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	later := jobs.Kind{Name: "later", Work: func(context.Context, *jobs.Run) error {
		return jobs.RetryAfter(time.Hour, errors.New("the mail server is busy"))
	}}
	p := harness.StartProgram(t, func(c *board.Config) { c.MaxAttempts = 3 }, later)
	harness.StartRuns(harness.NewExpect(t, p), 1)
	tab := openTab(t, p.URL+"/process_runs/1")
	tab.untilLive()
	tab.until("the page says which attempt comes when",
		`/^attempt 2 of 3 at \d\d:\d\d:\d\d · in (59 min|1 h)/.test(`+partText(1, "state")+`)`)
	tab.until("the error of the last one is there",
		partText(1, "problem")+`.includes("Last error") && `+partText(1, "problem")+
			`.includes("the mail server is busy")`)
	tab.until("the attempts tell both",
		`/Attempt 1 failed after[^]*Attempt 2 starts in/.test(`+partText(1, "attempts")+`)`)
}

// A run of a kind that no worker handles says why it waits.
func TestRunPage_UnknownKindSaysWhyItWaits(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil)
	batch, err := p.Store.Create(t.Context(), app.CreateRequest{Kind: "gone", Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	tab := openTab(t, fmt.Sprintf("%s/process_runs/%d", p.URL, batch.First))
	tab.untilLive()
	tab.until("the page says why",
		partText(batch.First, "state")+` === "waiting: no worker here handles this kind"`)
	if evaluate[bool](tab, `document.querySelector("a.again") !== null`) {
		t.Error("the page offers to start a kind that is not offered")
	}
}

func TestRunPage_ProgressEndsWithTheRun(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	work, open := make(chan struct{}), make(chan struct{})
	p := harness.StartProgram(t, nil,
		jobs.Kind{Name: "copy", Work: func(_ context.Context, run *jobs.Run) error {
			<-work
			run.Progress(42, "copying")
			<-open
			return nil
		}})
	harness.StartRuns(harness.NewExpect(t, p), 1)
	tab := openTab(t, p.URL+"/process_runs/1")
	tab.untilLive()
	tab.until("a bar without an end is there",
		`document.querySelector(".run-progress progress")?.position === -1`)
	close(work)
	tab.until("the progress is there",
		`document.querySelector(".run-progress progress")?.value === 42 && `+partText(1, "progress")+
			` === "42% · copying"`)
	close(open)
	tab.until("the run is completed", shows("1", "completed"))
	tab.until("no progress is left", `document.querySelector(".run-progress progress") === null`)
}

// Without a known progress, the bar compares the run with the usual duration of its kind.
func TestRunPage_BarNeverClaimsTheEnd(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	open := make(chan struct{})
	p := harness.StartProgram(t, nil,
		jobs.Kind{Name: "copy", Work: func(ctx context.Context, run *jobs.Run) error {
			if run.ID == 1 {
				return jobs.Sleep(ctx, 2100*time.Millisecond)
			}
			<-open
			return nil
		}})
	defer close(open)
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 1)
	harness.CountsAre(t, e, map[string]any{"completed": 1})
	harness.StartRuns(e, 1)
	harness.CountsAre(t, e, map[string]any{"started": 1})
	tab := openTab(t, p.URL+"/process_runs/2")
	tab.untilLive()
	const bar = `document.querySelector(".run-progress progress[data-usual]")`
	tab.until("the bar says how long runs usually take",
		`/^usually 2\.\d s/.test(`+partText(2, "progress")+`)`)
	tab.until("the bar passes its mark", bar+".value > 800")
	tab.until("the page says so", partText(2, "state")+`.endsWith("longer than usual")`)
	if value := evaluate[float64](tab, bar+".value"); value >= 1000 {
		t.Errorf("the bar is at %v of 1000", value)
	}
}

func TestRunPage_LogReachesTheFootOfTheWindow(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.Commands(t, "job=sh -c 'seq 500; echo broken >&2; exit 1'")...)
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 1)
	harness.WaitUntilDone(t, e)
	tab := openTab(t, p.URL+"/process_runs/1", chromedp.EmulateViewport(1280, 800))
	tab.untilLive()
	tab.until("the log ends at the foot of the window, beside the facts", `((log, side) =>
		log.bottom > innerHeight - 32 && log.bottom <= innerHeight && side.left > log.right
			&& document.documentElement.scrollHeight <= innerHeight)
		(document.getElementById("log").getBoundingClientRect(), document.querySelector(".run-side").
		getBoundingClientRect())`)
}

// On a phone, the actions are large and at the foot, and lie over nothing.
func TestRunPage_ActionsOnAPhone(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil,
		harness.WorkThat("import", "cannot reach db-3000.example.com: connection refused"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 1)
	harness.WaitUntilDone(t, e)
	tab := openTab(t, p.URL+"/process_runs/1", chromedp.EmulateViewport(360, 740))
	tab.untilLive()
	tab.until("the error is not covered", `((box) => [0.02, 0.5, 0.98].every((part) =>
		document.elementFromPoint(box.left + part * box.width,
		box.top + box.height / 2)?.closest(".run-problem")))
		(document.querySelector(".run-problem .message").getBoundingClientRect())`)
	if small := evaluate[[]string](tab, `[...document.querySelectorAll(".run-actions :is(button, a, summary)")].
		filter((one) => one.checkVisibility() && Math.min(one.offsetWidth, one.offsetHeight) < 44).
		map((one) => one.innerText)`); len(small) > 0 {
		t.Errorf("these are hard to hit: %q", small)
	}
	tab.until("the actions are at the foot",
		`Math.abs(document.querySelector(".run-actions").getBoundingClientRect().bottom - innerHeight) < 2`)
	evaluate[bool](tab, "scrollTo(0, 1e6), true")
	tab.until("the end of the page is above them", `document.querySelector(".events").
		getBoundingClientRect().bottom <=
		document.querySelector(".run-actions").getBoundingClientRect().top`)
	tab.click("#run_menu summary")
	tab.until("the menu opens above them", `document.querySelector(".menu a").checkVisibility()`)
	tab.click("h1")
	tab.until("the menu closes", `!document.getElementById("run_menu").open`)
}

func TestRunPage_KeysMoveThroughTheList(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "disk full"), harness.WorkThat("mail", ""))
	e := harness.NewExpect(t, p)
	for _, kind := range []string{"import", "mail", "import", "mail", "import"} {
		harness.StartRunsOf(e, kind, 1)
	}
	harness.WaitUntilDone(t, e)
	tab := openTab(t, p.URL+"/process_runs?status=failed")
	tab.untilLive()
	tab.untilRows(3)
	tab.follow("#process_run_3 a")
	at := func(path string) {
		t.Helper()
		tab.until("the page is "+path, fmt.Sprintf(`location.pathname + location.search === %q`, path))
		tab.untilLive()
	}
	at("/process_runs/3")
	tab.press("j")
	at("/process_runs/1?status=failed")
	tab.press("k")
	at("/process_runs/3?status=failed")
	tab.press("k")
	at("/process_runs/5?status=failed")
	tab.follow(".run-list .back")
	at("/process_runs?status=failed")
}

// Each state of the page is accessible, on a wide window and on a phone, and nothing of it can be pressed on
// paper.
func TestRunPage_IsAccessibleInEachState(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	work := func(ctx context.Context, run *jobs.Run) error {
		switch run.ID {
		case 1:
			return jobs.Permanent(errors.New("disk full"))
		case 2:
			return jobs.RetryAfter(time.Hour, errors.New("the mail server is busy"))
		case 3:
			run.Progress(40, "copying")
		}
		<-ctx.Done()
		return context.Cause(ctx)
	}
	p := harness.StartProgram(t, func(c *board.Config) { c.Workers, c.MaxAttempts = 2, 2 },
		jobs.Kind{Name: "copy", Work: work})
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 6)
	e.POST("/process_runs/6/cancel").WithTransformer(harness.AcceptJSON).Expect()
	harness.CountsAre(t, e, map[string]any{"failed": 1, "started": 2, "created": 2, "cancelled": 1})
	for state, id := range map[string]int{"failed": 1, "retrying": 2, "running": 3, "waiting": 5,
		"cancelled": 6} {
		for _, scheme := range []string{"light", "dark"} {
			t.Run(state+" "+scheme, func(t *testing.T) {
				tab := newTab(t)
				media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
					{Name: "prefers-color-scheme", Value: scheme},
					{Name: "prefers-reduced-motion", Value: "reduce"},
				}}
				call(tab, emulation.SetEmulatedMedia, media)
				tab.do(chromedp.EmulateViewport(1280, 800),
					chromedp.Navigate(fmt.Sprintf("%s/process_runs/%d", p.URL, id)))
				tab.untilLive()
				evaluate[bool](tab,
					`((menu) => !menu || (menu.open = true))(document.getElementById("run_menu"))`)
				for _, width := range []int64{1280, 360} {
					tab.do(chromedp.EmulateViewport(width, 800))
					for _, complaint := range tab.complaints() {
						t.Errorf("in a window of %d pixels: %s", width, complaint)
					}
				}
				media.Media = "print"
				call(tab, emulation.SetEmulatedMedia, media)
				tab.until("nothing can be pressed on paper", `[...document.querySelectorAll("main :is(button, summary, progress, input)")].
					every((one) => !one.checkVisibility())`)
			})
		}
	}
}
