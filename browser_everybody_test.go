package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"runboard/app"
)

// complaints has axe look at a page, and returns what it finds wrong.
func (p *tab) complaints() []string {
	p.t.Helper()
	evaluate[bool](p, readFile(p.t, "static/node_modules/axe-core/axe.min.js")+"; true")
	found, err := chromedp.Run(p.ctx, chromedp.Evaluate[[]string](`axe.run(document).then((all) => all.violations.flatMap((one) =>
		one.nodes.map((node) => one.id + ": " + node.html + " " + (node.any[0]?.message ?? ""))))`, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatal(err)
	}
	return found
}

func TestEverybodyCanUseEveryPage(t *testing.T) {
	t.Parallel()
	kind, open := gate("gate")
	long := func(c *app.Config) { c.RunTimeout = time.Hour } // there is much to look at
	p := startProgram(t, long, kind, workThat("import", "the disk is full"), commands(t, "talk=sh -c 'echo one; echo two >&2; echo progress: 40% half; exec sleep 1000'")[0])
	e := newExpect(t, p)
	e.POST("/process_runs").WithFormField("count", 8).WithFormField("kind", "import").Expect().Status(http.StatusSeeOther)
	path := startRun(e, "talk")
	startRun(e, "gate")
	e.POST("/process_runs/1/retry").WithTransformer(jsonHeader).Expect()
	for _, page := range []string{"/process_runs", "/process_runs?status=completed", "/process_runs?q=disk&kind=import&since=1h", path, "/process_runs/1", "/process_runs/action?do=retry&runs=all", "/process_runs/statistics", "/process_runs/failures", "/process_runs/999"} {
		for _, scheme := range []string{"light", "dark"} {
			t.Run(page+" "+scheme, func(t *testing.T) {
				tab := newTab(t)
				tab.expectProblems("404")
				call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
					{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
				}})
				tab.do(chromedp.EmulateViewport(1000, 800), chromedp.Navigate(p.url+page))
				if page != "/process_runs/999" && !strings.Contains(page, "/action") {
					tab.untilLive()
				}
				for _, complaint := range tab.complaints() {
					t.Error(complaint)
				}
				tab.do(chromedp.EmulateViewport(320, 700))
				if wide := evaluate[int](tab, "document.documentElement.scrollWidth"); wide > 320 {
					t.Errorf("it is %d pixels wide where there are 320", wide)
				}
				if strings.HasPrefix(page, "/process_runs?") {
					tab.click("#many button")
					tab.until("it is asked", asked+` !== ""`)
					for _, complaint := range tab.complaints() {
						t.Error("with the question: ", complaint)
					}
				}
				if page == "/process_runs" {
					tab.press("?")
					tab.until("the keys are shown", `document.getElementById("keys").open`)
					for _, complaint := range tab.complaints() {
						t.Error("with the keys: ", complaint)
					}
				}
			})
		}
	}
	open()
	e.POST(fmt.Sprint(path, "/cancel")).Expect().Status(http.StatusSeeOther)
}

func TestWhoeverHearsThePageIsToldHowItGoes(t *testing.T) {
	t.Parallel()
	p := startProgram(t, nil, workThat("import", "the disk is full"))
	e := newExpect(t, p)
	tab := openTab(t, p.url+"/process_runs")
	tab.untilLive()
	startRuns(e, 3)
	tab.until("it is said", `document.querySelector("#summary[role=status]").textContent === "3 of the last 3 done, 3 failed in all"`)
}
