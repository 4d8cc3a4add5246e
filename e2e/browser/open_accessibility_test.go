package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"runboard/e2e/harness"
)

// openPart is a dialog or a menu that a user opens on a page.
type openPart struct {
	name, page string
	touch      bool   // on a phone with a touch screen
	open       string // what opens it, as JavaScript
	isOpen     string // whether it is open
}

// openParts has all of them. The pages have a failed run 1 and a started run 2.
var openParts = []openPart{
	{"the help", "/process_runs", false, `document.getElementById("help").click()`,
		`document.getElementById("shortcuts").open`},
	{"the question of a shortcut", "/process_runs/1", false,
		`document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "r", bubbles: true}))`,
		`document.getElementById("confirm_shortcut").open`},
	{"the bar of selected runs", "/process_runs", false,
		`document.querySelector("#process_run_1 input").click()`,
		`document.getElementById("bulk").checkVisibility()`},
	{"the question of a bulk action", "/process_runs", false,
		`(document.querySelector("#process_run_1 input").click(),
			document.querySelector("#bulk button[value=delete]").click())`,
		`document.getElementById("confirm").open`},
	{"the fields for a span of time", "/process_runs", false,
		`document.getElementById("time_range").open = true`,
		`document.querySelector("#time_range input").checkVisibility()`},
	{"the menu of a row", "/process_runs", true,
		`document.querySelector("#process_run_1 .menu > summary").click()`,
		`document.querySelector("#process_run_1 .menu > button").checkVisibility()`},
	{"the menu of a run", "/process_runs/1", false,
		`document.querySelector("#run_menu > summary").click()`,
		`document.querySelector("#run_menu a").checkVisibility()`},
	{"the question of a run", "/process_runs/1", false, `document.querySelector("#run_menu a").click()`,
		`document.getElementById("confirm").open`},
	{"the form of a note", "/process_runs/failures", false,
		`document.querySelector('#failures .actions a[href$="/note"]').click()`,
		`document.querySelector("#confirm[open] textarea") !== null`},
	{"the form that mutes", "/process_runs/failures", false,
		`document.querySelector('#failures .actions a[href$="/mute"]').click()`,
		`document.querySelector("#confirm[open] input") !== null`},
	{"an error in full", "/process_runs/failures", false,
		`document.querySelector("#failures .pattern > summary").click()`,
		`document.querySelector("#failures pre").checkVisibility()`},
}

func TestOpenParts_AreAccessible(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	gate, open := harness.Gate("gate")
	defer open()
	p := harness.StartProgram(t, nil, gate, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "import", 1)
	harness.CountsAre(t, e, map[string]any{"failed": 1})
	harness.StartRunsOf(e, "gate", 1)
	harness.CountsAre(t, e, map[string]any{"started": 1})
	for _, part := range openParts {
		for _, scheme := range []string{"light", "dark"} {
			t.Run(fmt.Sprintf("%s %s", part.name, scheme), func(t *testing.T) {
				tab := newTab(t)
				call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
					Features: []*emulation.MediaFeature{
						{Name: "prefers-color-scheme", Value: scheme},
						{Name: "prefers-reduced-motion", Value: "reduce"},
					},
				})
				viewport := chromedp.EmulateViewport(1000, 800)
				if part.touch {
					viewport = chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile,
						chromedp.EmulateTouch)
				}
				tab.do(viewport, chromedp.Navigate(p.URL+part.page))
				tab.untilLive()
				evaluate[bool](tab, "("+part.open+", true)")
				tab.until(part.name+" is open", part.isOpen)
				for _, complaint := range tab.complaints() {
					t.Error(complaint)
				}
			})
		}
	}
}
