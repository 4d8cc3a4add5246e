package jobs

import (
	"bytes"

	"runboard/app"
)

// chunkSize is the maximum size of a chunk in bytes. It is small compared with the limit of a log,
// because trim drops whole chunks.
const chunkSize = 16 << 10

// logBuffer holds the unsaved lines of a log, oldest first. A line costs two bytes besides its text,
// because a command may write millions of short lines.
type logBuffer struct {
	chunks  []logChunk
	size    int // text of all chunks, in bytes
	skipped gap // dropped before the first chunk since the last take
}

// gap is what is missing of a log.
type gap struct {
	bytes int64
	lines int64 // newlines among the bytes
}

// logChunk holds consecutive lines of one stream.
type logChunk struct {
	stream  app.Stream
	text    []byte
	lengths []uint16 // length of each line in bytes, at most app.MaxLine
}

// add appends a line, to the last chunk if that has its stream and room for it.
func (b *logBuffer) add(stream app.Stream, line string) {
	last := len(b.chunks) - 1
	if last < 0 || b.chunks[last].stream != stream || len(b.chunks[last].text)+len(line) > chunkSize {
		b.chunks = append(b.chunks, logChunk{stream: stream})
		last++
	}
	chunk := &b.chunks[last]
	chunk.text = append(chunk.text, line...)
	chunk.lengths = append(chunk.lengths, uint16(len(line)))
	b.size += len(line)
}

// trim drops the oldest chunks while at least limit bytes follow them: a log of limit bytes
// would not keep them.
func (b *logBuffer) trim(limit int) {
	for len(b.chunks) > 1 && b.size-len(b.chunks[0].text) >= limit {
		dropped := b.chunks[0].text
		b.chunks = b.chunks[1:]
		b.size -= len(dropped)
		b.skipped.bytes += int64(len(dropped))
		b.skipped.lines += int64(bytes.Count(dropped, []byte{'\n'}))
	}
}

// take removes the oldest chunks, most bytes or slightly more, and returns their lines. skipped is what
// trim dropped before those lines.
func (b *logBuffer) take(most int) (skipped gap, lines []app.LogLine) {
	for taken := 0; len(b.chunks) > 0 && taken < most; {
		chunk := b.chunks[0]
		b.chunks = b.chunks[1:]
		text := string(chunk.text)
		for _, length := range chunk.lengths {
			lines = append(lines, app.LogLine{Stream: chunk.stream, Text: text[:length]})
			text = text[length:]
		}
		b.size -= len(chunk.text)
		taken += len(chunk.text)
	}
	if len(lines) > 0 {
		skipped, b.skipped = b.skipped, gap{}
	}
	return skipped, lines
}
