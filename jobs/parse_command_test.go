package jobs_test

import (
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"runboard/jobs"
)

func TestParseCommand_SplitsLikeAShell(t *testing.T) {
	t.Parallel()
	for given, want := range map[string][]string{
		`a=echo`:                        {"echo"},
		`a=  echo   two  words `:        {"echo", "two", "words"},
		`a=echo 'one word' "and \"two"`: {"echo", "one word", `and "two`},
		`a=echo $HOME * ~ '|' \> x`:     {"echo", "$HOME", "*", "~", "|", ">", "x"},
		`a=echo "a\nb\$" 'a\b' a\nb`:    {"echo", `a\nb$`, `a\b`, "anb"},
		`a=echo $(id) "$(id)" ${X:-"a b"} $((1+2)) {a,b}`: {"echo", "$(id)", "$(id)", `${X:-"a b"}`,
			"$((1+2))", "{a,b}"},
		"a=echo one\ttwo \\\n three a#b": {"echo", "one", "two", "three", "a#b"},
		`a=echo one # a comment`:         {"echo", "one"},
		`a=echo "zwölf "Boxkämpfer`:      {"echo", "zwölf Boxkämpfer"},
		`a=echo back\ slash \$x`:         {"echo", "back slash", "$x"},
		`a=echo x=y`:                     {"echo", "x=y"},
		`a=echo ''`:                      {"echo", ""},
		`a=sh -c "for i in $(seq 1 20); do echo $i; done"`: {"sh", "-c",
			"for i in $(seq 1 20); do echo $i; done"},
	} {
		command, err := jobs.ParseCommand(given)
		if err != nil || command.Name != "a" || !slices.Equal(command.Template.Words(nil), want) {
			t.Errorf("%s is taken for %q: %v", given, command.Template.Words(nil), err)
		}
		if !filepath.IsAbs(command.Path) || filepath.Base(command.Path) != want[0] {
			t.Errorf("the program of %s is %s", given, command.Path)
		}
	}
}

func TestParseCommand_RejectsWithAReason(t *testing.T) {
	t.Parallel()
	for given, reason := range map[string]string{
		"":                                    "NAME=COMMAND",
		"echo":                                "NAME=COMMAND",
		"=echo":                               "not a name",
		"A=echo":                              "not a name",
		"-a=echo":                             "not a name",
		"a b=echo":                            "not a name",
		"ä=echo":                              "not a name",
		"a\n=echo":                            "not a name",
		strings.Repeat("a", 64) + "=echo":     "not a name",
		"a=":                                  "no command",
		"a=   ":                               "no command",
		"a=''":                                "no command",
		"a=echo 'open":                        "words",
		`a=echo "open`:                        "words",
		`a=echo \`:                            "words",
		"a=echo x | cat":                      "sh -c",
		"a=echo x > file":                     "sh -c",
		"a=echo x; rm y":                      "sh -c",
		"a=echo x && rm y":                    "sh -c",
		"a=echo (x)":                          "sh -c",
		"a=echo $(x":                          "words",
		"a=there-is-no-such-program-anywhere": "cannot be run",
		"a=/etc/passwd":                       "cannot be run",
		"a=/":                                 "cannot be run",
	} {
		if _, err := jobs.ParseCommand(given); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%q is refused with: %v", given, err)
		}
	}
	longest := strings.Repeat("a", 63)
	if command, err := jobs.ParseCommand(longest + "=echo"); err != nil || command.Name != longest {
		t.Errorf("a name of 63 characters: %v", err)
	}
}

func TestCommandKinds_ReadsFlagsAndFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "commands")
	write := func(content string) {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# what we do\n\n  backup = \n")
	if _, err := jobs.CommandKinds(nil, file, "", ""); err == nil ||
		!strings.HasPrefix(err.Error(), "--commands: "+file+", line 3: ") {
		t.Errorf("a wrong line is refused with: %v", err)
	}
	write("# what we do\n\n  backup=echo backup # not a comment\r\nreport=echo report")
	kinds, err := jobs.CommandKinds([]string{"import=echo import"}, file, dir, "")
	if err != nil || len(kinds) != 3 || kinds[0].Name != "import" || kinds[1].Name != "backup" ||
		kinds[2].Name != "report" {
		t.Errorf("the kinds are %+v: %v", kinds, err)
	}
	for flag, wrong := range map[string]func() error{
		"--command: ": func() error {
			_, err := jobs.CommandKinds([]string{"x"}, "", "", "")
			return err
		},
		"--commands: ": func() error {
			_, err := jobs.CommandKinds(nil, filepath.Join(dir, "none"), "", "")
			return err
		},
		"--command-dir: ": func() error { _, err := jobs.CommandKinds(nil, "", file, ""); return err },
	} {
		if err := wrong(); err == nil || !strings.HasPrefix(err.Error(), flag) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("without a line that names %s: %v", flag, err)
		}
	}
}

// marker returns a duration in seconds, for sleep, that identifies the processes of one test.
func marker(t *testing.T) string {
	t.Helper()
	hash := fnv.New32()
	_, _ = hash.Write([]byte(t.Name()))
	return fmt.Sprintf("7%d.%d", os.Getpid(), hash.Sum32())
}

// marked returns the command lines that contain the marker.
func marked(t *testing.T, marker string) (found []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		line, err := os.ReadFile(file) // the process may have exited
		if err == nil && strings.Contains(string(line), marker) {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// awaitMarked waits until at least n processes have the marker, or, with 0, until none has it.
func awaitMarked(t *testing.T, marker string, n int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		found := marked(t, marker)
		if n > 0 && len(found) >= n || n == 0 && len(found) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("instead of %d processes there are %q", n, found)
		}
	}
}
