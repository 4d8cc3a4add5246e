package http

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"

	"runboard/e2e/harness"
)

// hostileKinds has a kind that gets a text in each way that a command can get one.
const hostileKinds = `
kinds:
  job:
    run: [./dump.sh, "{text}", fixed, "--text={text}", "{tags}", "--tag={tags}", "{choice}", "{{text}}", "{}",
      "$HOME"]
    env: {DUMP_DIR: "%DIR%"}
    inputs:
      - {name: text, type: text, dash: true}
      - {name: lines, type: lines}
      - {name: secret, type: secret}
      - {name: tags, type: choices, choices: ["$(touch %DIR%/a)", "-rf; touch %DIR%/b", "'", "* ?"]}
      - {name: choice, type: choice, choices: ["` + "`touch %DIR%/c`" + `", "--", "x y"]}
`

// hostileTexts are texts that would do harm if they were anything but data. Some leave a marker file in dir
// if a shell reads them.
func hostileTexts(dir string) []string {
	marker := dir + "/marker"
	return []string{
		"$(touch " + marker + ")", "`touch " + marker + "`", "; touch " + marker,
		"& touch " + marker + " &", "&& touch " + marker, "|| touch " + marker, "| touch " + marker,
		"> " + marker, "' ; touch " + marker + " ; '", `" ; touch ` + marker + ` ; "`, `\`, `\\`, `'`, `"`,
		`''`, `'"'"'`, "-rf", "--help", "--", "-", "-c", "--text=", "*", "?", "[a-z]*", "~", "~root", "!!",
		"$HOME", "${HOME}", "$((1+1))", "$'\\n'", "%s%n", "%00", "\\0", "{text}", "{{text}}", "{lines}",
		"#", "=", "a=b", "LD_PRELOAD=x", "() { :;}; touch " + marker, " ", "  a  ", "ä€😀", "e\u0301",
		"\u00a0", "\u200b", "\ufeff", "\u2028", "<script>alert(1)</script>", "&lt;", "' OR 1=1 --", "null",
		"true", "0x10", "../../etc/passwd", "/dev/null", strings.Repeat("'", 1000),
		strings.Repeat("😀", 1000), strings.Repeat("\\", 999) + "\"",
	}
}

// What a command gets in words, variables and the file equals what was accepted, byte for byte.
func TestInputs_HostileTextsStayTexts(t *testing.T) {
	t.Parallel()
	d := harness.NewDumper(t, hostileKinds)
	e := harness.NewExpect(t, d.Start(nil))
	given := map[int64]string{}
	for _, text := range hostileTexts(d.Dir) {
		form := url.Values{
			"input.text": {text}, "input.lines": {text + "\r\n" + text}, "input.secret": {text},
		}
		run := firstID(postForm(e, form.Encode()))
		given[run] = text
		body, err := json.Marshal(map[string]any{
			"inputs": map[string]string{"text": text, "lines": text + "\n" + text, "secret": text},
		})
		if err != nil {
			t.Fatal(err)
		}
		run = firstID(postJSON(e, string(body)))
		given[run] = text
	}
	if counts := harness.WaitUntilDone(t, e); counts["failed"] != 0.0 {
		t.Fatalf("the counts are %v", counts)
	}
	for run, text := range given {
		got := d.Given(run)
		want := []string{text, "fixed", "--text=" + text, "{text}", "{}", "$HOME"}
		if !slices.Equal(got.Words, want) {
			t.Errorf("the words are %q, want %q", got.Words, want)
		}
		for name, want := range map[string]string{
			"INPUT_TEXT": text, "INPUT_LINES": text + "\n" + text, "INPUT_SECRET": text,
		} {
			if got.Env[name] != want {
				t.Errorf("%s is %q, want %q", name, got.Env[name], want)
			}
		}
		checkInputFile(t, got.Inputs, map[string]any{
			"text": text, "lines": text + "\n" + text, "secret": text, "tags": nil, "choice": nil,
		})
		var shown map[string]string
		if err := json.Unmarshal([]byte(inputsOf(t, e, run)), &shown); err != nil || shown["text"] != text ||
			shown["lines"] != text+"\n"+text || len(shown) != 2 {
			t.Errorf("the run shows %q: %v", shown, err)
		}
	}
	if files := d.Files(); len(files) > 0 {
		t.Errorf("there are the files %q", files)
	}
}

