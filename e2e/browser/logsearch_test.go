package browser

import (
	"fmt"
	"os"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"runboard/e2e/harness"
)

// hitsText evaluates to what the search says.
const hitsText = `document.getElementById("log_hits").textContent`

// painted evaluates to the number of hits that the page paints.
const painted = `(CSS.highlights.get("log-hit")?.size ?? 0) + (CSS.highlights.get("log-current")?.size ?? 0)`

// find types a text into the search of the log.
func (p *tab) find(text string) {
	p.t.Helper()
	p.do(chromedp.Focus("#log_search input"))
	evaluate[bool](p, `document.querySelector("#log_search input").select(), true`)
	p.press(text)
}

func (p *tab) shiftEnter() {
	p.t.Helper()
	for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeRawKeyDown,
		input.DispatchKeyEventTypeKeyUp} {
		call(p, input.DispatchKeyEvent, input.DispatchKeyEventParams{
			Type: kind, Key: "Enter", Code: "Enter", WindowsVirtualKeyCode: 13, Modifiers: 8,
		})
	}
}

func TestLogSearch_GoesFromHitToHit(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	tab := openTab(t, finishedLog(t, 30_000))
	tab.untilLive()
	tab.find("NE 1777")
	tab.until("the first hit is shown", hitsText+` === "1 of 11" && `+inSight(1777)+
		` && document.querySelector("#log [data-hit]")?.id === "L1777"`)
	tab.until("it is painted", painted+` === 1`)
	tab.press(kb.Enter)
	tab.until("Enter leads to the next one", hitsText+` === "2 of 11" && `+inSight(17_770))
	tab.until("all hits in sight are painted", painted+` === 10`)
	tab.click("#log_search button:not([type=button])")
	tab.until("so does the button", hitsText+` === "3 of 11" && `+inSight(17_771))
	tab.do(chromedp.Focus("#log_search input"))
	tab.shiftEnter()
	tab.until("Shift and Enter lead back", hitsText+` === "2 of 11"`)
	tab.click("#log_previous")
	tab.click("#log_previous")
	tab.until("the last one comes before the first", hitsText+` === "11 of 11" && `+inSight(17_779))
	tab.do(chromedp.Focus("#log_search input"))
	tab.press(kb.Enter)
	tab.until("the first one comes after the last", hitsText+` === "1 of 11"`)
	tab.find("nothing like this")
	tab.until("there is none", hitsText+` === "No hits" && `+painted+` === 0`)
	tab.find("line")
	tab.until("there are many", hitsText+` === "1 of many" && `+inSight(1))
	tab.shiftEnter()
	tab.press(kb.Enter)
	tab.until("the next one is shown", hitsText+` === "2 of many"`)
	tab.find(kb.Backspace)
	tab.until("without a text, nothing is found", hitsText+` === "" && `+painted+` === 0`)
}

// A hit in several elements is painted, and lines that are loaded later are, too.
func TestLogSearch_PaintsColouredAndNewLines(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	gate := t.TempDir() + "/gate"
	p := harness.StartProgram(t, nil, harness.Commands(t, fmt.Sprintf(
		`job=sh -c 'printf "the d\033[31mis\033[mk is full (a-b) [c]*\n"; while [ ! -e %s ]; do sleep 0.05; done; echo "another Disk"; sleep 1000'`, gate))...)
	tab := openTab(t, p.URL+harness.StartRun(harness.NewExpect(t, p), "job"))
	tab.until("the line is there", linesShown+`.join() === "the disk is full (a-b) [c]*"`)
	tab.find("(A-B) [C]*")
	tab.until("signs stand for themselves", hitsText+` === "1 of 1" && `+painted+` === 1`)
	tab.find("disk")
	tab.until("it is found", hitsText+` === "1 of 1" && `+painted+` === 1`)
	tab.until("all of it is painted", `[...CSS.highlights.get("log-current")][0].toString() === "disk"`)
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tab.until("the new line is painted", painted+` === 2`)
	tab.press(kb.Enter)
	tab.until("the new line is found", hitsText+` === "2 of 2"`)
}

// The page that the form leads to without scripts also works with them.
func TestLogSearch_OpensWithAHit(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	url := finishedLog(t, 3000)
	tab := openTab(t, url+"?find=line+7&at=5000")
	tab.until("the hit of the address is shown", hitsText+` === "12 of 111" && `+inSight(700))
	tab.until("the marks are those of the script",
		`document.querySelector("#log mark") === null && `+painted+` > 1`)
}
