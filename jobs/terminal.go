package jobs

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi/parser"
)

const escape = 0x1b

// onTerminal returns what a terminal would show for the line, as plain text. The line may contain any bytes.
func onTerminal(line string) string {
	line = strings.TrimRight(line, "\r") // has no effect at the end
	if !strings.ContainsAny(line, "\r\b\x1b") {
		return plain(line)
	}
	screen := draw(line)
	text := string(screen.cells)
	if screen.erased {
		text = strings.TrimRight(text, " ")
	}
	return text
}

// terminalLine is one line of a terminal. Each character occupies one cell.
type terminalLine struct {
	cells  []rune
	column int  // position of the next character
	erased bool // something was erased, so trailing blanks may never have been written
}

// draw writes the line to an empty terminal. It obeys only the escape sequences with which programs
// redraw their progress: those that erase part of the line or move the cursor within it.
func draw(line string) (t terminalLine) {
	state, action := parser.GroundState, parser.NoneAction
	var params []byte
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
			params = params[:0]
		case parser.ParamAction:
			params = append(params, line[i])
		case parser.PrintAction, parser.ExecuteAction:
			t.write(rune(line[i]))
		case parser.DispatchAction:
			if before == parser.CsiEntryState || before == parser.CsiParamState {
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
		t.cells[t.column] = char
	default:
		t.cells = append(t.cells, char)
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
			t.cells[i] = ' '
		}
	case "2":
		t.cells = t.cells[:t.column]
		for i := range t.cells {
			t.cells[i] = ' '
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
