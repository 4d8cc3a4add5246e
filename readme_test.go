package main

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"runboard/app"
)

func readFile(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestTheReadmeNamesEveryFlagWithItsDefault reads the flags off the struct that kong reads them off.
func TestTheReadmeNamesEveryFlagWithItsDefault(t *testing.T) {
	t.Parallel()
	readme := readFile(t, "README.md")
	config := reflect.TypeFor[app.Config]()
	for i := range config.NumField() {
		tag := config.Field(i).Tag
		if tag.Get("kong") == "-" { // it is not set from outside
			continue
		}
		row := ""
		for line := range strings.Lines(readme) {
			if strings.HasPrefix(line, "|") && strings.Contains(line, "`--"+tag.Get("name")+"`") {
				row = line
			}
		}
		if row == "" || !strings.Contains(row, "`"+tag.Get("default")+"`") && tag.Get("default") != "" {
			t.Errorf("--%s, which is %q by default, stands so: %q", tag.Get("name"), tag.Get("default"), row)
		}
	}
}

// TestTheExampleInTheReadmeIsTheOneThatIsCompiled compares it with the one in the tests of jobs.
func TestTheExampleInTheReadmeIsTheOneThatIsCompiled(t *testing.T) {
	t.Parallel()
	example := readFile(t, "jobs/example_test.go")
	blocks := strings.Split(readFile(t, "README.md"), "```go\n")[1:]
	if len(blocks) == 0 {
		t.Fatal("there is no example")
	}
	for _, block := range blocks {
		code, _, _ := strings.Cut(block, "```")
		if !strings.Contains(example, strings.TrimSpace(code)) {
			t.Errorf("this is not compiled:\n%s", code)
		}
	}
}
