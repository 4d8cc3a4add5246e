package templates

import (
	"github.com/sergi/go-diff/diffmatchpatch"

	"runboard/app"
)

// alignedRow has a line of each log, or of one of them; or it stands for a number of alike lines.
type alignedRow struct {
	left, right *app.LogLine
	alike       bool
	skipped     int
}

// aligner aligns the lines of two logs, so that those that are alike stand side by side.
type aligner struct {
	left, right []app.LogLine
	aligned     []alignedRow
	// Differing lines of both logs since the last alike ones.
	onlyLeft, onlyRight []*app.LogLine
}

func newAligner(left, right []app.LogLine) *aligner { return &aligner{left: left, right: right} }

// rows returns the aligned lines. Each distinct line is a character to the library, which finds the least
// changes that lead from one text to the other, or gives up after a second.
func (a *aligner) rows() []alignedRow {
	numbers := map[string]rune{}
	encode := func(lines []app.LogLine) []rune {
		text := make([]rune, len(lines))
		for i, line := range lines {
			pattern := app.LinePattern(line.Text)
			if numbers[pattern] == 0 {
				numbers[pattern] = rune(len(numbers) + 1)
			}
			text[i] = numbers[pattern]
		}
		return text
	}
	i, j := 0, 0
	for _, diff := range diffmatchpatch.New().DiffMainRunes(encode(a.left), encode(a.right), false) {
		for range diff.Text {
			switch diff.Type {
			case diffmatchpatch.DiffDelete:
				a.onlyLeft = append(a.onlyLeft, &a.left[i])
				i++
			case diffmatchpatch.DiffInsert:
				a.onlyRight = append(a.onlyRight, &a.right[j])
				j++
			case diffmatchpatch.DiffEqual:
				a.flush()
				a.aligned = append(a.aligned, alignedRow{left: &a.left[i], right: &a.right[j], alike: true})
				i++
				j++
			}
		}
	}
	a.flush()
	return a.aligned
}

// flush puts the differing lines side by side.
func (a *aligner) flush() {
	for i := range max(len(a.onlyLeft), len(a.onlyRight)) {
		var row alignedRow
		if i < len(a.onlyLeft) {
			row.left = a.onlyLeft[i]
		}
		if i < len(a.onlyRight) {
			row.right = a.onlyRight[i]
		}
		a.aligned = append(a.aligned, row)
	}
	a.onlyLeft, a.onlyRight = nil, nil
}

// collapse replaces alike lines by their number where they are far from a change. open says that more lines
// follow.
func collapse(rows []alignedRow, open bool) (collapsed []alignedRow) {
	for i := 0; i < len(rows); {
		end := i
		for end < len(rows) && rows[end].alike {
			end++
		}
		if end == i {
			collapsed = append(collapsed, rows[i])
			i++
			continue
		}
		before, after := aroundChange, aroundChange
		if i == 0 {
			before = 0
		}
		if end == len(rows) && !open {
			after = 0
		}
		if skipped := end - i - before - after; skipped > 1 {
			collapsed = append(collapsed, rows[i:i+before]...)
			collapsed = append(collapsed, alignedRow{skipped: skipped})
			collapsed = append(collapsed, rows[end-after:end]...)
		} else {
			collapsed = append(collapsed, rows[i:end]...)
		}
		i = end
	}
	return collapsed
}
