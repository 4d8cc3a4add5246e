package query

import (
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"runboard/app"
)

// The line index of a part has a number for each line and each mark. The two lowest bits of a number are the
// stream of a line, and the others its length in bytes; or these bits are marked, and the others are a mark:
// the time at which the following lines were written, or that a line of a stream has begun before the part.
const (
	kindBits = 2
	marked   = 3
)

// addLine adds a line to the index.
func addLine(index []byte, line app.LogLine) []byte {
	return binary.AppendUvarint(index, uint64(len(line.Text))<<kindBits|uint64(line.Stream))
}

// addTime adds the time at which the following lines were written.
func addTime(index []byte, at time.Time) []byte {
	mark := uint64(at.UnixMilli())<<kindBits | marked
	return binary.AppendUvarint(index, mark<<kindBits|marked)
}

// lineCount counts the lines of a log up to some place. Lines of different streams may interleave: a line of
// the log continues the open line of its stream.
type lineCount struct {
	begun int64                    // lines that have begun; negative if not known
	open  [app.ServerLog + 1]int64 // the number of the open line of each stream, or 0
}

var unknownCount = lineCount{begun: -1}

func (c *lineCount) known() bool { return c.begun >= 0 }

// add counts a line, or a part of one, and returns its number.
func (c *lineCount) add(line app.LogLine) (number int64) {
	if !c.known() {
		return 0
	}
	if line.Stream == app.ServerLog { // a new attempt does not continue lines of the previous one
		c.open = unknownCount.open
	}
	number = c.open[line.Stream]
	if number == 0 {
		c.begun++
		number = c.begun
	}
	c.open[line.Stream] = number
	if strings.HasSuffix(line.Text, "\n") {
		c.open[line.Stream] = 0
	}
	return number
}

// skip counts a gap with this many newlines. Where it ends, no line is open. A line that was open where it
// begins has been counted; it ends in the gap, or what follows the gap is counted as a new line.
func (c *lineCount) skip(newlines int64) {
	if !c.known() {
		return
	}
	for _, number := range c.open {
		if number > 0 {
			c.begun--
		}
	}
	c.begun += newlines
	c.open = unknownCount.open
}

// addOpen adds to the index of a new part which lines have begun before it.
func (c *lineCount) addOpen(index []byte) []byte {
	for stream, number := range c.open {
		if number > 0 {
			mark := uint64(c.begun+1-number)<<kindBits | uint64(stream)
			index = binary.AppendUvarint(index, mark<<kindBits|marked)
		}
	}
	return index
}

// countBefore returns how many lines have begun before the part. A part at the beginning of a log knows that
// without having stored it.
func (p LogPart) countBefore() lineCount {
	switch {
	case p.FirstLine > 0:
		return lineCount{begun: p.FirstLine - 1}
	case p.Start == 0:
		return lineCount{}
	}
	return unknownCount
}

// lineDecoder goes through the lines of a part.
type lineDecoder struct {
	line  app.LogLine // the current line
	count lineCount   // after the current line

	text    string
	index   []byte
	written time.Time
}

// decode returns a decoder for a part before which count lines have begun.
func (p LogPart) decode(count lineCount) *lineDecoder {
	return &lineDecoder{line: app.LogLine{At: p.Start}, count: count, text: p.Text, index: p.LineIndex}
}

// next moves to the next line and reports whether there is one.
func (d *lineDecoder) next() bool {
	for len(d.index) > 0 {
		entry, read := binary.Uvarint(d.index)
		if read <= 0 {
			return false
		}
		if entry&marked == marked {
			d.index = d.index[read:]
			d.mark(entry >> kindBits)
			continue
		}
		length := int(entry >> kindBits)
		if length <= 0 || length > len(d.text) {
			return false
		}
		d.index = d.index[read:]
		at := d.line.End()
		d.line = app.LogLine{
			At: at, Stream: app.Stream(entry & marked), Text: d.text[:length], Written: d.written,
		}
		d.text = d.text[length:]
		d.line.Number = d.count.add(d.line)
		return true
	}
	return false
}

func (d *lineDecoder) mark(mark uint64) {
	value := int64(mark >> kindBits)
	stream := mark & marked
	if stream == marked {
		d.written = time.UnixMilli(value).UTC()
	} else if d.count.known() {
		d.count.open[stream] = d.count.begun + 1 - value
	}
}

// err returns an error if the line index does not fit the text.
func (d *lineDecoder) err() error {
	if d.text != "" || len(d.index) > 0 {
		return errors.New("a part of a log is damaged")
	}
	return nil
}

// lines decodes the lines of the part, before which count lines have begun, and counts them.
func (p LogPart) lines(count lineCount) (lines []app.LogLine, after lineCount, err error) {
	decoder := p.decode(count)
	for decoder.next() {
		lines = append(lines, decoder.line)
	}
	return lines, decoder.count, decoder.err()
}
