package kindsfile

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"runboard/app"
)

const backup = `defaults: {timeout: 30m, attempts: 1, env: {LANG: C}}
kinds:
  backup:
    title: Back up a database
    description: Dumps one database.
    group: Databases
    run: [./backup.sh, "{database}", "--level={level}", "{compress}"]
    env: {PGHOST: db1, PGPASSWORD: {file: pg}, API: {env: OPS_API_KEY}}
    timeout: 2h
    attempts: 2
    concurrency: 1
    concurrency_key: [database]
    confirm: "Back up {database} now?"
    inputs:
      - {name: database, type: choice, title: Database, choices: [shop, {value: crm, title: Customers}], default: shop}
      - {name: level, type: number, min: 1, max: 9, default: 6}
      - {name: compress, type: flag, title: Compress, flag: --gzip, default: true}
  echo:
    run: [echo, 1.10, 012, no]
`

// parse parses a file in a directory with the program backup.sh.
func parse(t *testing.T, content string) ([]Kind, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "backup.sh"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	file, err := Parse(filepath.Join(dir, "kinds.yaml"), []byte(content))
	if fault, ok := err.(*Fault); ok {
		fault.File = filepath.Base(fault.File)
	}
	return file.Kinds, err
}

func TestFile_DeclaresKindsInOrder(t *testing.T) {
	kinds, err := parse(t, "\ufeff"+backup)
	if err != nil {
		t.Fatal(err)
	}
	if len(kinds) != 2 || kinds[0].Name != "backup" || kinds[1].Name != "echo" {
		t.Fatalf("kinds are %+v", kinds)
	}
	first := kinds[0]
	if first.Title != "Back up a database" || first.Group != "Databases" ||
		first.Confirm != "Back up {database} now?" {
		t.Errorf("description is %+v", first.Kind)
	}
	policy := app.Policy{Timeout: 2 * time.Hour, Attempts: 2, Concurrency: 1,
		ConcurrencyKey: []string{"database"}}
	if fmt.Sprint(first.Policy) != fmt.Sprint(policy) {
		t.Errorf("policy is %+v, want %+v", first.Policy, policy)
	}
	if second := kinds[1].Policy; second.Timeout != 30*time.Minute || second.Attempts != 1 ||
		second.Concurrency != 0 {
		t.Errorf("policy by default is %+v", second)
	}
	if !filepath.IsAbs(first.Command.Path) || filepath.Base(first.Command.Path) != "backup.sh" {
		t.Errorf("program is %s", first.Command.Path)
	}
	var env []string
	for _, v := range first.Command.Env {
		env = append(env, v.Name)
	}
	if !slices.Equal(env, []string{"LANG", "PGHOST", "PGPASSWORD", "API"}) ||
		!filepath.IsAbs(first.Command.Env[2].File) {
		t.Errorf("variables are %+v", first.Command.Env)
	}
	if !first.Inputs[0].Word || first.Inputs[1].Word || first.Inputs[0].Choices[1].Label() != "Customers" {
		t.Errorf("inputs are %+v", first.Inputs)
	}
}

func TestFile_KeepsScalarsAsWritten(t *testing.T) {
	kinds, err := parse(t, backup)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := kinds[1].Command.Template.Words(nil), []string{"echo", "1.10", "012",
		"no"}; !slices.Equal(got, want) {
		t.Errorf("words are %q, want %q", got, want)
	}
}

// The beginning of a file with one kind, and of its inputs.
const (
	oneKind   = "kinds:\n  backup:\n    run: [./backup.sh]\n"
	itsInputs = oneKind + "    inputs:\n"
)

