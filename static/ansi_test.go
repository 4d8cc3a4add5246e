package static

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"testing"
)

// parseColor parses a color as "#fff" or "#ffffff".
func parseColor(t *testing.T, text string) (color rgb) {
	t.Helper()
	digits := text[1:]
	if len(digits) == 3 {
		digits = string([]byte{digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]})
	}
	for i := range color {
		channel, err := strconv.ParseUint(digits[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		color[i] = float64(channel)
	}
	return color
}

// token returns the light and the dark value of a token of tokens.css.
func token(t *testing.T, name string) (light, dark rgb) {
	t.Helper()
	base, err := os.ReadFile("css/tokens.css")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(name + `: light-dark\((#\w+), (#\w+)\)`).FindSubmatch(base)
	if found == nil {
		t.Fatalf("tokens.css has no token %s", name)
	}
	return parseColor(t, string(found[1])), parseColor(t, string(found[2]))
}

// The colors of a program must be readable on every background that a line of its log can have.
func TestLogColors_AreReadable(t *testing.T) {
	t.Parallel()
	rules := regexp.MustCompile(`\.fg-(\d+)\{color:light-dark\((#\w+),(#\w+)\)\}\.bg-(\d+)\{color:(#\w+);background:(#\w+)\}`).
		FindAllStringSubmatch(string(logColors()), -1)
	if len(rules) != 256 {
		t.Fatalf("there are %d colors", len(rules))
	}
	for n, rule := range rules {
		if rule[1] != strconv.Itoa(n) || rule[4] != rule[1] {
			t.Fatalf("color %d is %v", n, rule)
		}
		for _, name := range []string{"--surface", "--accent-soft", "--hover"} {
			light, dark := token(t, name)
			for theme, pair := range map[string][2]rgb{
				"light": {parseColor(t, rule[2]), light}, "dark": {parseColor(t, rule[3]), dark},
			} {
				if contrast := pair[0].contrast(pair[1]); contrast < minContrast {
					t.Errorf("color %d has a contrast of %.2f on %s in the %s theme", n,
						contrast, name, theme)
				}
			}
		}
		text, background := parseColor(t, rule[5]), parseColor(t, rule[6])
		if contrast := text.contrast(background); contrast < minContrast {
			t.Errorf("on background %d the contrast is %.2f", n, contrast)
		}
	}
}

func TestLogColors_KnowThePalette(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "#000000", 16: "#000000", 21: "#0000ff", 46: "#00ff00",
		196: "#ff0000", 208: "#ff8700", 231: "#ffffff", 232: "#080808", 255: "#eeeeee"} {
		if got := fmt.Sprint(paletteColor(n)); got != want {
			t.Errorf("color %d is %s and not %s", n, got, want)
		}
	}
	if black, white := (rgb{}), (rgb{255, 255, 255}); black.contrast(white) != 21 ||
		white.contrast(white) != 1 {
		t.Errorf("the contrasts are %v and %v", black.contrast(white), white.contrast(white))
	}
}
