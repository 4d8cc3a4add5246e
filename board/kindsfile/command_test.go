package kindsfile

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"runboard/app"
)

// quoted returns words as a list of YAML.
func quoted(words ...string) string {
	var list []string
	for _, word := range words {
		list = append(list, "'"+strings.ReplaceAll(word, "'", "''")+"'")
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// parseRun parses a file with a kind that has this command and an input of each type.
func parseRun(t *testing.T, words ...string) (File, error) {
	t.Helper()
	return Parse("kinds.yaml", fmt.Appendf(nil, `kinds:
  a:
    run: %s
    inputs:
      - {name: x, type: text}
      - {name: n, type: number}
      - {name: f, type: flag, flag: --gzip}
      - {name: c, type: choice, choices: [p, q]}
      - {name: tags, type: choices, choices: [p, q]}
      - {name: d, type: date}
      - {name: l, type: lines}
      - {name: s, type: secret}
`, quoted(words...)))
}

func TestFile_RefusesPlacesForCode(t *testing.T) {
	var runs [][]string
	for _, name := range strings.Fields("sh bash dash ash zsh ksh fish busybox env nice nohup sudo python " +
		"python3 python3.12 pythonw " +
		"perl ruby node deno bun php lua /bin/sh /usr/bin/python3 ./node") {
		runs = append(runs, []string{name, "{x}"}, []string{"timeout", "5", name, "{x}"},
			[]string{name, "--file={x}"},
			[]string{name, "script", "-e", "code", "{x}"}, []string{name, "--eval={x}"})
	}
	for _, name := range []string{"sh", "/usr/bin/python3"} {
		for _, option := range strings.Fields("-c -e -E -r -p -xc -ec -nE -cx --eval --command --print " +
			"--eval=1 --command=1 --print=1") {
			runs = append(runs, []string{name, option, "{x}"}, []string{name, option, "code", "{x}"},
				[]string{name, "script", option, "code", "more", "--level={x}"},
				[]string{"nohup", name, option, "code", "{tags}"})
		}
		runs = append(runs, []string{name, "--eval={x}"}, []string{name, "script", "--command={x}"},
			[]string{name, "script", "--print={x}"})
	}
	for _, name := range []string{"awk", "gawk", "xargs", "/usr/bin/awk"} {
		runs = append(runs, []string{name, "{x}"}, []string{name, "code", "{x}"},
			[]string{name, "-f", "file", "--", "--level={x}"},
			[]string{"./work", "a", name, "b", "{x}"})
	}
	runs = append(runs, [][]string{
		{"{x}"}, {"./{x}"}, {"--flag={x}"}, {"./work{x}"}, // the first word
		{"./work", "a{x}"}, {"./work", "{x}a"}, {"./work", "{x}{x}"}, {"./work", "-l={x}"},
		{"./work", "-{x}"}, {"./work", "x={x}"}, {"./work", " {x}"}, {"./work", "{x} "},
		{"./work", "--a={x}b"}, {"./work", "--a=b{x}"}, {"./work", "--a={x}{n}"}, {"./work", "--={x}"},
		{"./work", "{{x}}{x}"}, {"./work", "{x}{{x}}"}, {"./work", "'{x}'"}, {"./work", "${x}"},
		{"./work", "{s}"}, {"./work", "--s={s}"}, {"./work", "{l}"}, {"./work", "--l={l}"},
		{"./work", "{missing}"}, {"./work", "--m={missing}"}, {"./work", "a\n{x}"},
	}...)
	for _, run := range runs {
		_, err := parseRun(t, run...)
		if err == nil || !strings.HasPrefix(err.Error(), "kinds.yaml:3: a: {") ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: the error is %v", run, err)
		}
	}
}

func TestFile_AllowsPlacesForValues(t *testing.T) {
	for _, run := range [][]string{
		{"./work", "{x}"}, {"./work", "--x={x}", "{n}", "{f}", "{c}", "{tags}", "{d}"},
		{"./work", "--a.b-c_d={x}", "--A1={x}"}, {"./work", "-c", "{x}"}, {"./work", "-e", "--eval", "{x}"},
		{"git", "-c", "a=b", "log", "{x}"}, {"sh", "./work", "{x}"}, {"python3", "-u", "work.py", "{x}"},
		{"bash", "-x", "./work", "--", "{x}"}, {"node", "work.js", "--eval-all", "{x}"},
		{"sudo", "-u", "backup", "./work", "{x}"}, {"nice", "-n", "5", "./work", "{x}"},
		{"env", "A=1", "./work", "{x}"}, {"nohup", "./work", "{x}"}, {"./work", "{}"},
		{"./work", "{print $1}"}, {"awk", "{print $1}", "file"},
		{"./work", "{X}", "{x-y}", "{ x }", "{1x}", "{x"}, {"./work", "{{x}}", "a{{x}}b"},
		{"./work", "shell", "{x}"}, {"./work", "awkward", "{x}"}, {"./mynode", "{x}"}, {"./perlite", "{x}"},
		{"sh", "-c", "echo \"$INPUT_X\""}, {"./{{x}}"}, {"./work", ""},
	} {
		if _, err := parseRun(t, run...); err != nil {
			t.Errorf("%q: %v", run, err)
		}
	}
}

func TestFile_FaultOfAWordHasItsLine(t *testing.T) {
	_, err := Parse("kinds.yaml",
		[]byte("kinds:\n  a:\n    run:\n      - ./work\n      - ok\n\n      # c\n      - '{x}'\n"+
			"      - ok\n"))
	if err == nil || !strings.HasPrefix(err.Error(), "kinds.yaml:8: a: {x} is not one of its inputs") {
		t.Errorf("the error is %v", err)
	}
}

func TestFile_PathsAreRelativeToTheFile(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"ops", "ops/bin"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]os.FileMode{"ops/bin/work": 0o755, "ops/pw": 0o600} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	const content = `defaults: {dir: ops, env: {A: {file: ops/pw}, B: b}}
kinds:
  one: {run: [ops/bin/work], env: {B: c}}
  two: {run: [./ops/bin/../bin/work], dir: ., env: {C: {file: ./ops/pw}}}
  sh: {run: [sh]}
`
	file, err := Parse(filepath.Join(dir, "kinds.yaml"), []byte(content))
	if err != nil || len(file.Warnings) > 0 {
		t.Fatal(err, file.Warnings)
	}
	one, two, sh := file.Kinds[0].Command, file.Kinds[1].Command, file.Kinds[2].Command
	work, pw := filepath.Join(dir, "ops/bin/work"), filepath.Join(dir, "ops/pw")
	if one.Path != work || two.Path != work || !filepath.IsAbs(sh.Path) || filepath.Base(sh.Path) != "sh" {
		t.Errorf("the programs are %s, %s and %s", one.Path, two.Path, sh.Path)
	}
	if one.Dir != filepath.Join(dir, "ops") || two.Dir != dir || sh.Dir != one.Dir {
		t.Errorf("the directories are %s, %s and %s", one.Dir, two.Dir, sh.Dir)
	}
	env := func(c Command) (all []string) {
		for _, v := range c.Env {
			all = append(all, v.Name+"="+v.Text+v.File)
		}
		return all
	}
	if got := env(one); !slices.Equal(got, []string{"A=" + pw, "B=c"}) {
		t.Errorf("the variables are %q", got)
	}
	if got := env(two); !slices.Equal(got, []string{"A=" + pw, "B=b", "C=" + pw}) {
		t.Errorf("the variables are %q", got)
	}
	if first := one.Template.Words(nil)[0]; first != "ops/bin/work" {
		t.Errorf("the first word is %s", first)
	}
}

