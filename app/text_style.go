package app

import (
	"iter"
	"strconv"
	"strings"
)

// TextStyle is how a terminal shows text of a log. The zero value is plain text.
//
// In the text of a LogLine, styles are set by the codes that terminals obey: ESC, [, numbers, m. Every
// LogLine begins plain, and ends plain if TextStyle.Codes made its codes.
type TextStyle struct {
	Bold, Faint, Italic, Underline, Inverse, Strike bool

	Foreground, Background Color
}

// Color is a color of terminals: 0 for the default one, else one more than its number in the palette of 256
// colors.
type Color uint16

// Number returns the number of c in the palette, or -1 for the default color.
func (c Color) Number() int { return int(c) - 1 }

const codeBegin = "\x1b["

// StyledText is text of one style.
type StyledText struct {
	Style TextStyle
	Text  string
}

// ParseStyles returns the pieces of a text between its codes, with their styles. No piece is empty. An escape
// character that begins no code is left out.
func ParseStyles(text string) iter.Seq[StyledText] {
	return func(yield func(StyledText) bool) {
		var style TextStyle
		for text != "" {
			plain, rest, escaped := strings.Cut(text, "\x1b")
			if plain != "" && !yield(StyledText{style, plain}) {
				return
			}
			text = rest
			if parameters, after, is := cutCode(rest); escaped && is {
				style, text = style.Apply(parameters), after
			}
		}
	}
}

// cutCode returns the parameters of the code that begins with text, after its escape character, and what
// follows the code.
func cutCode(text string) (parameters, after string, is bool) {
	body, bracket := strings.CutPrefix(text, "[")
	if !bracket {
		return "", "", false
	}
	end := strings.TrimLeft(body, "0123456789;:")
	after, is = strings.CutPrefix(end, "m")
	return body[:len(body)-len(end)], after, is
}

// PlainText returns a text without the codes of styles.
func PlainText(text string) string {
	if strings.IndexByte(text, '\x1b') < 0 {
		return text
	}
	var plain strings.Builder
	plain.Grow(len(text))
	for piece := range ParseStyles(text) {
		plain.WriteString(piece.Text)
	}
	return plain.String()
}

// Apply returns the style after a code with these parameters, for instance "1;31". It ignores those that it
// does not know.
func (s TextStyle) Apply(parameters string) TextStyle {
	for more := true; more; {
		var parameter string
		parameter, parameters, more = strings.Cut(parameters, ";")
		code, sub, _ := strings.Cut(parameter, ":")
		n, err := strconv.Atoi(code)
		switch {
		case err != nil && code != "": // no parameter is the same as 0
		case n == 38 || n == 48:
			var color Color
			color, parameters, more = extendedColor(sub, parameters, more)
			s.setColor(n, color)
		case n == 4 && sub == "0":
			s.Underline = false
		default:
			s.applyCode(n)
		}
	}
	return s
}

// applyCode changes the style as the code n says, which needs no more parameters.
func (s *TextStyle) applyCode(n int) {
	switch n {
	case 0:
		*s = TextStyle{}
	case 1:
		s.Bold = true
	case 2:
		s.Faint = true
	case 3:
		s.Italic = true
	case 4, 21:
		s.Underline = true
	case 7:
		s.Inverse = true
	case 9:
		s.Strike = true
	case 22:
		s.Bold, s.Faint = false, false
	case 23:
		s.Italic = false
	case 24:
		s.Underline = false
	case 27:
		s.Inverse = false
	case 29:
		s.Strike = false
	case 39:
		s.Foreground = 0
	case 49:
		s.Background = 0
	default:
		s.applyColor(n)
	}
}

// applyColor sets one of the first sixteen colors.
func (s *TextStyle) applyColor(n int) {
	switch {
	case n >= 30 && n <= 37:
		s.Foreground = Color(n - 30 + 1)
	case n >= 40 && n <= 47:
		s.Background = Color(n - 40 + 1)
	case n >= 90 && n <= 97:
		s.Foreground = Color(n - 90 + 8 + 1)
	case n >= 100 && n <= 107:
		s.Background = Color(n - 100 + 8 + 1)
	}
}

// setColor sets the foreground for code 38 or the background for code 48. The color 0 is one that was not
// understood.
func (s *TextStyle) setColor(code int, color Color) {
	switch {
	case color == 0:
	case code == 38:
		s.Foreground = color
	default:
		s.Background = color
	}
}

