package templates

import (
	"strings"
	"testing"
	"time"

	"runboard/app"
)

func TestVisible_NamesHiddenCharacters(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                          "",
		"no space left on /dev/sda": "no space left on /dev/sda",
		"Zürich 日本語 عربي\tтекст":    "Zürich 日本語 عربي\tтекст",
		"invoice\u202egnp.exe":      "invoice<U+202E>gnp.exe",
		"\u2066a\u2069":             "<U+2066>a<U+2069>",
		"\ufeffBOM":                 "<U+FEFF>BOM",
		"pay\u200bpal":              "pay<U+200B>pal",
		"a\u200db\u200cc":           "a<U+200D>b<U+200C>c",
		"\u200d":                    "<U+200D>",
		"soft\u00adhyphen":          "soft<U+00AD>hyphen",
		"\u061c\u200e\u200f":        "<U+061C><U+200E><U+200F>",
		"tag\U000e0041":             "tag<U+E0041>",
		"\u3164\u115f\u2800":        "<U+3164><U+115F><U+2800>",
		"a\u2028b":                  "a<U+2028>b",
		"👩\u200d🔬 می\u200cخواهم":    "👩\u200d🔬 می\u200cخواهم",
		"я\u200d\u200dя":            "я<U+200D><U+200D>я",
		"\u0600١٢":                  "\u0600١٢", // the Arabic number sign has a visible shape
	} {
		if got := visible(text); got != want {
			t.Errorf("visible(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestPages_ShowHiddenCharactersOfErrorsAndLogs(t *testing.T) {
	t.Parallel()
	const hiding = "a\u202eb\u200bc\ufeff"
	tmpl, err := New(Options{Asset: func(name string) string { return name }, Kinds: noKinds{}})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	run := app.ProcessRun{
		ID: 7, Kind: "job", Status: app.Failed, Version: 3, Attempt: 1, Error: hiding, CreatedAt: now,
		UpdatedAt: now, StartedAt: now, FinishedAt: now,
		Progress: app.Progress{Percent: 10, Message: hiding},
	}
	started := run
	started.Status, started.Error = app.Started, ""
	log := app.Log{End: 10, Lines: []app.LogLine{{Text: hiding + "\n"}, {Text: hiding}}}
	render := func(html []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(html)
	}
	for name, html := range map[string]string{
		"row":         render(tmpl.Row(run)),
		"running row": render(tmpl.Row(started)),
		"page":        render(tmpl.Run(app.RunPage{Run: run, Log: log}, RunList{})),
		"running":     render(tmpl.Run(app.RunPage{Run: started, Log: log}, RunList{})),
		"log":         render(tmpl.LogLines(7, log, app.LogFocus{})),
		"board":       render(tmpl.Board(app.Page{Runs: []app.ProcessRun{run, started}}, BoardOptions{})),
	} {
		if strings.ContainsFunc(html,
			func(char rune) bool { return strings.ContainsRune("\u202e\u200b\ufeff", char) }) {
			t.Errorf("the %s has invisible characters: %s", name, html)
		}
		if !strings.Contains(html, "a&lt;U&#43;202E&gt;b&lt;U&#43;200B&gt;c&lt;U&#43;FEFF&gt;") &&
			!strings.Contains(html, "a&lt;U+202E&gt;b&lt;U+200B&gt;c&lt;U+FEFF&gt;") {
			t.Errorf("the %s does not name the characters: %s", name, html)
		}
	}
}

// noKinds offers no kinds.
type noKinds struct{}

func (noKinds) Kinds() []app.Kind { return nil }

func (noKinds) Kind(string) (app.Kind, bool) { return app.Kind{}, false }
