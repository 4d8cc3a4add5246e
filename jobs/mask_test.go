package jobs

import (
	"strings"
	"testing"
)

func TestMasker_MasksLongSecretsOnly(t *testing.T) {
	m := newMasker([]string{"hunter2hunter2", "short", "first line\nsecond line\n"})
	for text, want := range map[string]string{
		"password hunter2hunter2!":         "password •••!",
		"hunter2hunter2hunter2hunter2":     "••••••",
		"hunter2hunter hunter2":            "hunter2hunter hunter2",
		"a short one":                      "a short one",
		"first line\nsecond line\n":        "•••",
		"> first line\n> second line\n":    "> •••\n> •••\n",
		"hunterhunter2hunter2":             "hunter•••",
		"":                                 "",
		"hunter2hunter2":                   "•••",
		strings.Repeat("hunter2", 3) + "x": "•••hunter2x",
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
	const text = "begin hunter2hunter2 middle hunter2hunterX first secret and first secret longer end first secre"
	secrets := []string{"hunter2hunter2", "first secret", "first secret longer"}
	want := newMasker(secrets).text(text)
	for size := 1; size <= len(text); size++ {
		stream := maskStream{masker: newMasker(secrets)}
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

func TestMaskStream_HoldsBackOnlyBeginnings(t *testing.T) {
	stream := maskStream{masker: newMasker([]string{"hunter2hunter2"})}
	if got := string(stream.write([]byte("progress: 40% hun"))); got != "progress: 40% " {
		t.Errorf("shown at once: %q", got)
	}
	if got := string(stream.write([]byte("ger"))); got != "hunger" {
		t.Errorf("shown then: %q", got)
	}
}
