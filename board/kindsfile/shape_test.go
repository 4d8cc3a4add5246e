package kindsfile

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// deployments returns a file with n kinds, each with four inputs.
func deployments(tb testing.TB, n int) []byte {
	tb.Helper()
	example, err := os.ReadFile("../../docs/examples/deploy.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	_, kind, _ := strings.Cut(string(example), "kinds:\n")
	var text strings.Builder
	text.WriteString("kinds:\n")
	for i := range n {
		text.WriteString(strings.Replace(kind, "  deploy:", fmt.Sprintf("  deploy-%d:", i), 1))
	}
	return []byte(text.String())
}

func TestFile_HasHundredsOfKinds(t *testing.T) {
	file, err := Parse("../../docs/examples/many.yaml", deployments(t, 300))
	if err != nil || len(file.Kinds) != 300 || len(file.Warnings) != 0 {
		t.Errorf("%d kinds, %v, error %v", len(file.Kinds), file.Warnings, err)
	}
}

// TestFile_RefusesWhatTakesLong would not end without limits: some of these take the parser minutes.
func TestFile_RefusesWhatTakesLong(t *testing.T) {
	lines := func(text string) string { return strings.Repeat(text, 20_000) }
	for name, content := range map[string]string{
		"brackets": lines("["), "dashes": lines("- "), "keys": lines("a:\n"),
		"kinds": "kinds:\n" + lines("  a: {}\n"), "few keys": strings.Repeat("a:\n", maxKeys+1),
		"few brackets": strings.Repeat("[", maxDepth+1), "braces with keys": "a: {" + lines("b: c,"),
		"words": strings.Repeat("!a ", maxTokens+1), "stairs": stairs(100),
		"too large": strings.Repeat("#", MaxSize+1),
	} {
		_, err := Parse("kinds.yaml", []byte(content))
		if err == nil || !strings.Contains(err.Error(), "more than") &&
			!strings.Contains(err.Error(), "larger") {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

func TestFile_RefusesWhatIsNoFile(t *testing.T) {
	lines := func(text string) string { return strings.Repeat(text, 5000) }
	for name, content := range map[string]string{
		"question marks": lines("? "), "documents": lines("---\n"), "anchors": lines("&a "),
		"aliases": lines("*a "), "quotes": lines("\""), "text": lines("x"), "lines": lines("x\n"),
		"comments": lines("# x\n"), "blanks": lines(" \n"), "tabs": lines("\t"),
		"literal": "a: |\n" + lines("  x\n"), "quoted": "a: \"" + lines("x\n"), "key": lines("x") + ": y",
		"bytes": "\xff\xfe", "zeros": lines("\x00"),
	} {
		_, err := Parse("kinds.yaml", []byte(content))
		if err == nil || len(err.Error()) > 500 || strings.ContainsAny(err.Error(), "\n\x00") {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

// stairs returns n mappings, each in the one before.
func stairs(n int) string {
	var text strings.Builder
	for depth := range n {
		text.WriteString(strings.Repeat(" ", depth) + "a:\n")
	}
	return text.String()
}

func BenchmarkParse_ThousandKinds(b *testing.B) {
	content := deployments(b, 1000)
	for b.Loop() {
		if _, err := Parse("../../docs/examples/many.yaml", content); err != nil {
			b.Fatal(err)
		}
	}
}
