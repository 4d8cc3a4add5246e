package http

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gavv/httpexpect/v2"

	"runboard/app"
	"runboard/e2e/harness"
)

// startLogged starts a program and a run that has written a log of twelve hundred lines, two of which fail.
func startLogged(t *testing.T) (e *httpexpect.Expect, path string) {
	t.Helper()
	e = harness.NewExpect(t, harness.StartProgram(t, nil, harness.Commands(t,
		`job=sh -c 'for i in $(seq 1200); do case $i in 7|700) printf "line %d: \\033[1;31mdisk\\033[0m <full>\\n" $i;; *) echo line $i;; esac; done'`)...))
	path = harness.StartRun(e, "job")
	harness.UntilStatus(t, e, path, "completed")
	return e, path
}

func TestLog_KeepsStylesUnlessPlain(t *testing.T) {
	t.Parallel()
	e, path := startLogged(t)
	e.GET(path + "/log").Expect().Body().Contains("line 7: \x1b[1;31mdisk\x1b[m <full>\n")
	plain := e.GET(path+"/log").WithQuery("plain", 1).Expect()
	plain.Body().Contains("line 7: disk <full>\n").NotContains("\x1b")
	plain.Header("Content-Disposition").IsEmpty()
	file := e.GET(path+"/log").WithQuery("plain", 1).WithQuery("download", 1).Expect()
	file.Header("Content-Disposition").IsEqual(`attachment; filename="run-1.log"`)
	file.Body().IsEqual(plain.Body().Raw())
	lines := e.GET(path + "/log").WithTransformer(harness.AcceptJSON).Expect().JSON().Object().
		Value("lines").Array()
	lines.Value(6).Object().HasValue("text", "line 7: \x1b[1;31mdisk\x1b[m <full>\n")
	e.GET(path).WithQuery("line", 7).Expect().Body().
		Contains(`line 7: <span class="bold fg-1">disk</span> &lt;full&gt;</div>`)
}

