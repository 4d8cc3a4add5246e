package http

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"runboard/e2e/harness"
)

// deliveryKinds has a kind with an input of each type that can be a word, and with further ones.
const deliveryKinds = `
kinds:
  job:
    run: [./dump.sh, "{text}", "--number={number}", "{flag}", "{on}", "{choice}", "{tags}", "--tag={tags}",
      "--date={date}", "{{number}}"]
    env: {DUMP_DIR: "%DIR%", OWN: "a b"}
    inputs:
      - {name: text, type: text}
      - {name: number, type: number}
      - {name: flag, type: flag, flag: --flag}
      - {name: on, type: flag, default: true}
      - {name: choice, type: choice, choices: [1.10, 012, no]}
      - {name: tags, type: choices, choices: [b, a, c]}
      - {name: date, type: date}
      - {name: lines, type: lines}
      - {name: secret, type: secret}
`

// deliveries are forms, and what a command gets from them.
var deliveries = []struct {
	form  string
	words []string
	env   map[string]string
	file  string
}{
	{
		form:  "",
		words: []string{"{number}"},
		env:   map[string]string{"INPUT_ON": "true"},
		file: `{"text":null,"number":null,"flag":null,"on":true,"choice":null,"tags":null,"date":null,` +
			`"lines":null,"secret":null}`,
	},
	{
		form: "input.text=+a&input.number=1.50&input.flag=true&input.on=false&input.choice=1.10&" +
			"input.tags=c&input.tags=b&input.date=2026-11-27&input.lines=x%0D%0Ay&input.secret=hidden",
		words: []string{" a", "--number=1.50", "--flag", "1.10", "b", "c", "--tag=b", "--tag=c",
			"--date=2026-11-27", "{number}"},
		env: map[string]string{"INPUT_TEXT": " a", "INPUT_NUMBER": "1.50", "INPUT_FLAG": "true",
			"INPUT_ON": "false", "INPUT_CHOICE": "1.10", "INPUT_TAGS": "b\nc", "INPUT_DATE": "2026-11-27",
			"INPUT_LINES": "x\ny", "INPUT_SECRET": "hidden"},
		file: `{"text":" a","number":1.50,"flag":true,"on":false,"choice":"1.10","tags":["b","c"],` +
			`"date":"2026-11-27","lines":"x\ny","secret":"hidden"}`,
	},
	{
		form:  "input.flag=false&input.choice=no&input.number=-0.0",
		words: []string{"--number=-0.0", "no", "{number}"},
		env: map[string]string{"INPUT_FLAG": "false", "INPUT_ON": "true", "INPUT_CHOICE": "no",
			"INPUT_NUMBER": "-0.0"},
		file: `{"text":null,"number":-0.0,"flag":false,"on":true,"choice":"no","tags":null,"date":null,` +
			`"lines":null,"secret":null}`,
	},
}

func TestInputs_ReachTheCommandInEveryWay(t *testing.T) {
	t.Parallel()
	d := harness.NewDumper(t, deliveryKinds)
	e := harness.NewExpect(t, d.Start(nil))
	for _, test := range deliveries {
		run := firstID(postForm(e, test.form))
		harness.WaitUntilDone(t, e)
		got := d.Given(run)
		if !slices.Equal(got.Words, test.words) {
			t.Errorf("%s: the words are %q, want %q", test.form, got.Words, test.words)
		}
		if text := strings.TrimSuffix(string(got.Inputs), "\n"); text != test.file {
			t.Errorf("%s: the file is %s, want %s", test.form, text, test.file)
		}
		if got.Env["OWN"] != "a b" {
			t.Errorf("a variable of the operator is %q", got.Env["OWN"])
		}
		for name, value := range got.Env {
			if strings.HasPrefix(name, "INPUT_") && value != test.env[name] {
				t.Errorf("%s: %s is %q, want %q", test.form, name, value, test.env[name])
			}
		}
		for name := range test.env {
			if _, is := got.Env[name]; !is {
				t.Errorf("%s: there is no %s", test.form, name)
			}
		}
		if _, err := os.Stat(got.Env["RUNBOARD_INPUTS"]); !os.IsNotExist(err) {
			t.Errorf("the file with the inputs is still there: %v", err)
		}
	}
}

// reread sends SIGHUP and waits until a request for the kinds contains text.
func reread(t *testing.T, b *harness.Process, text string) {
	t.Helper()
	b.Signal(syscall.SIGHUP)
	e := harness.NewExpect(t, &harness.Program{URL: b.URL})
	harness.Eventually(t, "the file is read again", func() error {
		kinds := e.GET("/kinds").WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusOK).Body()
		if !strings.Contains(kinds.Raw(), text) {
			return fmt.Errorf("the kinds are %s", kinds.Raw())
		}
		return nil
	})
}

