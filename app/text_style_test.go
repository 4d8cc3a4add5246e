package app_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"runboard/app"
)

func TestParseStyles_AppliesCodes(t *testing.T) {
	t.Parallel()
	type style = app.TextStyle
	for text, want := range map[string][]app.StyledText{
		"":              nil,
		"plain":         {{Text: "plain"}},
		"\x1b[m":        nil,
		"\x1b[31mred":   {{style{Foreground: 2}, "red"}},
		"a\x1b[1mb":     {{Text: "a"}, {style{Bold: true}, "b"}},
		"\x1b[1;4mb":    {{style{Bold: true, Underline: true}, "b"}},
		"\x1b[1m\x1b[m": nil,
		"\x1b[1ma\x1b[22mb": {
			{style{Bold: true}, "a"}, {Text: "b"},
		},
		"\x1b[2;3;7;9ma\x1b[22;23;27;29mb": {
			{style{Faint: true, Italic: true, Inverse: true, Strike: true}, "a"}, {Text: "b"},
		},
		"\x1b[4:3ma\x1b[4:0mb":           {{style{Underline: true}, "a"}, {Text: "b"}},
		"\x1b[97;100mx":                  {{style{Foreground: 16, Background: 9}, "x"}},
		"\x1b[38;5;208mx":                {{style{Foreground: 209}, "x"}},
		"\x1b[48:5:208mx":                {{style{Background: 209}, "x"}},
		"\x1b[38;5;208;1mx":              {{style{Foreground: 209, Bold: true}, "x"}},
		"\x1b[38;2;255;0;0mx":            {{style{Foreground: 197}, "x"}},
		"\x1b[38:2::255:0:0mx":           {{style{Foreground: 197}, "x"}},
		"\x1b[38:2:255:0:0mx":            {{style{Foreground: 197}, "x"}},
		"\x1b[48;2;100;101;99mx":         {{style{Background: 242}, "x"}},
		"\x1b[38;2;0;0;0mx":              {{style{Foreground: 17}, "x"}},
		"\x1b[31;39;41;49mx":             {{Text: "x"}},
		"\x1b[31m\x1b[38;5;999mx":        {{style{Foreground: 2}, "x"}}, // no such color
		"\x1b[31m\x1b[38;7;3mx":          {{style{Foreground: 2}, "x"}},
		"\x1b[31m\x1b[38mx":              {{style{Foreground: 2}, "x"}},
		"\x1b[31;99999999999999999999mx": {{style{Foreground: 2}, "x"}},
		"\x1b[31;;mx":                    {{Text: "x"}},
		"no\x1bcode":                     {{Text: "no"}, {Text: "code"}},
		"no\x1b[31code":                  {{Text: "no"}, {Text: "[31code"}},
		"\x1b[?25mx\x1b[31":              {{Text: "[?25mx"}, {Text: "[31"}},
		"\x1b[31m\x1b[1;38;5mx\x1b[32mgr": {{style{Foreground: 2, Bold: true}, "x"},
			{style{Foreground: 3, Bold: true}, "gr"}},
	} {
		if got := slices.Collect(app.ParseStyles(text)); !slices.Equal(got, want) {
			t.Errorf("%q is %+v and not %+v", text, got, want)
		}
	}
}

func TestPlainText_HasNoCodes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                           "",
		"no code, [31m":              "no code, [31m",
		"\x1b[31me\x1b[1mrr\x1b[mor": "error",
		"\x1b[38;5;208m\x1b[m":       "",
	} {
		if got := app.PlainText(text); got != want {
			t.Errorf("%q becomes %q and not %q", text, got, want)
		}
	}
}

// anyStyle draws a style.
func anyStyle(t *rapid.T, name string) app.TextStyle {
	flag := func(which string) bool { return rapid.Bool().Draw(t, name+" "+which) }
	color := rapid.Map(rapid.OneOf(rapid.IntRange(0, 17), rapid.IntRange(0, 256)),
		func(n int) app.Color { return app.Color(n) })
	return app.TextStyle{
		Bold: flag("bold"), Faint: flag("faint"), Italic: flag("italic"), Underline: flag("underline"),
		Inverse: flag("inverse"), Strike: flag("strike"),
		Foreground: color.Draw(t, name+" foreground"), Background: color.Draw(t, name+" background"),
	}
}

func TestCodes_LeadFromAnyStyleToAnyOther(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		before, after := anyStyle(t, "before"), anyStyle(t, "after")
		text := before.Codes(app.TextStyle{}) + "a" + after.Codes(before) + "b" +
			app.TextStyle{}.Codes(after) + "c"
		var styles [3]app.TextStyle
		for piece := range app.ParseStyles(text) {
			for _, char := range piece.Text {
				styles[char-'a'] = piece.Style
			}
		}
		if styles != [3]app.TextStyle{before, after, {}} {
			t.Fatalf("%q has the styles %+v", text, styles)
		}
		if (before == after) != (after.Codes(before) == "") {
			t.Fatalf("from %+v to %+v leads %q", before, after, after.Codes(before))
		}
	})
}

func FuzzParseStyles(f *testing.F) {
	for _, seed := range []string{"", "plain", "\x1b[31mred\x1b[m", "\x1b[38;5;208;1mx", "\x1b[38:2::1:2:3mx",
		"\x1b[38;2;1;2mx", "\x1b", "\x1b[", "\x1b[m\x1b[;;m", "\x1b[99999999999999999999m",
		"é\x1b[4:3m\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var plain, encoded strings.Builder
		var before app.TextStyle
		for piece := range app.ParseStyles(text) {
			if piece.Text == "" || strings.Contains(piece.Text, "\x1b") ||
				piece.Style.Foreground > 256 || piece.Style.Background > 256 {
				t.Fatalf("%q has the piece %+v", text, piece)
			}
			plain.WriteString(piece.Text)
			encoded.WriteString(piece.Style.Codes(before) + piece.Text)
			before = piece.Style
		}
		if got := app.PlainText(text); got != plain.String() || len(got) > len(text) {
			t.Fatalf("%q without codes is %q and not %q", text, got, plain.String())
		}
		if got := app.PlainText(encoded.String()); got != plain.String() {
			t.Fatalf("%q is encoded as %q", text, encoded.String())
		}
	})
}
