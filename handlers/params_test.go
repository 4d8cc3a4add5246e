package handlers

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"runboard/app"
)

func FuzzParseNumber(f *testing.F) {
	for _, seed := range []string{"", "0", "1", "007", "+1", "-1", " 1", "1.0", "1e3", "0x1",
		"9223372036854775807", "9223372036854775808", "１", "1\x00"} {
		f.Add(seed)
	}
	digits := regexp.MustCompile(`^[0-9]{1,19}$`)
	f.Fuzz(func(t *testing.T, text string) {
		n, ok := parseNumber(text)
		want, err := strconv.ParseInt(text, 10, 64)
		if accept := digits.MatchString(text) && err == nil; ok != accept {
			t.Fatalf("%q: accepted: %t", text, ok)
		}
		if ok && n != want {
			t.Fatalf("%q is %d", text, n)
		}
	})
}

func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{`{}`, `{"count":10}`, `{"count":1,"count":2}`, `{"count":"1"}`,
		`{"kind":null}`, `{"count":1e1}`, `{`, `[]`, `{"a":{"count":5}}`, `{}{}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		given, err := parseJSON(body)
		if err != nil {
			if app.CodeOf(err) != app.CodeMalformed {
				t.Fatalf("%s: %v", body, err)
			}
			return
		}
		count, err := parseCount(app.Kind{}, given["count"])
		if err == nil && (count < 1 || count > app.MaxCount) {
			t.Fatalf("%s asks for %d runs", body, count)
		}
	})
}

func FuzzParseKey(f *testing.F) {
	f.Add("a", "a")
	f.Add("a", "b")
	f.Add("", "key with space")
	f.Add(strings.Repeat("k", 201), "")
	f.Fuzz(func(t *testing.T, first, second string) {
		key, err := parseKey([]string{first, second})
		switch {
		case err != nil && app.CodeOf(err) != app.CodeInvalid:
			t.Fatal(err)
		case err == nil && (len(key) > app.MaxKey || strings.ContainsAny(key, " \x00\n\u00e4")):
			t.Fatalf("%q is accepted", key)
		case err == nil && first != "" && second != "" && first != second:
			t.Fatalf("the different keys %q and %q are accepted", first, second)
		}
	})
}

// Only registered kinds are accepted: a request must not be able to name other work.
func FuzzChooseKind(f *testing.F) {
	for _, seed := range []string{"", "job", "sh", "job; sh", "job=sh", "--command", "simulated\x00",
		"../job", "JOB", "$(id)", "job\n"} {
		f.Add(seed, "")
	}
	f.Add("job", "job")
	s := &Server{Options: Options{Kinds: newRegistry(f, "simulated", "job")}}
	f.Fuzz(func(t *testing.T, first, second string) {
		for _, given := range [][]string{{first}, {first, second}} {
			kind, err := s.chooseKind(given)
			switch {
			case err != nil && app.CodeOf(err) != app.CodeInvalid:
				t.Fatalf("%q: %v", given, err)
			case err == nil && kind.Name != "simulated" && kind.Name != "job",
				err == nil && (len(given) > 1 || given[0] != kind.Name):
				t.Fatalf("%q is taken for %q", given, kind.Name)
			}
		}
	})
}

func TestAmbiguous_FindsEverySpelling(t *testing.T) {
	for headers, want := range map[string]bool{
		"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n": true,
		"transfer-encoding:chunked\r\nCONTENT-LENGTH:1\r\n":   true,
		"Content-Length: 1\r\nHost: a\r\n":                    false,
		"Transfer-Encoding: chunked\r\n":                      false,
		"X-Content-Length: 1\r\nTransfer-Encoding: chunked":   false,
		"Transfer-Encoding: Chunked \r\n":                     false,
		"Transfer-Encoding: identity\r\n":                     true,
		"Transfer-Encoding: gzip, chunked\r\n":                true,
		"Transfer-Encoding:\r\n":                              true,
		"Content-Length:\r\n 7\r\n":                           true,
		"Host: a\r\nX-A: b\r\n\tc\r\n":                        true,
		"X-A:  b \t\r\n":                                      false,
		"":                                                    false,
	} {
		if ambiguous([]byte(headers)) != want {
			t.Errorf("%q: %t", headers, !want)
		}
	}
}