// extendedColor reads what follows code 38 or 48: "5;n" for a color of the palette, or "2;r;g;b". The numbers
// are separated by colons, in sub, or are the next parameters, if there are more. It returns the other
// parameters.
func extendedColor(sub, parameters string, more bool) (color Color, rest string, moreRest bool) {
	if sub == "" {
		if !more {
			return 0, "", false
		}
		color, others := takeColor(strings.Split(parameters, ";"))
		return color, strings.Join(others, ";"), len(others) > 0
	}
	numbers := strings.Split(sub, ":")
	if numbers[0] == "2" && len(numbers) > 4 { // the second one names a color space
		numbers = append([]string{"2"}, numbers[2:]...)
	}
	color, _ = takeColor(numbers)
	return color, parameters, more
}

// takeColor reads a color from the first parameters and returns the others.
func takeColor(parameters []string) (color Color, rest []string) {
	if len(parameters) == 0 {
		return 0, nil
	}
	length := map[string]int{"5": 2, "2": 4}[parameters[0]]
	if length == 0 || len(parameters) < length {
		return 0, nil
	}
	var levels [3]int
	for i, text := range parameters[1:length] {
		n, err := strconv.Atoi(text)
		if text != "" && (err != nil || n > 255) {
			return 0, parameters[length:]
		}
		levels[i] = n
	}
	if length == 2 {
		return Color(levels[0] + 1), parameters[length:]
	}
	return nearestColor(levels) + 1, parameters[length:]
}

// cubeLevels are the levels of red, green and blue of the colors 16 to 231.
var cubeLevels = [...]int{0, 95, 135, 175, 215, 255}

// nearestColor returns the number of the color from 16 on that is next to one of red, green and blue.
func nearestColor(levels [3]int) Color {
	cube, gray := 16, (levels[0]+levels[1]+levels[2])/3
	distance := 0
	for _, level := range levels {
		nearest := 0
		for i, other := range cubeLevels {
			if difference(level, other) < difference(level, cubeLevels[nearest]) {
				nearest = i
			}
		}
		cube = 16 + (cube-16)*len(cubeLevels) + nearest
		distance += difference(level, cubeLevels[nearest])
	}
	step := min(max((gray-3)/10, 0), 23)
	grayDistance := 0
	for _, level := range levels {
		grayDistance += difference(level, 8+10*step)
	}
	if grayDistance < distance {
		return Color(232 + step)
	}
	return Color(cube)
}

func difference(a, b int) int { return max(a-b, b-a) }

// Codes returns the code that changes the style from before to s, or "" if they are the same. No code that
// has the same effect is much shorter.
func (s TextStyle) Codes(before TextStyle) string {
	switch {
	case s == before:
		return ""
	case s == TextStyle{}:
		return codeBegin + "m"
	}
	var changes, full [64]byte
	shortest := s.appendCodes(append(changes[:0], codeBegin...), before)
	if before != (TextStyle{}) {
		all := s.appendCodes(append(full[:0], codeBegin+"0;"...), TextStyle{})
		if len(all) < len(shortest) {
			shortest = all
		}
	}
	shortest[len(shortest)-1] = 'm'
	return string(shortest)
}

// appendCodes appends the parameters that change the style from before to s, each with a semicolon.
func (s TextStyle) appendCodes(codes []byte, before TextStyle) []byte {
	if before.Bold && !s.Bold || before.Faint && !s.Faint {
		codes = append(codes, "22;"...)
		before.Bold, before.Faint = false, false
	}
	for _, flag := range [...]struct {
		was, is bool
		on, off string
	}{
		{before.Bold, s.Bold, "1;", ""}, {before.Faint, s.Faint, "2;", ""},
		{before.Italic, s.Italic, "3;", "23;"}, {before.Underline, s.Underline, "4;", "24;"},
		{before.Inverse, s.Inverse, "7;", "27;"}, {before.Strike, s.Strike, "9;", "29;"},
	} {
		switch {
		case flag.is && !flag.was:
			codes = append(codes, flag.on...)
		case flag.was && !flag.is:
			codes = append(codes, flag.off...)
		}
	}
	if s.Foreground != before.Foreground {
		codes = s.Foreground.appendCode(codes, 30)
	}
	if s.Background != before.Background {
		codes = s.Background.appendCode(codes, 40)
	}
	return codes
}

// appendCode appends the parameters that set the color. base is 30 for the foreground and 40 for the
// background.
func (c Color) appendCode(codes []byte, base int) []byte {
	n := c.Number()
	switch {
	case n < 0:
		n = base + 9
	case n < 8:
		n += base
	case n < 16:
		n += base + 60 - 8
	default:
		codes = strconv.AppendInt(codes, int64(base+8), 10)
		codes = append(codes, ";5;"...)
	}
	return append(strconv.AppendInt(codes, int64(n), 10), ';')
}
