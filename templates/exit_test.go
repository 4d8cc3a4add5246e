package templates

import (
	"testing"

	"runboard/app"
)

func TestExitCode_IsSplitFromTheOutput(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]string{
		"exit status 3 disk full on /dev/sd4":        {"exit 3", "disk full on /dev/sd4"},
		"exit status 3\ndisk full\non /dev/sd4":      {"exit 3", "disk full\non /dev/sd4"},
		"exit status 127":                            {"exit 127", ""},
		"exit status #\nno customer #":               {"exit #", "no customer #"},
		"ended by the signal SIGKILL":                {"SIGKILL", ""},
		"ended by the signal SIGSEGV\ncore dumped":   {"SIGSEGV", "core dumped"},
		"ended by the signal #":                      {"", "ended by the signal #"},
		"exit status":                                {"", "exit status"},
		"exit status 3rd":                            {"", "exit status 3rd"},
		"cannot connect: exit status 3":              {"", "cannot connect: exit status 3"},
		"timed out after 1m0s":                       {"", "timed out after 1m0s"},
		"":                                           {"", ""},
		"exit status 1\n  File \"a.py\"\n    main()": {"exit 1", "  File \"a.py\"\n    main()"},
		"exit status 1\nexit status 2\nend of line":  {"exit 1", "exit status 2\nend of line"},
	} {
		if code, rest := exitCode(text); code != want[0] || rest != want[1] {
			t.Errorf("exitCode(%q) = %q, %q, want %q", text, code, rest, want)
		}
	}
}

func TestErrorLine_IsTheOneThatTellsMost(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]string{
		"exit status 1\nTraceback:\n  line 3\nValueError: no ink\n": {"ValueError: no ink", "exit 1"},
		"exit status 1\nconnection refused":                         {"connection refused", "exit 1"},
		"exit status 1":                                             {"", "exit 1"},
		"ended by the signal SIGTERM\none\ntwo":                     {"two", "SIGTERM"},
		"no ink for 7\nwhile printing":                              {"no ink for 7", ""},
		"\n no ink \n":                                              {"no ink", ""},
		"":                                                          {"", ""},
	} {
		if line, code := errorLine(text); line != want[0] || code != want[1] {
			t.Errorf("errorLine(%q) = %q, %q, want %q", text, line, code, want)
		}
	}
}

// A group is named by the same line as its runs, with the same mark for how the command ended.
func TestErrorLine_OfAPatternIsThatOfItsErrors(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"exit status 3\nopening the disk\nit is full", "exit status 3", "no ink\nwhile printing",
	} {
		line, code := errorLine(text)
		pattern, patternCode := errorLine(app.Pattern(text))
		if line != pattern || (code == "") != (patternCode == "") {
			t.Errorf("the error %q shows %q (%s), its pattern %q (%s)", text, line, code, pattern,
				patternCode)
		}
	}
}
