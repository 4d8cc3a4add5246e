package main

import (
	"fmt"
	"strings"
	"testing"
)

const told = `document.getElementById("notice").textContent`

// noteDownloads has the page remember what it was told, and what it was given to save.
const noteDownloads = `(() => {
	window.words = [];
	const notice = document.getElementById("notice"), make = URL.createObjectURL;
	new MutationObserver(() => words.push(notice.textContent)).observe(notice, {childList: true});
	URL.createObjectURL = (blob) => { blob.text().then((text) => { window.saved = text; }); return make.call(URL, blob); };
	return true;
})()`

func TestADownloadSaysHowFarItIs(t *testing.T) {
	t.Parallel()
	p := startProgram(t, nil, workThat("import", "a \"quoted\" error,\nof two lines"))
	e := newExpect(t, p)
	startRuns(e, 700)
	countsAre(t, e, map[string]any{"failed": 700})
	tab := openTab(t, p.url+"/process_runs")
	tab.untilLive()
	evaluate[bool](tab, noteDownloads)
	for kind, lines := range map[string]int{"ndjson": 700, "csv": 1 + 2*700} {
		evaluate[bool](tab, "(() => { delete window.saved; words.length = 0; return true; })()")
		tab.click(fmt.Sprintf(`.downloads a[href*="%s"]`, kind))
		tab.until("it is over", told+` === "Downloaded 700 runs."`)
		if first := evaluate[string](tab, "words[0]"); !strings.HasPrefix(first, "Downloading: 0 of 700 runs.") {
			t.Errorf("at first it says %q", first)
		}
		tab.until("all of it is saved", fmt.Sprintf(`window.saved && saved.split("\n").length === %d`, lines+1))
	}
}

func TestADownloadCanBeStoppedAndMayFail(t *testing.T) {
	t.Parallel()
	p := startProgram(t, nil)
	tab := openTab(t, p.url+"/process_runs")
	tab.untilLive()
	evaluate[bool](tab, `(() => { // the answer does not come before it is stopped
		window.wire = fetch;
		window.fetch = (url, options) => new Promise((_, no) => options.signal.addEventListener("abort", () => no(options.signal.reason)));
		return true;
	})()`)
	tab.click(`.downloads a[href*="csv"]`)
	tab.until("it goes on", told+`.startsWith("Downloading")`)
	tab.click("#notice button")
	tab.until("it is stopped", told+` === "The download was stopped."`)

	evaluate[bool](tab, `(() => { window.fetch = (url, options) => wire(url + "?status=unknown", options); return true; })()`)
	tab.expectProblems(`400`)
	tab.click(`.downloads a[href*="csv"]`)
	tab.until("it says why it failed", told+`.startsWith("The download failed. The status must be")`)
}
