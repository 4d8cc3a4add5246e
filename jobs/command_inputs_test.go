package jobs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"runboard/app"
	"runboard/e2e/script"
	"runboard/jobs"
	"runboard/jobs/jobstest"
)

// dumpVariable makes the test binary a command that writes what it has received to the file that the variable
// names.
const dumpVariable = "TEST_DUMP"

// received is what a command has received, as bytes because it may not be UTF-8.
type received struct {
	Args, Env [][]byte
	File      []byte // that RUNBOARD_INPUTS names
}

// dump writes what this process has received to a file, and exits.
func dump(path string) {
	var r received
	for _, arg := range os.Args[1:] {
		r.Args = append(r.Args, []byte(arg))
	}
	for _, variable := range os.Environ() {
		r.Env = append(r.Env, []byte(variable))
	}
	if file := os.Getenv("RUNBOARD_INPUTS"); file != "" {
		var err error
		if r.File, err = os.ReadFile(file); err != nil {
			panic(err)
		}
	}
	encoded, err := json.Marshal(r)
	if err == nil {
		err = os.WriteFile(path, encoded, 0o600)
	}
	if err != nil {
		panic(err)
	}
	os.Exit(0)
}

// args returns the arguments without the name of the program.
func (r received) args() (all []string) {
	for _, arg := range r.Args {
		all = append(all, string(arg))
	}
	return all
}

// variable returns the value of a variable.
func (r received) variable(name string) (value string, set bool) {
	for _, variable := range r.Env {
		if value, set = strings.CutPrefix(string(variable), name+"="); set {
			return value, true
		}
	}
	return "", false
}

// dumpKind returns a kind whose command is this test binary with these words and variables, and the path of
// the file that it writes, see dump.
func dumpKind(t *testing.T, run []string, inputs []app.Input, env ...jobs.EnvVar) (kind jobs.Kind, path string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	template, err := jobs.ParseTemplate(append([]string{program}, run...), inputs)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "dump")
	c := jobs.Command{
		Name: "job", Path: program, Template: template,
		Env: append(env, jobs.EnvVar{Name: dumpVariable, Text: path}),
	}
	return c.Kind(app.Kind{}), path
}

// readDump returns what dump wrote.
func readDump(t *testing.T, path string) (got received) {
	t.Helper()
	encoded, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(encoded, &got)
	}
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// receiveInputs executes a run of dumpKind with these inputs, and returns what the command has received.
func receiveInputs(
	t *testing.T, run []string, inputs []app.Input, values app.InputValues, env ...jobs.EnvVar,
) received {
	t.Helper()
	kind, path := dumpKind(t, run, inputs, env...)
	a := newAttempts(t, kind)
	if run, _ := a.execute(t, a.start(t, "job", values...)); run.Status != app.Completed {
		t.Fatalf("the run is %s, %q", run.Status, run.Error)
	}
	return readDump(t, path)
}

