package browser

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"runboard/e2e/harness"
)

func TestFilter_ListIsLive(t *testing.T) {
	t.Parallel()
	kind, open := harness.Gate("gate")
	p := harness.StartProgram(t, nil, kind, harness.WorkThat("import", "the disk is full"))
	e := harness.NewExpect(t, p)
	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	tab.do(chromedp.SetValue(chromedp.CSS("#search_text"), "disk full"))
	tab.submitSearch()
	tab.untilSocket("/process_runs/live?q=disk+full")
	tab.until("the address has the search", `location.search === "?q=disk+full"`)
	e.POST("/process_runs").WithFormField("count", 3).WithFormField("kind", "gate").Expect().
		Status(http.StatusSeeOther)
	e.POST("/process_runs").WithFormField("count", 2).WithFormField("kind", "import").Expect().
		Status(http.StatusSeeOther)
	tab.untilRows(2)
	tab.until("the number appears", `document.getElementById("matches").textContent === "2 runs match"`)
	open()
	harness.WaitUntilDone(t, e)

	// A choice of a status keeps the rest of the filter, and Back returns to the previous list.
	evaluate[bool](tab,
		`((choice) => (choice.value = "24h", choice.dispatchEvent(new Event("change",
			{bubbles: true}))))(document.getElementById("search_created"))`)
	tab.untilSocket("/process_runs/live?q=disk+full&since=24h")
	tab.click("#filter_completed")
	tab.untilSocket("/process_runs/live?q=disk+full&since=24h&status=completed")
	tab.untilRows(0)
	for _, path := range []string{"/process_runs/live?q=disk+full&since=24h",
		"/process_runs/live?q=disk+full"} {
		evaluate[bool](tab, "history.back(), true")
		tab.untilSocket(path)
		tab.untilRows(2)
	}
	tab.click(".chip")
	tab.untilSocket("/process_runs/live")
	tab.untilRows(5)
	if n := evaluate[string](tab, `document.getElementById("search_text").value`); n != "" {
		t.Errorf("without the chip, the field still says %q", n)
	}
	evaluate[bool](tab, "history.back(), true")
	tab.untilSocket("/process_runs/live?q=disk+full")
	tab.untilRows(2)
	tab.click("#clear_filters")
	tab.untilSocket("/process_runs/live")
	tab.untilRows(5)
	if n := evaluate[string](tab, `document.getElementById("search_text").value`); n != "" {
		t.Errorf("the field still says %q", n)
	}
}

// When a link fails, the user keeps the current page.
func TestFilter_FailedRequestKeepsThePage(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "the disk is full"))
	harness.StartRuns(harness.NewExpect(t, p), 3)
	tab := openTab(t, p.URL+"/process_runs")
	tab.expectProblems("400")
	tab.untilLive()
	evaluate[bool](tab,
		`((field) => (field.removeAttribute("maxlength"), field.value = "q".repeat(300),
			true))(document.getElementById("search_text"))`)
	tab.submitSearch()
	tab.until("the notice appears",
		`document.getElementById("notice").textContent.trim() === "The search text is at most 200 characters of text."`)
	tab.untilRows(3)
	tab.until("the address is that of the page",
		`location.search === "" && document.title.startsWith("Runs ")`)
	tab.click("#filter_failed")
	tab.untilSocket("/process_runs/live?status=failed")
	tab.untilRows(3)
}

func TestFilter_EscapeLeavesTheCustomRange(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	top := evaluate[float64](tab, `document.querySelector("table").getBoundingClientRect().top`)
	for range 2 {
		tab.until("the select opens the fields", `(() => {
			const select = document.getElementById("search_created");
			select.value = "custom";
			return select.dispatchEvent(new Event("change", { bubbles: true }));
		})()`)
		tab.until("the fields have the focus", `document.activeElement.type === "datetime-local"`)
		if now := evaluate[float64](tab,
			`document.querySelector("table").getBoundingClientRect().top`); now != top {
			t.Errorf("the list has moved from %v to %v", top, now)
		}
		tab.press(kb.Escape)
		tab.until("the select shows the present filter and has the focus",
			`document.activeElement.id === "search_created" && document.activeElement.value === ""`)
	}
}