func TestFile_WarnsOfWhatIsMissing(t *testing.T) {
	t.Setenv("PRESENT", "")
	file, err := Parse("kinds.yaml", []byte(`defaults:
  dir: missing
  env: {A: {file: missing}}
kinds:
  one: {run: [./missing]}
  two: {run: [missing-program], dir: /dev/null, env: {B: {env: MISSING}, C: {env: PRESENT}, D: {file: "."}}}
  three: {run: [.]}
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, warning := range file.Warnings {
		got = append(got, warning.Error())
	}
	for _, want := range []string{
		"kinds.yaml:2: dir: ", "kinds.yaml:3: env: A: the file ",
		"kinds.yaml:5: one: the program cannot be run: ", "kinds.yaml:6: two: the program cannot be run: ",
		"kinds.yaml:6: two: dir: /dev/null is not a directory",
		"kinds.yaml:6: two: env: B: the variable MISSING is not set", "kinds.yaml:6: two: env: D: the file ",
		"kinds.yaml:7: three: the program cannot be run: ",
	} {
		n := slices.IndexFunc(got, func(text string) bool { return strings.HasPrefix(text, want) })
		if n < 0 {
			t.Errorf("there is no warning %s", want)
			continue
		}
		got = slices.Delete(got, n, n+1)
	}
	if len(got) > 0 {
		t.Errorf("there are also %q", got)
	}
	if path := file.Kinds[1].Command.Path; path != "missing-program" {
		t.Errorf("the path of the missing program is %s", path)
	}
}

func TestFile_DefinitionFollowsWhatIsConfirmed(t *testing.T) {
	const base = "kinds:\n  a:\n    title: A\n    run: [sh, ./work]\n    env: {A: b}\n    confirm: Now?\n" +
		"    timeout: 1h\n    inputs: [{name: x, type: text}]\n"
	definition := func(content string) string {
		file, err := Parse("kinds.yaml", []byte(content))
		if err != nil {
			t.Fatal(err)
		}
		return file.Kinds[0].Definition
	}
	first := definition(base)
	for from, to := range map[string]string{
		"./work": "./other", "A: b": "A: c", "Now?": "Then?", "type: text": "type: text, min: 2",
		"[sh, ./work]": "[sh, ./work, x]", "timeout: 1h": "dir: /", "name: x": "name: y",
	} {
		if definition(strings.Replace(base, from, to, 1)) == first {
			t.Errorf("%s and %s have the same definition", from, to)
		}
	}
	for from, to := range map[string]string{"title: A": "title: B", "timeout: 1h": "timeout: 2h",
		"kinds:": "# a comment\nkinds:"} {
		if definition(strings.Replace(base, from, to, 1)) != first {
			t.Errorf("%s and %s have different definitions", from, to)
		}
	}
}

// as returns n letters.
func as(n int) string { return strings.Repeat("a", n) }

// textInputs returns n declarations of inputs.
func textInputs(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("{name: i%d, type: text}", i))
	}
	return strings.Join(list, ", ")
}

// atLimits are files of which one part is at its limit, or beyond.
var atLimits = []struct {
	content string
	good    bool
}{
	{"kinds: {" + as(63) + ": {run: [sh]}}", true}, {"kinds: {" + as(64) + ": {run: [sh]}}", false},
	{"kinds: {a: {run: [sh]}}", true}, {"kinds: {a-1: {run: [sh]}}", true},
	{"kinds: {1a: {run: [sh]}}", false}, {"kinds: {a_b: {run: [sh]}}", false},
	{"kinds: {-a: {run: [sh]}}", false}, {"kinds: {ä: {run: [sh]}}", false},
	{"kinds: {'': {run: [sh]}}", false},
	{"kinds: {a: {run: [sh], inputs: [" + textInputs(app.MaxInputs) + "]}}", true},
	{"kinds: {a: {run: [sh], inputs: [" + textInputs(app.MaxInputs+1) + "]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{type: text, name: " + as(32) + "}]}}", true},
	{"kinds: {a: {run: [sh], inputs: [{type: text, name: " + as(33) + "}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{type: text, name: a-b}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{type: text, name: _a}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{type: text, name: a_1}]}}", true},
	{"kinds: {a: {run: [sh], inputs: []}}", true}, {"kinds: {a: {run: []}}", false},
	{"kinds: {a: {run: [sh], timeout: 1ns}}", true}, {"kinds: {a: {run: [sh], timeout: 30d}}", true},
	{"kinds: {a: {run: [sh], timeout: 721h}}", false}, {"kinds: {a: {run: [sh], timeout: 90}}", false},
	{"kinds: {a: {run: [sh], timeout: 0s}}", false}, {"kinds: {a: {run: [sh], timeout: -1s}}", false},
	{"kinds: {a: {run: [sh], timeout: 1h30m}}", true}, {"kinds: {a: {run: [sh], timeout: soon}}", false},
	{"kinds: {a: {run: [sh], timeout: ''}}", false}, {"kinds: {a: {run: [sh], timeout: 1.5h}}", true},
	{"kinds: {a: {run: [sh], timeout: [1h]}}", false}, {"kinds: {a: {run: [sh], attempts: 1000}}", true},
	{"kinds: {a: {run: [sh], attempts: 1001}}", false}, {"kinds: {a: {run: [sh], attempts: 0}}", false},
	{"kinds: {a: {run: [sh], attempts: 1.0}}", false}, {"kinds: {a: {run: [sh], attempts: 01}}", false},
	{"kinds: {a: {run: [sh], attempts: -1}}", false}, {"kinds: {a: {run: [sh], concurrency: 0}}", true},
	{"kinds: {a: {run: [sh], concurrency: 1000000}}", true},
	{"kinds: {a: {run: [sh], concurrency: 1000001}}", false},
	{"kinds: {a: {run: [sh], concurrency: 9223372036854775807}}", false},
	{"kinds: {a: {run: [sh], concurrency: 2}}", true},
	{"kinds: {a: {run: [sh], concurrency: -1}}", false},
	{"kinds: {a: {run: [sh], concurrency: 99999999999999999999}}", false},
	{"kinds: {a: {run: [sh], concurrency: 1, concurrency_key: [x]}}", false},
	{"kinds: {a: {run: [sh], env: {INPUT_X: 1}}}", false},
	{"kinds: {a: {run: [sh], env: {RUNBOARD_X: 1}}}", false},
	{"kinds: {a: {run: [sh], env: {INPUTS: 1}}}", true}, {"kinds: {a: {run: [sh], env: {1A: 1}}}", false},
	{"kinds: {a: {run: [sh], env: {A=B: 1}}}", false}, {"kinds: {a: {run: [sh], env: {'': 1}}}", false},
	{"kinds: {a: {run: [sh], env: {_a1: ''}}}", true}, {"kinds: {a: {run: [sh], env: {A: [x]}}}", false},
	{"kinds: {a: {run: [sh], env: {A: {file: ''}}}}", false},
	{"defaults: {}\nkinds: {a: {run: [sh]}}", true},
	{"defaults: {title: x}\nkinds: {a: {run: [sh]}}", false},
	{"defaults: {run: [sh]}\nkinds: {a: {}}", false},
	{"defaults: {concurrency_key: [x]}\nkinds: {a: {run: [sh]}}", false},
	{"defaults: []\nkinds: {a: {run: [sh]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: text, required: yes}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: text, required: 'true'}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: flag, default: no}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: flag, default: false}]}}", true},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: choice, choices: [a, a]}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: choice, choices: []}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: choice}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: choice, choices: a}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: choice, choices: [{value: a, titel: b}]}]}}",
		false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: choice, choices: [~]}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: choices, choices: [a, b], default: [b, a]}]}}",
		true},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: choices, choices: [a, b], default: [a, a]}]}}",
		false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: choices, choices: [a, b], default: [c]}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: text, default: [a]}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: number, min: 1, max: 9, default: 10}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: number, min: 9, max: 1}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: number, step: 0}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: number, min: 1, step: 2, default: 2}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: number, default: 1e3}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: number, default: 007}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: date, default: 2026-02-30}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: date, min: 2026-01-01, default: 2025-12-31}]}}",
		false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: text, max: 3, default: abcd}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: text, pattern: '[a-z]+', default: a1}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: text, pattern: 'a|b', default: ab}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: text, pattern: '(?<=a)b'}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: text, default: \"a\\tb\"}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: text, default: " + as(1001) + "}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: lines, default: \"a\\nb\"}]}}", true},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: secret, default: a}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: text, flag: --x}]}}", false},
	{"kinds: {a: {run: [sh], inputs: [{name: x, type: flag, flag: \"a\\0b\"}]}}", false},
	{"kinds: {a: {run: [./w, '{x}'], inputs: [{name: x, type: text, default: -a}]}}", false},
	{"kinds: {a: {run: [./w, '{x}'], inputs: [{name: x, type: text, dash: true, default: -a}]}}", true},
	{"kinds: {a: {run: [./w, '--x={x}'], inputs: [{name: x, type: text, default: -a}]}}", true},
	{"kinds: {a: {run: [sh], confirm: '{{x}} {} {X}?'}}", true},
	{"kinds: {a: {run: [sh], confirm: '{x}?'}}", false},
}

func TestFile_InputsAreCheckedAtTheirLimits(t *testing.T) {
	for _, test := range atLimits {
		_, err := Parse("kinds.yaml", []byte(test.content))
		if good := err == nil; good != test.good {
			t.Errorf("%s: the error is %v", test.content, err)
		}
	}
}