// failureOf waits until a run has failed and returns its error and the number of its attempts.
func failureOf(t *testing.T, b *harness.Process, run int64) (text string, attempts int) {
	t.Helper()
	var failed struct {
		Status, Error string
		Attempt       int
	}
	harness.Eventually(t, fmt.Sprintf("run %d has failed", run), func() error {
		if err := b.Get(fmt.Sprintf("/process_runs/%d", run), &failed); err != nil {
			return err
		}
		if failed.Status != "failed" {
			return fmt.Errorf("it is %+v", failed)
		}
		return nil
	})
	return failed.Error, failed.Attempt
}

// A run that waits while the file changes is checked again, and is not tried again if it no longer fits.
func TestInputs_AreCheckedAgainBeforeAnAttempt(t *testing.T) {
	t.Parallel()
	kinds := func(choices string) string {
		return `
kinds:
  job:
    run: [./dump.sh, "{choice}"]
    attempts: 3
    env: {DUMP_DIR: "%DIR%"}
    inputs: [{name: choice, type: choice, choices: ` + choices + `}]
`
	}
	d := harness.NewDumper(t, kinds("[old, kept]"))
	b := d.NewProcess()
	b.Start("127.0.0.1:0")
	for _, request := range [][2]string{
		{"/kinds/job/pause", ""}, {"/process_runs", "input.choice=old"},
		{"/process_runs", "input.choice=kept"},
	} {
		if err := b.Do(http.MethodPost, request[0], request[1], nil); err != nil {
			t.Fatal(err)
		}
	}
	d.WriteKinds(kinds("[kept, new]"))
	reread(t, b, `"new"`)
	if err := b.Do(http.MethodPost, "/kinds/job/resume", "", nil); err != nil {
		t.Fatal(err)
	}
	b.WaitUntilDone(2)
	text, attempts := failureOf(t, b, 1)
	if !strings.Contains(strings.ToLower(text), "the inputs no longer fit") || attempts != 1 {
		t.Errorf("after %d attempts it has failed with %q", attempts, text)
	}
	if got := d.Given(2).Words; !slices.Equal(got, []string{"kept"}) {
		t.Errorf("the other run was given %q", got)
	}
}

// A run whose secret cannot be read fails without its command, and cannot be retried.
func TestSecret_IsLostWithItsKey(t *testing.T) {
	t.Parallel()
	d := harness.NewDumper(t, `
kinds:
  job:
    run: [./dump.sh]
    attempts: 3
    env: {DUMP_DIR: "%DIR%"}
    inputs: [{name: token, type: secret}]
`)
	b := d.NewProcess("--secret-key-file", harness.NewSecretKey(t))
	b.Start("127.0.0.1:0")
	form := url.Values{"input.token": {"hunter2-hunter2"}}.Encode()
	for _, request := range [][2]string{
		{"/kinds/job/pause", ""}, {"/process_runs", form}, {"/process_runs", ""},
	} {
		if err := b.Do(http.MethodPost, request[0], request[1], nil); err != nil {
			t.Fatal(err)
		}
	}
	b.Kill()
	b.Args = []string{"--kinds", d.Path(), "--secret-key-file", harness.NewSecretKey(t)}
	b.Restart()
	if err := b.Do(http.MethodPost, "/kinds/job/resume", "", nil); err != nil {
		t.Fatal(err)
	}
	b.WaitUntilDone(2)
	text, attempts := failureOf(t, b, 1)
	if !strings.Contains(strings.ToLower(text), "the secret is no longer known") || attempts != 1 {
		t.Errorf("after %d attempts it has failed with %q", attempts, text)
	}
	if err := b.Answers(http.MethodPost, "/process_runs/1/retry", http.StatusConflict); err != nil {
		t.Error(err)
	}
	if files, err := os.ReadDir(d.Dir); err != nil || slices.ContainsFunc(files, isDumpOf("1")) {
		t.Errorf("its command has run: %v, %v", files, err)
	}
	if got := d.Given(2).Words; len(got) > 0 {
		t.Errorf("the run without a secret was given %q", got)
	}
}

// isDumpOf returns a function that reports whether a file is what the command of a run wrote.
func isDumpOf(run string) func(os.DirEntry) bool {
	return func(file os.DirEntry) bool { return strings.HasPrefix(file.Name(), run+".") }
}
