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
		if (!one.checkVisibility() || one.disabled || one.matches(".skip, svg a, [data-line], p a:not([class]), dd a, td a")) continue;
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
		if (box.width > 0 && missed.length > 0) found.push(one.outerHTML.slice(0, 120) + " misses " + missed.join(" "));
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