// faulty are files with one fault each, and a part of the message about it.
var faulty = []struct{ name, content, want string }{
	{"empty", "", "kinds.yaml:1: the file is empty"},
	{"no kinds", "kinds: {}\n", "kinds.yaml:1: there are no kinds"},
	{"unknown key", oneKind + "    timout: 5m\n",
		`kinds.yaml:4: backup: unknown key "timout", did you mean "timeout"?`},
	{"unknown section", "kindz: {}\n", `kinds.yaml:1: unknown key "kindz", did you mean "kinds"?`},
	{"unknown default", "defaults: {titel: x}\n" + oneKind, `kinds.yaml:1: unknown key "titel"`},
	{"double key", oneKind + "    title: a\n    title: b\n",
		`kinds.yaml:5: backup: the key "title" is there twice`},
	{"double kind", oneKind + "  backup: {run: [ls]}\n",
		`kinds.yaml:4: backup: the key "backup" is there twice`},
	{"alias", oneKind + "    title: *a\n", "kinds.yaml:4: backup: anchors and aliases are not allowed"},
	{"anchor", oneKind + "    title: &a b\n", "kinds.yaml:4: backup: anchors and aliases are not allowed"},
	{"tag", oneKind + "    title: !!str b\n", "kinds.yaml:4: backup: tags are not allowed"},
	{"null", oneKind + "    title:\n", "kinds.yaml:4: backup: a value is missing here (null)"},
	{"tilde", oneKind + "    title: ~\n", "kinds.yaml:4: backup: a value is missing here (null)"},
	{"merge", oneKind + "    <<: {title: a}\n", "kinds.yaml:4: backup:"},
	{"text is a list", oneKind + "    title: [a]\n",
		"kinds.yaml:4: backup: title must be a text, not a list"},
	{"number is a text", oneKind + "    attempts: two\n",
		`kinds.yaml:4: backup: attempts must be a whole number, not "two"`},
	{"number is quoted", oneKind + "    attempts: \"2\"\n", "backup: attempts must be a whole number"},
	{"attempts 0", oneKind + "    attempts: 0\n",
		"kinds.yaml:4: backup: attempts must be between 1 and 1000"},
	{"timeout without unit", oneKind + "    timeout: 30\n", `backup: timeout must be a duration above 0`},
	{"timeout 0", oneKind + "    timeout: 0s\n", "backup: timeout must be a duration above 0"},
	{"run missing", "kinds:\n  backup:\n    title: x\n",
		"kinds.yaml:2: backup: run, the words of the command, is missing"},
	{"run is text", "kinds:\n  backup:\n    run: ./backup.sh\n",
		"kinds.yaml:3: backup: run must be a list"},
	{"no program", "kinds:\n  backup:\n    run: ['', x]\n",
		"kinds.yaml:3: backup: the first word of run, the program, is empty"},
	{"kind name", "kinds:\n  Backup:\n    run: [ls]\n",
		`kinds.yaml:2: Backup: "Backup" is not a name of a kind`},
	{"simulated", "kinds:\n  simulated:\n    run: [ls]\n",
		"kinds.yaml:2: simulated: the name simulated is taken"},
	{"syntax", oneKind + "    title: [a\n", "kinds.yaml:4: "},
	{"second document", oneKind + "---\nkinds: {}\n", "a second document begins"},
	{"placeholder", "kinds:\n  backup:\n    run:\n      - ./backup.sh\n      - '{x}'\n",
		"kinds.yaml:5: backup: {x} is not one of its inputs"},
	{"bad default", itsInputs + "      - {name: a, type: number, min: 1, default: 0}\n",
		"kinds.yaml:5: backup: input a: the default must be at least 1"},
	{"dash default", "kinds:\n  backup:\n    run: [./backup.sh, '{a}']\n    inputs:\n      - name: a\n" +
		"        type: text\n        default: -x\n",
		"kinds.yaml:7: backup: input a: the default must not begin with -"},
	{"secret default", itsInputs + "      - {name: a, type: secret, default: x}\n",
		"backup: input a: default is not for the type secret"},
	{"list default", itsInputs + "      - {name: a, type: choices, choices: [x], default: x}\n",
		"backup: input a: the default of the type choices is a list"},
	{"unknown type", itsInputs + "      - {name: a, type: txt}\n",
		`kinds.yaml:5: backup: input a: unknown type "txt"`},
	{"input key", itsInputs + "      - {name: a, type: text, requird: true}\n",
		`kinds.yaml:5: backup: unknown key "requird", did you mean "required"?`},
	{"input without type", itsInputs + "      - {name: a}\n", "kinds.yaml:5: backup: an input needs a type"},
	{"two inputs", itsInputs + "      - {name: a, type: text}\n      - {name: a, type: text}\n",
		"kinds.yaml:6: backup: two inputs are named a"},
	{"input name", itsInputs + "      - {name: A, type: text}\n", `backup: input A: "A" is not a name`},
	{"pattern", itsInputs + "      - {name: a, type: text, pattern: '('}\n",
		"kinds.yaml:5: backup: input a: error parsing regexp"},
	{"secret key", itsInputs +
		"      - {name: a, type: secret}\n    concurrency: 1\n    concurrency_key: [a]\n",
		"kinds.yaml:7: backup: concurrency_key: {a} is a secret"},
	{"confirm", itsInputs + "      - {name: a, type: secret}\n    confirm: 'Use {a}?'\n",
		"kinds.yaml:6: backup: confirm: {a} is a secret"},
	{"env name", oneKind + "    env: {INPUT_A: x}\n", "kinds.yaml:4: backup: env: INPUT_A is taken"},
	{"env reference", oneKind + "    env: {A: {file: a, env: b}}\n",
		"kinds.yaml:4: backup: a reference is either"},
	{"key of no limit", itsInputs + "      - {name: a, type: text}\n    concurrency_key: [a]\n",
		"backup: concurrency_key: it needs concurrency"},
}

