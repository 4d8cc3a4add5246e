package jobs

import (
	"bytes"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi/parser"

	"runboard/app"
)

const escape = 0x1b

// onTerminal returns what a terminal would show for the line, and the style of what follows it. pen is the
// style at its beginning. The line may contain any bytes.
func onTerminal(line []byte, pen app.TextStyle) (text styledText, end app.TextStyle) {
	for len(line) > 0 && line[len(line)-1] == '\r' { // has no effect at the end
		line = line[:len(line)-1]
	}
	if !bytes.ContainsAny(line, "\r\b\x1b") {
		return newStyledText(plain(string(line)), pen), pen
	}
	screen := draw(string(line), pen)
	return screen.text(), screen.pen
}

// terminalLine is one line of a terminal.
type terminalLine struct {
	cells  []cell
	column int           // position of the next character
	pen    app.TextStyle // of the next character
	erased bool          // something was erased, so trailing blanks may never have been written
}

// cell is the place of a character on a terminal.
type cell struct {
	char  rune
	style app.TextStyle
}

// text returns what the line shows.
func (t *terminalLine) text() (shown styledText) {
	cells := t.cells
	for t.erased && len(cells) > 0 && cells[len(cells)-1].char == ' ' {
		cells = cells[:len(cells)-1]
	}
	return textOfCells(cells)
}

func textOfCells(cells []cell) (text styledText) {
	isStyled := false
	size := 0
	for i := range cells {
		size += utf8.RuneLen(cells[i].char)
		isStyled = isStyled || cells[i].style != (app.TextStyle{})
	}
	plain := make([]byte, 0, size)
	if isStyled {
		text.styles = make([]app.TextStyle, 0, size)
	}
	for i := range cells {
		plain = utf8.AppendRune(plain, cells[i].char)
		for isStyled && len(text.styles) < len(plain) {
			text.styles = append(text.styles, cells[i].style)
		}
	}
	text.plain = string(plain)
	return text
}

// draw writes the line to an empty terminal. It obeys only the escape sequences that set the style, and those
// with which programs redraw their progress: they erase part of the line or move the cursor within it.
func draw(line string, pen app.TextStyle) terminalLine {
	t := terminalLine{pen: pen, cells: make([]cell, 0, len(line))}
	state, action := parser.GroundState, parser.NoneAction
	var params []byte
	private := false // the sequence is of another kind than its final byte says
	line = strings.ToValidUTF8(line, "\uFFFD")
	for i := 0; i < len(line); {
		if state == parser.GroundState && line[i] != escape { // the parser's table does not cover UTF-8
			char, size := utf8.DecodeRuneInString(line[i:])
			t.write(char)
			i += size
			continue
		}
		before := state
		state, action = parser.Table.Transition(state, line[i])
		switch action {
		case parser.ClearAction:
			params, private = params[:0], false
		case parser.PrefixAction:
			private = true
		case parser.ParamAction:
			params = append(params, line[i])
		case parser.PrintAction, parser.ExecuteAction:
			t.write(rune(line[i]))
		case parser.DispatchAction:
			if !private && (before == parser.CsiEntryState || before == parser.CsiParamState) {
				t.obey(line[i], string(params))
			}
		}
		i++
	}
	return t
}

// write puts a character at the cursor. It obeys carriage return and backspace and ignores
// other control characters.
func (t *terminalLine) write(char rune) {
	switch {
	case char == '\r':
		t.column = 0
		return
	case char == '\b':
		t.column = max(0, t.column-1)
		return
	case unicode.IsControl(char) && char != '\t':
		return
	case t.column < len(t.cells):
		t.cells[t.column] = cell{char, t.pen}
	default:
		t.cells = append(t.cells, cell{char, t.pen})
	}
	t.column++
}

// obey executes the control sequence with this final byte and these parameters.
func (t *terminalLine) obey(final byte, params string) {
	n, err := strconv.Atoi(params)
	if err != nil || n < 1 {
		n = 1
	}
	switch final {
	case 'm':
		t.pen = t.pen.Apply(params)
	case 'K':
		t.erase(params)
	case 'D':
		t.column = max(0, t.column-n)
	case 'G':
		t.column = min(n-1, len(t.cells))
	}
}

// erase erases the line from the cursor to the end, from the start to the cursor, or all of it.
func (t *terminalLine) erase(what string) {
	t.erased = true
	switch what {
	case "", "0":
		t.cells = t.cells[:t.column]
	case "1":
		for i := range min(t.column+1, len(t.cells)) {
			t.cells[i] = cell{char: ' '}
		}
	case "2":
		t.cells = t.cells[:t.column]
		for i := range t.cells {
			t.cells[i] = cell{char: ' '}
		}
	}
}

// stripEscapes removes escape sequences.
func stripEscapes(text string) string {
	if strings.IndexByte(text, escape) < 0 {
		return text
	}
	var out strings.Builder
	state, action := parser.GroundState, parser.NoneAction
	for _, char := range []byte(text) {
		if state == parser.GroundState && char != escape { // the parser's table does not cover UTF-8
			out.WriteByte(char)
			continue
		}
		if state, action = parser.Table.Transition(state, char); action == parser.PrintAction {
			out.WriteByte(char)
		}
	}
	return out.String()
}

// unfinishedEscape returns the number of bytes of an incomplete escape sequence at the end of text.
func unfinishedEscape(text []byte) int {
	begin := bytes.LastIndexByte(text, escape)
	if begin < 0 {
		return 0
	}
	state := parser.GroundState
	for _, char := range text[begin:] {
		state, _ = parser.Table.Transition(state, char)
		if state == parser.GroundState {
			return 0
		}
	}
	return len(text) - begin
}
