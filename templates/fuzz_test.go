package templates_test

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"runboard/app"
	"runboard/templates"
)

// shape lists the elements below root and the names of their attributes, without any content.
func shape(root *html.Node) (shape []string) {
	for _, node := range elements(root, func(*html.Node) bool { return true }) {
		entry := node.Data
		for _, a := range node.Attr {
			entry += " " + a.Key
		}
		shape = append(shape, entry)
	}
	return shape
}

// shapes renders everything that shows the kind or the message of a run, and returns the shapes.
func shapesOf(t *testing.T, tmpl *templates.Templates, kind, message string) (all []string) {
	t.Helper()
	render := must(t)
	runs := []app.ProcessRun{samples["waiting"], samples["failed"]} // these show their error
	for i := range runs {
		runs[i].Kind, runs[i].Error = kind, message
	}
	page := app.Page{Runs: runs, Overview: overview}
	refusal := templates.ErrorPage{Status: 409, Message: message, Run: 7}
	board := render(tmpl.Board(page, templates.BoardOptions{Key: message}))
	for _, text := range []string{board, render(tmpl.Error(refusal))} {
		all = append(all, shape(parsePage(t, text))...)
	}
	for _, text := range []string{
		render(tmpl.ListFrame(page)), render(tmpl.CellsFrame(changedPages(runs, overview))),
		render(tmpl.Notice(message)), render(tmpl.Started(app.Batch{First: 1, Count: 2}, message)),
	} {
		all = append(all, shape(parseFragment(t, text))...)
	}
	single := app.RunPage{Run: runs[1], Overview: overview}
	all = append(all, shape(parsePage(t, render(tmpl.Run(single, templates.RunList{}))))...)
	all = append(all, shape(parseFragment(t, render(tmpl.RunFrame(single))))...)
	stats := busyStatistics()
	stats.Unhandled[0].Kind, stats.Period.Kinds[0].Kind = cmp.Or(kind, "none"), kind
	all = append(all, shape(parsePage(t, render(tmpl.Statistics(stats))))...)
	return append(all, shape(parseFragment(t, render(tmpl.StatisticsFrame(stats))))...)
}

// harmless returns a text of the same length without special characters: empty and long ones render
// differently.
func harmless(text string) string { return strings.Repeat("h", len(text)) }

func FuzzTemplates_TextStaysText(f *testing.F) {
	for _, text := range []string{
		"", "plain", "<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, `' onclick='alert(1)`,
		"</td></tr></table><p>",
		"</small></td><td id=process_run_1_status>", `<hx-partial hx-target="#live" hx-swap="outerHTML">`,
		"</hx-partial>", "</template>",
		"<!-- ", "--><b>", "<![CDATA[", "&lt;b&gt;", "&#60;b&#62;", "`", "\x00<b>\x00", "\xff\xfe<\xc0\xbc",
		"<\u2028b>", "\uff1cb\uff1e",
		"</title><head><title>", "{{.}}", "<svg/onload=alert(1)>", "javascript:alert(1)", "\r\n<b\n>",
		"<plaintext>", "<textarea>", "</script",
	} {
		f.Add(text, text)
		f.Add("plain", text)
		f.Add(text, "")
	}
	tmpl := newTemplates(f, "simulated", "report") // two kinds, so that rows name their kind
	f.Fuzz(func(t *testing.T, kind, message string) {
		if strings.HasPrefix(message, "exit status") || strings.HasPrefix(message, "ended by") {
			t.Skip("how a command ended has an element of its own")
		}
		got, want := shapesOf(t, tmpl, kind, message), shapesOf(t, tmpl, harmless(kind), harmless(message))
		if !slices.Equal(got, want) {
			t.Errorf("kind %q, message %q: rendered as\n%s\nwant\n%s", kind, message, strings.Join(got, "\n"),
				strings.Join(want, "\n"))
		}
	})
}