func TestFile_FaultsAreOneLine(t *testing.T) {
	for _, test := range faulty {
		_, err := parse(t, test.content)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) &&
			!strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error is %v, want %s", test.name, err, test.want)
			continue
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error has several lines: %q", test.name, err)
		}
	}
}

// TestFile_NamesTheKindOfAFault covers kinds on one line, and faults outside kinds.
func TestFile_NamesTheKindOfAFault(t *testing.T) {
	for content, want := range map[string]string{
		"kinds: {a: {run: [ls]}, b: {run: [ls], x: 1}, c: {run: [ls]}}":     `kinds.yaml:1: b: unknown key "x"`,
		"kinds: {a: {run: [ls]}, b: {run: [ls], title: ~}, c: {run: [ls]}}": "kinds.yaml:1: b: a value is missing",
		"kinds:\n  a: {run: [ls]}\ndefaults: {attempts: 0}\n":               "kinds.yaml:3: attempts must be between 1 and 1000",
		"kinds:\n  a: {run: [ls]}\ndefaults: {timeout: 31d}\n":              "kinds.yaml:3: timeout must be above 0 and at most 30 days",
		"kinds:\n  a: {run: [ls]}\ndefaults: {env: {INPUT_A: x}}\n":         "kinds.yaml:3: env: INPUT_A is taken",
		"defaults: {confirm: x}\nkinds:\n  a: {run: [ls]}\n":                `kinds.yaml:1: unknown key "confirm"`,
		"kinds:\n  a: {run: [ls]}\n  b:\n    run: [ls]\n    title: 'a\n":    "kinds.yaml:5: b: could not find end character",
		"kinds:\n  a: {run: [ls]}\n  b:\n\trun: [ls]\n":                     "kinds.yaml:4: b: found character",
		"kinds:\n  a:\n    run: [ls]\n\nkinds:\n  b:\n    run: [ls]\n":      `kinds.yaml:5: the key "kinds" is there twice`,
		"kinds: [a]":                     "kinds.yaml:1: kinds must be a mapping of names and values, not a list",
		"kinds:\n  a: {title: \"\xff\"}": "kinds.yaml:2: the file is not valid UTF-8",
		"[]":                             "kinds.yaml:1: must be a mapping of keys and values, not a list",
		"kinds:\n  \"a\\nb\": {}\n":      `kinds.yaml:2: a b: "a\nb" is not a name of a kind`,
	} {
		_, err := parse(t, content)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: error is %v, want %s", content, err, want)
		}
	}
}

func TestFile_CountsLines(t *testing.T) {
	for name, before := range map[string]string{
		"literal": "    description: |\n      a\n\n      b\n",
		"folded":  "    description: >-\n      a\n      b\n\n\n",
		"quoted":  "    description: \"a\n      b\n\n      c\"\n",
		"plain":   "    description: a\n      b\n      c\n", "comments": "    # a\n\n    # b\n\n",
		"list": "    concurrency_key:\n    - a\n\n    - b\n", "CRLF": "    title: a\r\n\r\n",
		"brackets": "    env: {\n      A: b,\n\n      C: d}\n",
	} {
		content := "\ufeff# a kind\n---\nkinds:\n  backup:\n    run: [./backup.sh]\n" + before +
			"    timout: 1h\n"
		want := fmt.Sprintf("kinds.yaml:%d: backup: unknown key", 6+strings.Count(before, "\n"))
		if _, err := parse(t, content); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error is %v, want %s", name, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(backup)
	f.Add("kinds: {a: {run: [ls, '{x}'], inputs: [{name: x, type: text}]}}")
	f.Add("kinds:\n  \"a\\nb\":\n    \"\\x00\": |\n      x\n...\n? y\n")
	f.Fuzz(func(t *testing.T, content string) {
		file, err := Parse("kinds.yaml", []byte(content))
		if err == nil && len(file.Kinds) == 0 {
			t.Error("a file without kinds is accepted")
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\r\x00") {
			t.Errorf("error is not one line of text: %q", err)
		}
	})
}
