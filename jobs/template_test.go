package jobs

import (
	"path"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"runboard/app"
)

var templateInputs = []app.Input{
	{Name: "database", Type: app.TextInput},
	{Name: "level", Type: app.NumberInput},
	{Name: "compress", Type: app.FlagInput, Flag: "--gzip"},
	{Name: "tags", Type: app.ChoicesInput, Choices: []app.Choice{{Value: "a"}, {Value: "b c"}}},
	{Name: "token", Type: app.SecretInput},
	{Name: "notes", Type: app.LinesInput},
}

func TestTemplate_KeepsEachValueOneWord(t *testing.T) {
	template, err := ParseTemplate([]string{"./work", "{database}", "--level={level}", "{compress}", "{tags}",
		"--tag={tags}", "{{x}}", "{}"}, templateInputs)
	if err != nil {
		t.Fatal(err)
	}
	hostile := "$(touch x); `id` && '\" *"
	values := app.InputValues{
		{Name: "database", Type: app.TextInput, Texts: []string{hostile}},
		{Name: "level", Type: app.NumberInput, Texts: []string{"6"}},
		{Name: "compress", Type: app.FlagInput, Texts: []string{"true"}},
		{Name: "tags", Type: app.ChoicesInput, Texts: []string{"a", "b c"}},
	}
	want := []string{"./work", hostile, "--level=6", "--gzip", "a", "b c", "--tag=a",
		"--tag=b c", "{x}", "{}"}
	if got := template.Words(values); !slices.Equal(got, want) {
		t.Errorf("words are %q, want %q", got, want)
	}
	values[2].Texts = []string{"false"}
	if got, want := template.Words(values[2:3]), []string{"./work", "{x}", "{}"}; !slices.Equal(got, want) {
		t.Errorf("without values the words are %q, want %q", got, want)
	}
}

func TestTemplate_RefusesUnsafePlaces(t *testing.T) {
	for _, test := range []struct{ run, want string }{
		{"{database}", "cannot be the program"},
		{"./work x{level}", "whole word"},
		{"./work {level}x", "whole word"},
		{"./work -l={level}", "whole word"},
		{"./work {level}{level}", "whole word"},
		{"./work --l={level},x", "whole word"},
		{"./work {missing}", "not one of its inputs"},
		{"./work {token}", "INPUT_TOKEN"},
		{"./work --notes={notes}", "INPUT_NOTES"},
		{"sh -c {database}", "code"},
		{"sh -c x y {database}", "code"},
		{"/bin/bash -ec x {database}", "code"},
		{"bash {database}", "would run it"},
		{"bash -x {database}", "would run it"},
		{"bash --rcfile={database}", "would run it"},
		{"python3.12 --command {database}", "code"},
		{"perl -ne x {database}", "code"},
		{"node --eval=1 {database}", "code"},
		{"node --eval={database}", "code"},
		{"env A=1 {database}", "would run it"},
		{"env -S {database}", "splits text"},
		{"env -iS bash x {database}", "splits text"},
		{"env --split-string=bash x {database}", "splits text"},
		{"sudo -u root {database}", "would run it"},
		{"nice sh -c {database}", "code"},
		{"awk x {database}", "reads code"},
		{"./work xargs {database}", "reads code"},
		{"lua5.4 {database}", "would run it"},
	} {
		_, err := ParseTemplate(strings.Fields(test.run), templateInputs)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", test.run, err, test.want)
		}
	}
}

// TestTemplate_RefusesWhatTheRulesSay compares random commands with the rules in their shortest form: after
// an interpreter, no value follows an option that may be followed by code, and none is its first word.
func TestTemplate_RefusesWhatTheRulesSay(t *testing.T) {
	t.Parallel()
	names := strings.Fields("sh bash dash ash zsh ksh fish busybox env nice nohup sudo xargs awk gawk " +
		"python3 perl ruby node deno bun php lua")
	options := strings.Fields("-c -e -E -r -p -xc -n -u -x --eval --command --print --eval=1 --verbose -- " +
		"A=1 script.sh")
	words := rapid.SampledFrom(slices.Concat(names, options,
		[]string{"/usr/bin/sh", "{database}", "{database}", "{database}"}))
	rapid.Check(t, func(t *rapid.T) {
		run := append([]string{"./work"}, rapid.SliceOfN(words, 1, 6).Draw(t, "words")...)
		interpreter, code, refused := false, false, false
		for n, word := range run {
			switch {
			case word == "{database}":
				refused = refused || code || slices.Contains(names, path.Base(run[n-1]))
			case slices.Contains(names, path.Base(word)):
				interpreter = true
				code = code || strings.Contains(word, "awk") || word == "xargs"
			case interpreter &&
				(strings.HasPrefix(word, "--eval") || word == "--command" || word == "--print"):
				code = true
			case interpreter && len(word) > 1 && word[0] == '-' && word[1] != '-':
				code = code || strings.ContainsAny(word, "ceErp")
			}
		}
		if _, err := ParseTemplate(run, templateInputs); refused && err == nil {
			t.Fatalf("%q is accepted", run)
		}
	})
}

func TestTemplate_AcceptsSafePlaces(t *testing.T) {
	for _, run := range []string{
		"./work -c {database}", "./work --eval={database}", "bash work.sh {database}",
		"python3 -u work.py --level={level}", "nice -n {level} ./work", "nice -n 10 ./work {database}",
		"env A=1 ./work {database}", "sudo -u root ./work {database}",
		"./work {print {level}",
	} {
		words := strings.Fields(run)
		if _, err := ParseTemplate(words, templateInputs); err != nil {
			t.Errorf("%s: %v", run, err)
		}
	}
}