// An attempt that a crash ends leaves its last line without an end. A client that resumes counts bytes, so it
// gets no line break that the log does not have.
func TestLog_BeginsEachAttemptOnALineOfItsOwn(t *testing.T) {
	t.Parallel()
	kind, open := harness.Gate("work")
	p := harness.StartProgram(t, nil, kind)
	e := harness.NewExpect(t, p)
	path := harness.StartRun(e, "work")
	harness.UntilStatus(t, e, path, "started")
	page, err := p.Store.Run(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	const first, header, second = "\x1b[1m10 %", "attempt 1 of 1\n", "50 %"
	lines := []app.LogLine{{Text: first}, {Stream: app.ServerLog, Text: header}, {Text: second}}
	if err := p.Store.SaveProgress(t.Context(), page.Run, app.ProgressUpdate{Lines: lines}); err != nil {
		t.Fatal(err)
	}
	open()
	harness.UntilStatus(t, e, path, "completed")
	log := func(query string) *httpexpect.String {
		return e.GET(path + "/log").WithQueryString(query).Expect().Status(http.StatusOK).Body()
	}
	log("").IsEqual(first + "\n" + header + second)
	log("follow=1").IsEqual(first + "\n" + header + second)
	log("plain=1").IsEqual("10 %\n" + header + second)
	log("plain=1&line=1").IsEqual("10 %\n" + header + second)
	log("offset=0").IsEqual(first + header + second)
	log(fmt.Sprint("offset=", len(first))).IsEqual(header + second)
}

func TestLog_BeginsAtALine(t *testing.T) {
	t.Parallel()
	e, path := startLogged(t)
	text := e.GET(path+"/log").WithQuery("line", 1199).Expect()
	text.Body().IsEqual("line 1199\nline 1200\n")
	offset := text.Header("Log-Offset").Raw()
	e.GET(path+"/log").WithQuery("offset", offset).Expect().Body().IsEqual("line 1199\nline 1200\n")
	e.GET(path+"/log").WithQuery("line", 1201).Expect().Body().IsEqual("")
	json := e.GET(path+"/log").WithQuery("line", 1100).WithQuery("context", 2).
		WithTransformer(harness.AcceptJSON).Expect().JSON().Object().Value("lines").Array()
	json.Value(0).Object().HasValue("line", 1098)
	json.Length().IsEqual(103)
	e.GET(path+"/log").WithQuery("line", 600).WithTransformer(fragmentHeaders).Expect().Body().
		HasPrefix(`<div class="lines" `).Contains(`id="L600"`).NotContains(`id="L599"`)
}

// The addresses of lines and ranges work without scripts.
func TestRunPage_ShowsTheLinesOfItsAddress(t *testing.T) {
	t.Parallel()
	e, path := startLogged(t)
	page := func(query string) *httpexpect.String {
		return e.GET(path).WithQueryString(query).Expect().Status(http.StatusOK).Body()
	}
	page("").Contains(`id="L1200"`).NotContains(`id="L600"`).NotContains("data-marked").
		Contains(`class="earlier" href="?before=`)
	page("line=600").Contains(`id="L580"`).Contains(`id="L600"`).Contains(`id="L640"`).
		NotContains(`id="L1200"`)
	marked := page("line=600-602").Raw()
	if n := strings.Count(marked, " data-marked>"); n != 3 {
		t.Errorf("%d lines are marked", n)
	}
	page("line=5000").Contains(`id="L1200"`)
	page("offset=0").Contains(`id="L1"`).Contains(`class="later" href="?offset=`).NotContains("data-marked")
	page("before=100").Contains(`id="L1"`).NotContains(`id="L200"`)
	for _, query := range []string{
		"line=0", "line=x", "line=5-4", "line=5-", "line=5-x", "line=1&offset=2",
		"line=1&line=2", "offset=-1", "find=%00", "find=" + strings.Repeat("x", 201), "find=x&at=y",
	} {
		e.GET(path).WithQueryString(query).Expect().Status(http.StatusBadRequest)
	}
	e.GET(path).WithQueryString("find=x&at=y").Expect().Body().Contains("at must be a number of bytes.")
}

func TestLog_IsSearched(t *testing.T) {
	t.Parallel()
	e, path := startLogged(t)
	search := func(query string) *httpexpect.Object {
		return e.GET(path + "/log").WithQueryString(query).WithTransformer(harness.AcceptJSON).Expect().
			Status(http.StatusOK).JSON().Object()
	}
	found := search("q=DISK+%3C")
	found.Value("hits").Array().Length().IsEqual(2)
	found.Value("next").IsNull()
	second := found.Value("hits").Array().Value(1).Object()
	second.ContainsSubset(map[string]any{"line": 700, "stream": "stdout", "text": "line 700: disk <full>"})
	found.Value("hits").Array().Value(0).Object().ContainsSubset(map[string]any{"line": 7, "offset": 42})
	search("q=disk&after=100").Value("hits").Array().Length().IsEqual(1)
	search("q=nowhere").Value("hits").Array().IsEmpty()
	many := search("q=line")
	many.Value("hits").Array().Length().IsEqual(1000)
	rest := search(fmt.Sprint("q=line&after=", int(many.Value("next").Number().Raw())))
	rest.Value("hits").Array().Length().IsEqual(200)
	for _, query := range []string{"q=%FF", "q=x%00", "q=x&after=-1", "q=x&after=y",
		"q=" + strings.Repeat("x", 201), "q=x&q=y"} {
		e.GET(path + "/log").WithQueryString(query).WithTransformer(harness.AcceptJSON).Expect().
			Status(http.StatusBadRequest)
	}
	e.GET("/process_runs/99/log").WithQuery("q", "x").WithTransformer(harness.AcceptJSON).Expect().
		Status(http.StatusNotFound)
}

// Without scripts, the form leads to the part with the first hit, and a link to the next one.
func TestRunPage_SearchesItsLog(t *testing.T) {
	t.Parallel()
	e, path := startLogged(t)
	body := e.GET(path).WithQuery("find", "Disk <F").Expect().Status(http.StatusOK).Body()
	body.Contains(`id="L7"`).NotContains(`id="L700"`).Contains(`value="Disk &lt;F"`).Contains("Line 7").
		Contains(`<mark class="bold fg-1">disk</mark><mark> &lt;f</mark>ull`)
	_, link, _ := strings.Cut(body.Raw(), `<output id="log_hits">Line 7 <a href="`)
	link, _, _ = strings.Cut(link, `"`)
	next, err := url.Parse(strings.ReplaceAll(strings.ReplaceAll(link, "&amp;", "&"), "&#43;", "+"))
	if err != nil {
		t.Fatal(err)
	}
	e.GET(path).WithQueryString(next.RawQuery).Expect().Status(http.StatusOK).Body().Contains("Line 700").
		Contains(`id="L700"`).NotContains(`id="L7"`).Contains(">First</a>")
	e.GET(path).WithQuery("find", "nowhere").Expect().Status(http.StatusOK).Body().
		Contains("Not found").Contains(`id="L1200"`)
}
