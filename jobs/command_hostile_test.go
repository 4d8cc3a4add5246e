package jobs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"runboard/app"
	"runboard/e2e/script"
	"runboard/jobs"
)

// hostileTexts are texts that a shell, an option parser or a template would read as more than data.
func hostileTexts(marker string) []string {
	return []string{
		`'`, `"`, `a'b"c`, "$(touch " + marker + ")", "`touch " + marker + "`", "; touch " + marker,
		"&& touch " + marker, "| touch " + marker, "> " + marker, "x' ; touch " + marker + " #",
		`x" ; touch ` + marker + ` #`, "${HOME}", "$HOME", "*", "?", "[a-z]*", "~", "~root", "{a,b}",
		"{database}", "{{database}}", "%s%n", `\`, `\n`, `\x00`, "!!", "#", "=", "a b  c", " a ",
		"ünïcödé 日本語 🚀", "e\u0301", "\u200b", "\ufeff", "--", "-", "--help", "-rf", "-c touch " + marker,
		"/etc/passwd", "../../etc/passwd", "true", "null", "0", "1e9", "<b>", "&amp;", "</script>", "\u2028",
		strings.Repeat("x", 1000), strings.Repeat("🚀", 1000),
	}
}

// textsAtOnce is how many hostile texts a test gives to one run: a process with the race detector starts
// slowly.
const textsAtOnce = 9

func TestCommand_ReceivesHostileValuesUnchanged(t *testing.T) {
	t.Parallel()
	marker := filepath.Join(t.TempDir(), "marker")
	run, inputs := []string{"{unset}", "--unset={unset}"}, []app.Input{{Name: "unset", Type: app.TextInput}}
	for n := range textsAtOnce {
		run = append(run, fmt.Sprintf("{text%d}", n), fmt.Sprintf("--text={text%d}", n))
		inputs = append(inputs,
			app.Input{Name: fmt.Sprint("text", n), Type: app.TextInput, Rules: app.Rules{Dash: true}},
			app.Input{Name: fmt.Sprint("lines", n), Type: app.LinesInput},
			app.Input{Name: fmt.Sprint("secret", n), Type: app.SecretInput})
	}
	for texts := range slices.Chunk(hostileTexts(marker), textsAtOnce) {
		given, words := map[string][]string{}, []string{}
		for n, text := range texts {
			given[fmt.Sprint("text", n)] = []string{text}
			given[fmt.Sprint("lines",
				n)] = []string{strings.Join([]string{text, texts[(n+1)%len(texts)], "", text}, "\n")}
			given[fmt.Sprint("secret", n)] = []string{text}
			words = append(words, text, "--text="+text)
		}
		values, err := app.CheckInputs(inputs, given)
		if err != nil {
			t.Fatalf("%q are refused: %v", texts, err)
		}
		checkReceived(t, receiveInputs(t, run, inputs, values), inputs, given, words)
	}
	if _, err := os.Stat(marker); !os.IsNotExist(err) {
		t.Errorf("a value was executed: %v", err)
	}
}

// checkReceived checks that a command has received these words, and the given values of its inputs.
func checkReceived(t *testing.T, got received, inputs []app.Input, given map[string][]string, words []string) {
	t.Helper()
	if !slices.Equal(got.args(), words) {
		t.Errorf("the arguments are %q, want %q", got.args(), words)
	}
	var file map[string]*string
	if err := json.Unmarshal(got.File, &file); err != nil {
		t.Fatal(err)
	}
	if len(file) != len(inputs) {
		t.Errorf("the file has %d inputs, want %d", len(file), len(inputs))
	}
	for _, input := range inputs {
		value, set := got.variable("INPUT_" + strings.ToUpper(input.Name))
		want := given[input.Name]
		if want == nil {
			if set || file[input.Name] != nil {
				t.Errorf("%s has a value", input.Name)
			}
			continue
		}
		if !set || value != want[0] {
			t.Errorf("the variable of %s is %q, want %q", input.Name, value, want[0])
		}
		if inFile := file[input.Name]; inFile == nil || *inFile != want[0] {
			t.Errorf("%s is not %q in the file", input.Name, want[0])
		}
	}
}

// TestCommand_ShellScriptCannotBeInjected runs the kind of script that people write.
func TestCommand_ShellScriptCannotBeInjected(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	marker := filepath.Join(dir, "marker")
	program := filepath.Join(dir, "script.sh")
	text, run, inputs := "#!/bin/sh\n", []string{program}, []app.Input{}
	for n := range textsAtOnce {
		text += fmt.Sprintf("printf '%%s\\n' \"$%d\" \"$INPUT_TEXT%d\"\n", n+1, n)
		run = append(run, fmt.Sprintf("{text%d}", n))
		inputs = append(inputs,
			app.Input{Name: fmt.Sprint("text", n), Type: app.TextInput, Rules: app.Rules{Dash: true}})
	}
	script.Write(t, program, text)
	template, err := jobs.ParseTemplate(run, inputs)
	if err != nil {
		t.Fatal(err)
	}
	a := newAttempts(t, jobs.Command{Name: "job", Path: program, Template: template,
		Dir: dir}.Kind(app.Kind{}))
	texts := hostileTexts(marker)
	for len(texts)%textsAtOnce > 0 {
		texts = append(texts, "'")
	}
	for texts := range slices.Chunk(texts, textsAtOnce) {
		var values app.InputValues
		want := ""
		for n, text := range texts {
			name := fmt.Sprint("text", n)
			values = append(values, app.InputValue{Name: name, Type: app.TextInput, Texts: []string{text}})
			want += text + "\n" + text + "\n"
		}
		run, log := a.execute(t, a.start(t, "job", values...))
		if run.Status != app.Completed || log != want {
			t.Errorf("%q arrive as %q; the run is %s, %q", texts, log, run.Status, run.Error)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("there are the files %v: %v", files, err)
	}
}