// checkInputFile checks the file that RUNBOARD_INPUTS names.
func checkInputFile(t *testing.T, content []byte, want map[string]any) {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal(content, &got); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the file has %.100q: %v, want %.100q", content, err, fmt.Sprint(want))
	}
}

func TestInputs_HostileChoicesStayWords(t *testing.T) {
	t.Parallel()
	d := harness.NewDumper(t, hostileKinds)
	e := harness.NewExpect(t, d.Start(nil))
	a, b, c := "$(touch "+d.Dir+"/a)", "-rf; touch "+d.Dir+"/b", "`touch "+d.Dir+"/c`"
	run := firstID(postForm(e, url.Values{"input.tags": {"* ?", b, a}, "input.choice": {c}}.Encode()))
	bare := firstID(postForm(e, ""))
	harness.WaitUntilDone(t, e)
	got := d.Given(run)
	want := []string{"fixed", a, b, "* ?", "--tag=" + a, "--tag=" + b, "--tag=* ?", c, "{text}", "{}",
		"$HOME"}
	if !slices.Equal(got.Words, want) {
		t.Errorf("the words are %q, want %q", got.Words, want)
	}
	if want := a + "\n" + b + "\n* ?"; got.Env["INPUT_TAGS"] != want {
		t.Errorf("INPUT_TAGS is %q, want %q", got.Env["INPUT_TAGS"], want)
	}
	checkInputFile(t, got.Inputs, map[string]any{
		"text": nil, "lines": nil, "secret": nil, "tags": []any{a, b, "* ?"}, "choice": c,
	})
	got = d.Given(bare)
	if want := []string{"fixed", "{text}", "{}", "$HOME"}; !slices.Equal(got.Words, want) {
		t.Errorf("without inputs the words are %q, want %q", got.Words, want)
	}
	for name := range got.Env {
		if strings.HasPrefix(name, "INPUT_") {
			t.Errorf("without inputs there is the variable %s", name)
		}
	}
	if files := d.Files(); len(files) > 0 {
		t.Errorf("there are the files %q", files)
	}
}

// Values that a changed file allows arrive as they are, too.
func TestInputs_HostileChoicesOfAChangedFile(t *testing.T) {
	t.Parallel()
	d := harness.NewDumper(t, hostileKinds)
	b := d.NewProcess()
	b.Start("127.0.0.1:0")
	hostile := `$(touch ` + d.Dir + `/changed); '\"{text}`
	d.WriteKinds(`
kinds:
  job:
    run: [./dump.sh, "{choice}", "--choice={choice}"]
    env: {DUMP_DIR: "%DIR%"}
    inputs: [{name: choice, type: choice, choices: ['$(touch %DIR%/changed); ''\"{text}']}]
`)
	b.Signal(syscall.SIGHUP)
	form := url.Values{"kind": {"job"}, "input.choice": {hostile}}.Encode()
	var created harness.ListJSON
	harness.Eventually(t, "the changed file is read", func() error {
		return b.Do(http.MethodPost, "/process_runs", form, &created)
	})
	b.WaitUntilDone(1)
	got := d.Given(created.ProcessRuns[0].ID)
	if want := []string{hostile, "--choice=" + hostile}; !slices.Equal(got.Words, want) {
		t.Errorf("the words are %q, want %q", got.Words, want)
	}
	if got.Env["INPUT_CHOICE"] != hostile {
		t.Errorf("the variable is %q", got.Env["INPUT_CHOICE"])
	}
	checkInputFile(t, got.Inputs, map[string]any{"choice": hostile})
	if files := d.Files(); len(files) > 0 {
		t.Errorf("there are the files %q", files)
	}
	if err := b.Do(http.MethodPost, "/process_runs", "kind=job&input.text=a", nil); err == nil {
		t.Error("an input that the file no longer declares is accepted")
	}
}
