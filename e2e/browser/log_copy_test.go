package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"runboard/e2e/harness"
)

// edit performs a command of the browser's edit menu.
func (p *tab) edit(command string) {
	p.t.Helper()
	call(p, input.DispatchKeyEvent,
		input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeRawKeyDown, Commands: []string{command}})
}

// copied copies the content of an element and returns the text on the clipboard.
func (p *tab) copied(selector string) string {
	p.t.Helper()
	evaluate[bool](p,
		fmt.Sprintf(`getSelection().selectAllChildren(document.querySelector(%q)), true`, selector))
	p.edit("Copy")
	evaluate[bool](p, `(() => {
		const place = document.createElement("textarea");
		place.id = "paste";
		document.body.append(place);
		place.focus();
		return true;
	})()`)
	p.edit("Paste")
	p.until("something is pasted", `document.getElementById("paste").value !== ""`)
	text := evaluate[string](p, `document.getElementById("paste").value`)
	evaluate[bool](p, `document.getElementById("paste").remove(), true`)
	return text
}

func TestLog_CopiesAsWritten(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil,
		harness.Commands(t,
			`job=sh -c 'echo one; echo; echo "  two"; sleep 1; echo three >&2; sleep 1; printf four; sleep 1; echo .'`)...)
	e := harness.NewExpect(t, p)
	tab := openTab(t, p.URL+harness.StartRun(e, "job"))
	tab.until("the log is there", linesShown+`.at(-1) === "four."`)
	want := "one\n\n  two\nthree\nfour."
	if text := tab.copied("#log"); text != want && text != want+"\n" {
		t.Errorf("the copy is %q", text)
	}
	tab.do(chromedp.Reload())
	if text := tab.copied("#log"); text != want && text != want+"\n" {
		t.Errorf("after a reload the copy is %q", text)
	}
}

func TestLog_ShowsUnfinishedLines(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	dir := t.TempDir()
	wait := func(name string) string {
		return fmt.Sprintf(`while [ ! -e %s ]; do sleep 0.05; done; `, filepath.Join(dir, name))
	}
	p := harness.StartProgram(t, nil,
		harness.Commands(t, `job=sh -c 'printf "start"; `+wait("a")+`printf "."; `+wait("b")+
			`printf "\r10%%"; `+wait("c")+`printf "\r\033[K20%%"; echo warning >&2; `+wait("d")+
			`printf "\b\b5%%\n\nend\n"'`)...)
	e := harness.NewExpect(t, p)
	path := harness.StartRun(e, "job")
	tab := openTab(t, fmt.Sprintf("%s%s", p.URL, path))
	for _, step := range []struct{ gate, shown string }{
		{"", "start"}, {"a", "start."}, {"b", "10%rt."}, {"c", "20%|warning"}, {"d", "25%|warning||end"},
	} {
		if step.gate != "" {
			if err := os.WriteFile(filepath.Join(dir, step.gate), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		shown := fmt.Sprintf(`%s.map((line) => line.trimEnd()).join("|") === %q`, linesShown, step.shown)
		tab.until("the log is "+step.shown, shown)
		fresh := openTab(t, fmt.Sprintf("%s%s", p.URL, path))
		fresh.until("a page that is opened now shows the same", shown)
		fresh.untilLive()
		fresh.until("it still does when it is live", shown)
	}
}
