package browser

import (
	"testing"

	"github.com/chromedp/chromedp"

	"runboard/e2e/harness"
)

// tooSmall evaluates to what a finger misses within 12 px of its middle. Links within sentences, lines of
// logs and bars, which the table below them repeats, may be smaller. A row is one target.
const tooSmall = `(() => {
	const found = [];
	const targets = "a, button, input:not([type=hidden]), select, summary, textarea";
	for (const one of document.querySelectorAll(targets)) {
		if (!one.checkVisibility() || one.disabled ||
		one.matches(".skip, svg a, [data-line], p a:not([class]), dd a, td a")) continue;
		one.scrollIntoView({block: "center", inline: "center"});
		const box = (one.closest("label") ?? one).getBoundingClientRect();
		const x = box.x + box.width / 2, y = box.y + box.height / 2;
		const whole = one.closest("tr[id] th, label") ?? one;
		const isHit = ([right, down]) => {
			const hit = document.elementFromPoint(x + right, y + down);
			return hit && (whole.contains(hit) || hit === one);
		};
		const reach = 11; // boxes may end within a pixel
		const missed = [[-reach, 0], [reach, 0], [0, -reach], [0, reach]].filter((point) => !isHit(point));
		if (box.width > 0 && missed.length > 0) {
			found.push(one.outerHTML.slice(0, 120) + " misses " + missed.join(" "));
		}
	}
	return found;
})()`

// lessThanAThumb evaluates to what is used most and has less than 44 px.
const lessThanAThumb = `[...document.querySelectorAll(".pages a, .tabs a, .pager a, .menu > summary, main button, main select, .run-actions a")].
	filter((one) => one.checkVisibility() && !one.matches("#select_matching, #notice *, .quiet.close, p a")).
	filter((one) => one.getBoundingClientRect().height < 44).map((one) => one.outerHTML.slice(0, 120))`

func TestPhone_TargetsFitAFinger(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p, kindPaths := kindsProgram(t)
	harness.StartRunsOf(harness.NewExpect(t, p), "kind-1", 30)
	paths := append(kindPaths, "/process_runs", "/process_runs?status=failed&q=disk", "/process_runs/3",
		"/process_runs/failures", "/process_runs/statistics", "/process_runs/timeline")
	for _, page := range paths {
		tab := newTab(t)
		tab.do(chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile, chromedp.EmulateTouch))
		tab.do(chromedp.Navigate(p.URL + page))
		tab.untilLive()
		for _, small := range evaluate[[]string](tab, tooSmall) {
			t.Errorf("%s: %s", page, small)
		}
		for _, small := range evaluate[[]string](tab, lessThanAThumb) {
			t.Errorf("%s has less than 44 px for %s", page, small)
		}
	}
}

// errorWidth evaluates to how many pixels of the error of the first row are visible.
const errorWidth = `(() => {
	const cell = document.querySelector("#process_runs tr[id] td.message");
	const range = document.createRange();
	range.selectNode(cell.lastChild);
	const text = range.getBoundingClientRect(), box = cell.getBoundingClientRect();
	return cell.lastChild.data.includes("refused") ? Math.min(text.right, box.right) - text.left : 0;
})()`

// Long inputs leave room for the reason of a failure.
func TestPhone_ShowsWhyARunFailed(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind := harness.WithInputs(harness.WorkThat("backup", "refused by the database server of the shop"))
	p := harness.StartProgram(t, nil, kind)
	harness.StartRuns(harness.NewExpect(t, p), 1)
	for _, width := range []int64{360, 768, 1440} {
		tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(width, 740))
		tab.until("the run has failed", `document.getElementById("count_failed").textContent === "1"`)
		evaluate[bool](tab, `document.querySelector("#process_runs .inputs").textContent += " and more".repeat(20), true`)
		if visible := evaluate[float64](tab, errorWidth); visible < 60 {
			t.Errorf("at %d px, %v px of the error are visible", width, visible)
		}
	}
}

// A command that wrote nothing has only its exit status, which a narrow page must show.
func TestPhone_ShowsTheExitStatusOfASilentCommand(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("silent", "exit status 3"))
	harness.StartRuns(harness.NewExpect(t, p), 1)
	tab := openTab(t, p.URL+"/process_runs", chromedp.EmulateViewport(360, 740))
	tab.until("its exit status is visible",
		`document.querySelector("#process_runs td.message")?.innerText.trim() === "exit 3"`)
}
