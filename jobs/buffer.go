package jobs

import "runboard/app"

// chunkSize is the maximum size of a chunk in bytes. It is small compared with the limit of a log,
// because trim drops whole chunks.
const chunkSize = 16 << 10

// logBuffer holds the unsaved lines of a log, oldest first. A line costs two bytes besides its text,
// because a command may write millions of short lines.
type logBuffer struct {
	chunks  []logChunk
	size    int   // text of all chunks, in bytes
	skipped int64 // bytes dropped before the first chunk since the last take
}

// logChunk holds consecutive lines of one stream.
type logChunk struct {
	stream  app.Stream
	text    []byte
	lengths []uint16 // length of each line in bytes, at most app.MaxLine
}

// add appends lines. lengths holds the length of each line in text. add copies both slices.
func (b *logBuffer) add(stream app.Stream, text []byte, lengths []uint16) {
	for len(lengths) > 0 {
		chunk := b.chunkFor(stream, int(lengths[0]))
		lines, bytes := 0, 0
		for lines < len(lengths) && (lines == 0 || len(chunk.text)+bytes+int(lengths[lines]) <= chunkSize) {
			bytes += int(lengths[lines])
			lines++
		}
		chunk.text = append(chunk.text, text[:bytes]...)
		chunk.lengths = append(chunk.lengths, lengths[:lines]...)
		b.size += bytes
		text, lengths = text[bytes:], lengths[lines:]
	}
}

// chunkFor returns the last chunk if a line of that stream and length fits into it, or else a new chunk.
func (b *logBuffer) chunkFor(stream app.Stream, length int) *logChunk {
	if n := len(b.chunks); n > 0 {
		last := &b.chunks[n-1]
		if last.stream == stream && len(last.text)+length <= chunkSize {
			return last
		}
	}
	b.chunks = append(b.chunks, logChunk{stream: stream})
	return &b.chunks[len(b.chunks)-1]
}

// trim drops the oldest chunks while at least limit bytes follow them: a log of limit bytes
// would not keep them.
func (b *logBuffer) trim(limit int) {
	for len(b.chunks) > 1 && b.size-len(b.chunks[0].text) >= limit {
		dropped := len(b.chunks[0].text)
		b.chunks = b.chunks[1:]
		b.size -= dropped
		b.skipped += int64(dropped)
	}
}

// take removes the oldest chunks, most bytes or slightly more, and returns their lines. skipped is the
// number of bytes that trim dropped before those lines.
func (b *logBuffer) take(most int) (skipped int64, lines []app.LogLine) {
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
		skipped, b.skipped = b.skipped, 0
	}
	return skipped, lines
}
