package jobs

import (
	"strings"
	"testing"
)

func TestMasker_MasksLongSecretsOnly(t *testing.T) {
	t.Parallel()
	m := newMasker([]string{"hunter2hunter2", "ünter8€", "ünter88€", "wrong-horse", `pass"word\<1`, `a"b`},
		[]string{"key", "no", "first line\nsecond line\nlast\n"})
	for text, want := range map[string]string{
		"password hunter2hunter2!":        "password •••!",
		`pass"word\<1`:                    "•••",
		`{"token":"pass\"word\\<1"}`:      `{"token":"•••"}`,
		`a"b a\"b`:                        `a"b a\"b`,
		"wrong-horsewrong-horse":          "••••••",
		"hunter2hunter2hunter2x":          "•••x", // twice, overlapping
		"hunter2hunter hunter2":           "hunter2hunter hunter2",
		"ünter8€ has 7 characters":        "ünter8€ has 7 characters",
		"ünter88€":                        "•••",
		"a key, not ke or no":             "a •••, not ke or no",
		"first line\nsecond line\nlast\n": "•••",
		"> first line\n> second line\n":   "> •••\n> •••\n",
		"hunterhunter2hunter2":            "hunter•••",
		"":                                "",
		"hunter2hunter2":                  "•••",
		"\xff\xfehunter2hunter2\xff":      "\xff\xfe•••\xff",
	} {
		if got := m.text(text); got != want {
			t.Errorf("%q is masked as %q, want %q", text, got, want)
		}
	}
	if got := (*masker)(nil).text("as it is"); got != "as it is" {
		t.Errorf("nil masks it as %q", got)
	}
}

func TestMaskStream_MasksAcrossWrites(t *testing.T) {
	t.Parallel()
	const text = "begin hunter2hunter2hunter2 middle hunter2hunterX first secret and first secret longer " +
		"end aaaaaaaaaaaaaaaa first secre"
	secrets := []string{"hunter2hunter2", "first secret", "first secret longer", "longer end", "aaaaaaaaa"}
	const want = "begin ••• middle hunter2hunterX ••• and ••• ••• first secre"
	if got := newMasker(secrets, nil).text(text); got != want {
		t.Fatalf("as a whole it is %q, want %q", got, want)
	}
	for size := 1; size <= len(text); size++ {
		stream := maskStream{masker: newMasker(secrets, nil)}
		var got strings.Builder
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			got.Write(stream.write([]byte(rest[:n])))
			rest = rest[n:]
		}
		got.Write(stream.end())
		if got.String() != want {
			t.Errorf("in pieces of %d bytes it is %q, want %q", size, got.String(), want)
		}
	}
}

// FuzzMaskStream checks that no secret is shown, however it is written.
func FuzzMaskStream(f *testing.F) {
	f.Add("begin hunter2hunter2 end", "hunter2hunter2", "key", 3)
	f.Add("aaaaaaaaaaaaaaaaaaaa", "aaaaaaaa", "aaa", 1)
	f.Fuzz(func(t *testing.T, text, secret, reference string, size int) {
		m := newMasker([]string{secret}, []string{reference})
		whole := m.text(text)
		for _, s := range m.secrets {
			if strings.Contains(strings.ReplaceAll(whole, mask, "\x00"), string(s)) &&
				!strings.Contains(string(s), "\x00") {
				t.Errorf("%q is shown in %q", s, whole)
			}
		}
		stream := maskStream{masker: m}
		var pieces strings.Builder
		for rest := text; rest != ""; {
			n := min(max(1, size), len(rest))
			pieces.Write(stream.write([]byte(rest[:n])))
			rest = rest[n:]
		}
		pieces.Write(stream.end())
		if pieces.String() != whole {
			t.Errorf("in pieces it is %q, as a whole %q", pieces.String(), whole)
		}
	})
}

func TestMaskStream_HoldsBackOnlyBeginnings(t *testing.T) {
	t.Parallel()
	stream := maskStream{masker: newMasker([]string{"hunter2hunter2"}, nil)}
	if got := string(stream.write([]byte("progress: 40% hun"))); got != "progress: 40% " {
		t.Errorf("shown at once: %q", got)
	}
	if got := string(stream.write([]byte("ger"))); got != "hunger" {
		t.Errorf("shown then: %q", got)
	}
}
