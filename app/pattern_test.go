package app_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"runboard/app"
)

func TestPattern_IgnoresParticulars(t *testing.T) {
	t.Parallel()
	for want, errors := range map[string][]string{
		"exit status #": {"exit status 1", "exit status 127\n"},
		"exit status #\nValueError: no customer #": {"exit status 1\nTraceback (most recent call last):\n  File \"x.py\", line 3\nValueError: no customer 42", "exit status 1\nother\nValueError: no customer 7"},
		"dial tcp #: connect: connection refused": {"dial tcp 10.0.0.1:5432: connect: connection refused",
			"dial tcp 192.168.7.250:80: connect: connection refused"},
		"open <path>: no such file or directory": {"open /var/lib/app/7/x.csv: no such file or directory",
			"open ./data/b.csv: no such file or directory"},
		"user # not found": {"user 7 not found",
			"user 550e8400-e29b-41d4-a716-446655440000 not found", "user 5f3a9c01 not found",
			"user 0xDEADBEEF not found"},
		"GET <url>: 5xx": {},
		"Get \"<url>\": context deadline exceeded": {`Get "https://a.example/v1/7?x=1": context deadline exceeded`, `Get "http://127.0.0.1:80/": context deadline exceeded`},
		"at # it failed": {"at 2026-11-23T15:04:05Z it failed", "at 15:04:05 it failed",
			"at 2026-11-23 it failed", "at 3.14 it failed"},
		"request # was refused": {"request req_8fK2jd93Ls was refused",
			"request 0194f3b2c4d5 was refused"},
		"undefined method `total' for nil (NoMethodError)": {"undefined method `total' for nil (NoMethodError)"},
		"panic at <path>:#": {"panic at /src/main.go:12",
			"panic at ../a/b.go:7:3"},
		"key=#, file='<path>', and/or nothing":                              {"key=12, file='/a/b', and/or nothing", "key=99,  file='/c',  and/or nothing"},
		"worker-# of utf# said: Größe #":                                    {"worker-3 of utf8 said: Größe 7"},
		"ended by the signal SIGKILL":                                       {"ended by the signal SIGKILL"},
		"java.lang.NullPointerException: Cannot invoke \"String.length()\"": {"java.lang.NullPointerException: Cannot invoke \"String.length()\""},
		"": {"", " \n\t\n"},
	} {
		for _, text := range errors {
			if got := app.Pattern(text); got != want {
				t.Errorf("of %q the pattern is %q and not %q", text, got, want)
			}
		}
	}
}

// The output of a command is cut at a length, so what is left of a line depends on the length of its numbers.
func TestPattern_IgnoresWhereALineWasCut(t *testing.T) {
	t.Parallel()
	cut := func(line string) string { return string([]rune(line)[:159]) + "…" }
	const rest = ": remaining connection slots are reserved for roles with the SUPERUSER attribute; " +
		"raise max_connections, or wait until other clients have disconnected from the server"
	var want string
	for _, host := range []string{"db-1 (10.0.0.1)", "db-123 (192.168.100.250)", "db-7 (10.0.0.71)"} {
		got := app.Pattern("exit status 1\n" + cut("connection to "+host+rest))
		if want == "" {
			want = got
		}
		if got != want || !strings.HasPrefix(got, "exit status #\nconnection to db-# (#): remaining") ||
			!strings.HasSuffix(got, "…") || app.Pattern(got) != got {
			t.Errorf("the pattern is %q, want %q", got, want)
		}
	}
	beforeSlash := "aa " + strings.Repeat("a ", 58) + "/ and so on…" // the 120th character is the slash
	if got := app.Pattern(beforeSlash); app.Pattern(got) != got || !strings.HasSuffix(got, "a …") {
		t.Errorf("a line that is cut after a slash becomes %q, and that %q", got, app.Pattern(got))
	}
	if got := app.Pattern("please wait…"); got != "please wait…" {
		t.Errorf("the pattern of a short line is %q", got)
	}
}

func TestPattern_IsIdempotentAndSmall(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z0-9/:.äö -]{120,250}…`),
			rapid.StringMatching(`([a-z0-9/.:#<>=" \n-]{0,9}[A-F0-9x]{0,12}){0,60}`)).Draw(t, "error")
		checkPattern(t.Fatalf, text)
	})
}

func checkPattern(fail func(string, ...any), text string) {
	text = strings.ToValidUTF8(text, "?")
	pattern := app.Pattern(text)
	switch {
	case len(pattern) > app.MaxPattern || !utf8.ValidString(pattern):
		fail("%q becomes %q", text, pattern)
	case (pattern == "") != (strings.TrimSpace(text) == ""):
		fail("%q becomes %q", text, pattern)
	case app.Pattern(pattern) != pattern:
		fail("%q becomes %q, and that %q", text, pattern, app.Pattern(pattern))
	case strings.ContainsAny(pattern, "0123456789"):
		fail("%q becomes %q", text, pattern)
	}
}

func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"", "exit status 1\na\nb 7", "/a/b:1:", "http://x", "10.0.0.1", "0x",
		"C:\\a\\b", strings.Repeat("ä1", 400), "<path>", "a//b/c",
		strings.Repeat("a1/b://c ", 20) + "…"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { checkPattern(t.Fatalf, text) })
}

func BenchmarkPattern(b *testing.B) {
	const text = "exit status 1\nTraceback\n  File \"/srv/app/jobs/import.py\", line 42, in run\nValueError: no customer 550e8400-e29b-41d4-a716-446655440000"
	for b.Loop() {
		app.Pattern(text)
	}
}