func TestCommand_ReceivesEachType(t *testing.T) {
	t.Parallel()
	inputs := []app.Input{
		{Name: "level", Type: app.NumberInput},
		{Name: "compress", Type: app.FlagInput, Flag: "--gzip"},
		{Name: "dry", Type: app.FlagInput, Flag: "--dry"},
		{Name: "tags", Type: app.ChoicesInput,
			Choices: []app.Choice{{Value: "b c"}, {Value: "a"}, {Value: "d"}}},
		{Name: "day", Type: app.DateInput},
		{Name: "rest", Type: app.ChoicesInput, Choices: []app.Choice{{Value: "a"}}},
	}
	values, err := app.CheckInputs(inputs, map[string][]string{
		"level": {"-0.50"}, "compress": {"true"}, "dry": {"false"}, "tags": {"a", "b c"},
		"day": {"2026-11-27"},
	})
	if err != nil {
		t.Fatal(err)
	}
	run := []string{"{compress}", "{dry}", "--level={level}", "{level}", "{tags}", "--tag={tags}",
		"{day}", "{rest}"}
	got := receiveInputs(t, run, inputs, values)
	want := []string{"--gzip", "--level=-0.50", "-0.50", "b c", "a", "--tag=b c", "--tag=a", "2026-11-27"}
	if !slices.Equal(got.args(), want) {
		t.Errorf("the arguments are %q, want %q", got.args(), want)
	}
	for name, want := range map[string]string{
		"INPUT_LEVEL": "-0.50", "INPUT_COMPRESS": "true", "INPUT_DRY": "false", "INPUT_TAGS": "b c\na",
		"INPUT_DAY": "2026-11-27",
	} {
		if value, set := got.variable(name); !set || value != want {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
	const file = `{"level":-0.50,"compress":true,"dry":false,"tags":["b c","a"],"day":"2026-11-27","rest":null}`
	if string(got.File) != file {
		t.Errorf("the file is %s, want %s", got.File, file)
	}
}

func TestCommand_GetsOnlyItsVariables(t *testing.T) {
	t.Setenv("OPS_API_KEY", "from the server\n")
	t.Setenv("INPUT_OTHER", "of the server")
	t.Setenv("RUNBOARD_INPUTS", "of the server")
	path := filepath.Join(t.TempDir(), "key")
	const binary = "a\xff\xfe password\r\n"
	if err := os.WriteFile(path, []byte(binary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := receiveInputs(t, nil, nil, nil, jobs.EnvVar{Name: "HOST", Text: "db1\n"},
		jobs.EnvVar{Name: "LANG", Text: "C"},
		jobs.EnvVar{Name: "KEY", File: path}, jobs.EnvVar{Name: "API", Env: "OPS_API_KEY"})
	for name, want := range map[string]string{"HOST": "db1\n", "LANG": "C", "KEY": binary,
		"API": "from the server"} {
		if value, set := got.variable(name); !set || value != want {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
	for _, variable := range got.Env {
		name, _, _ := strings.Cut(string(variable), "=")
		if !slices.Contains([]string{"PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR", "RUNBOARD_RUN_ID",
			"RUNBOARD_ATTEMPT",
			"RUNBOARD_KIND", "RUNBOARD_INSTANCE", "HOST", "KEY", "API", dumpVariable}, name) {
			t.Errorf("it finds %s", variable)
		}
	}
}

func TestCommand_ReadsReferencesAtEachAttempt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	c, err := jobs.ParseCommand(`job=sh -c 'test "$KEY" = second'`)
	if err != nil {
		t.Fatal(err)
	}
	c.Env = []jobs.EnvVar{{Name: "KEY", File: path}}
	a := newAttempts(t, c.Kind(app.Kind{Policy: app.Policy{Attempts: 2}}))
	run, _ := a.execute(t, a.start(t, "job"))
	if run.Status != app.Created ||
		run.Error != "KEY: the file "+path+" cannot be read: no such file or directory" {
		t.Errorf("without the file it is %s, %q", run.Status, run.Error)
	}
	if err := os.WriteFile(path, []byte("second"), 0o600); err != nil {
		t.Fatal(err)
	}
	if run, err = a.store.Start(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if run, _ = a.execute(t, run); run.Status != app.Completed {
		t.Errorf("with the file it is %s, %q", run.Status, run.Error)
	}
}

// TestCommand_IsLookedForAtEachAttempt covers a program that does not exist when the kinds are read.
func TestCommand_IsLookedForAtEachAttempt(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	template, err := jobs.ParseTemplate([]string{"later-than-the-server"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := jobs.Command{Name: "job", Path: "later-than-the-server", Template: template}
	a := newAttempts(t, c.Kind(app.Kind{}))
	run, _ := a.execute(t, a.start(t, "job"))
	if run.Status != app.Failed || !strings.HasPrefix(run.Error, "the program cannot be run: ") {
		t.Errorf("without the program it is %s, %q", run.Status, run.Error)
	}
	script.Write(t, filepath.Join(dir, c.Path), "#!/bin/sh\necho found\n")
	if run, log := a.execute(t, a.start(t, "job")); run.Status != app.Completed || log != "found\n" {
		t.Errorf("with the program it is %s, %q, and the log is %q", run.Status, run.Error, log)
	}
}

func TestCommand_DescribesWhatItExecutes(t *testing.T) {
	t.Parallel()
	inputs := []app.Input{{Name: "database", Type: app.TextInput}, {Name: "token", Type: app.SecretInput}}
	template, err := jobs.ParseTemplate([]string{"./backup.sh", "{database}", "--verbose"}, inputs)
	if err != nil {
		t.Fatal(err)
	}
	c := jobs.Command{
		Name: "backup", Path: "/srv/backup.sh", Template: template, Dir: "/srv",
		Env: []jobs.EnvVar{{Name: "PGHOST", Text: "db1"}, {Name: "PGPASSWORD", File: "/run/secrets/pg"}},
	}
	registry, err := jobs.NewRegistry(c.Kind(app.Kind{Title: "Back up"}))
	if err != nil {
		t.Fatal(err)
	}
	got, known := registry.Describe("backup", app.InputValues{
		{Name: "database", Type: app.TextInput, Texts: []string{"my shop"}},
		{Name: "token", Type: app.SecretInput, Texts: []string{"correct horse"}},
	})
	want := app.CommandPreview{
		Words: []string{"./backup.sh", "my shop", "--verbose"}, Dir: "/srv",
		Variables: []string{"PGHOST", "PGPASSWORD"},
	}
	if !known || !reflect.DeepEqual(got, want) {
		t.Errorf("it is described as %+v, want %+v", got, want)
	}
	kind, _ := registry.Kind("backup")
	if kind.Title != "Back up" || len(kind.Inputs) != 2 || !kind.Inputs[0].Word {
		t.Errorf("the kind is %+v", kind)
	}
}

// FuzzCommand checks that a command receives each accepted value byte for byte.
func FuzzCommand(f *testing.F) {
	for n, text := range hostileTexts("marker") {
		if n%10 == 0 { // each seed starts a process
			f.Add(text, text+"\r\n"+text, "-0.50", n%20 == 0)
		}
	}
	inputs := []app.Input{
		{Name: "text", Type: app.TextInput, Rules: app.Rules{Dash: true}},
		{Name: "lines", Type: app.LinesInput}, {Name: "number", Type: app.NumberInput},
		{Name: "secret", Type: app.SecretInput},
		{Name: "flag", Type: app.FlagInput, Flag: "--flag"},
	}
	f.Fuzz(func(t *testing.T, text, lines, number string, flag bool) {
		given := map[string][]string{"text": {text}, "lines": {lines}, "number": {number}, "secret": {text},
			"flag": {"false"}}
		var words []string
		if flag {
			given["flag"] = []string{"true"}
			words = append(words, "--flag")
		}
		values, err := app.CheckInputs(inputs, given)
		if err != nil {
			return
		}
		if text != "" {
			words = append(words, text, "--text="+text)
		}
		if number != "" {
			words = append(words, "--number="+number)
		}
		run := []string{"{flag}", "{text}", "--text={text}", "--number={number}"}
		kind, path := dumpKind(t, run, inputs)
		_ = kind.Work(t.Context(), jobstest.NewRun(t, values...)) // if it fails, there is no dump
		got := readDump(t, path)
		if !slices.Equal(got.args(), words) {
			t.Errorf("the arguments are %q, want %q", got.args(), words)
		}
		var file map[string]any
		decoder := json.NewDecoder(strings.NewReader(string(got.File)))
		decoder.UseNumber()
		if err := decoder.Decode(&file); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			"text": text, "lines": strings.ReplaceAll(lines, "\r\n", "\n"), "number": number, "secret": text,
		} {
			value, set := got.variable("INPUT_" + strings.ToUpper(name))
			if set != (want != "") || value != want {
				t.Errorf("the variable of %s is %q, %t, want %q", name, value, set, want)
			}
			if want == "" && file[name] != nil || want != "" && textOfJSON(file[name]) != want {
				t.Errorf("in the file, %s is %v, want %q", name, file[name], want)
			}
		}
	})
}

func textOfJSON(value any) string {
	if number, ok := value.(json.Number); ok {
		return number.String()
	}
	text, _ := value.(string)
	return text
}
