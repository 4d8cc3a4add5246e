package app

import (
	"context"
	"strings"
	"time"
)

// Limits of a comparison of two logs.
const (
	compareBytes   = 64 << 20        // of each log, until the first difference
	compareTime    = 3 * time.Second // until then
	compareBefore  = 3               // alike lines before the first difference that are kept
	compareLines   = 2000            // of each log, from the first difference on
	compareAtOnce  = 256             // lines between two looks at the clock
	compareMaxText = 1 << 20         // bytes of each log from there on
)

// LogComparison says where the logs of two runs begin to differ. Numbers, IDs, times and paths do not count,
// as in the patterns of failures.
type LogComparison struct {
	// Alike is the number of lines at the beginning that are alike.
	Alike int64
	// Bytes is the length of the alike beginning of the first log.
	Bytes int64
	// Stopped says that no difference was found until a limit was reached. There are no lines then.
	Stopped     bool
	Left, Right ComparedLog
}

// Same reports whether the logs do not differ.
func (c LogComparison) Same() bool {
	return !c.Stopped && len(c.Left.Lines) == 0 && len(c.Right.Lines) == 0
}

// ComparedLog is the part of a log from the first difference on.
type ComparedLog struct {
	Before  []LogLine // the last alike lines
	Lines   []LogLine // at most compareLines
	More    bool      // the log goes on
	Dropped bool      // the log does not begin with its first line, which was dropped
	Empty   bool      // the run has written nothing
}

// AlikeLines reports whether two lines of logs differ only in numbers, IDs, times, paths or spaces.
func AlikeLines(a, b string) bool { return a == b || LinePattern(a) == LinePattern(b) }

// LinePattern returns what of a line of a log counts in a comparison.
func LinePattern(line string) string { return normalize(strings.Join(strings.Fields(line), " ")) }

// CompareLogs compares the logs of two runs. It reads them in parts and stops early, so that its cost is
// bounded.
func CompareLogs(ctx context.Context, reader LogReader, left, right int64) (LogComparison, error) {
	c := &logComparer{left: NewLogLines(reader, left), right: NewLogLines(reader, right)}
	c.deadline = time.Now().Add(compareTime)
	err := c.compare(ctx)
	c.result.Bytes = c.left.At - c.left.Start
	if lines := c.result.Left.Lines; len(lines) > 0 {
		c.result.Bytes = lines[0].At - c.left.Start
	}
	c.result.Left.Dropped, c.result.Right.Dropped = c.left.Start > 0, c.right.Start > 0
	c.result.Left.Empty, c.result.Right.Empty = c.left.End == 0, c.right.End == 0
	return c.result, err
}

// logComparer compares two logs line by line.
type logComparer struct {
	left, right *LogLines
	deadline    time.Time
	result      LogComparison
}

// compare reads both logs until they differ, and then collects what follows.
func (c *logComparer) compare(ctx context.Context) error {
	for {
		left, moreLeft, err := c.left.Next(ctx)
		if err != nil {
			return err
		}
		right, moreRight, err := c.right.Next(ctx)
		if err != nil {
			return err
		}
		switch {
		case !moreLeft && !moreRight:
			return nil
		case !moreLeft || !moreRight || !AlikeLines(left.Text, right.Text):
			return c.collectBoth(ctx, left, right, moreLeft, moreRight)
		}
		c.addAlike(left, right)
		if c.isOver() {
			c.result.Stopped = true
			return nil
		}
	}
}

// addAlike counts a line that is alike in both logs, and keeps it until others follow.
func (c *logComparer) addAlike(left, right LogLine) {
	c.result.Alike++
	c.result.Left.Before = keepLast(c.result.Left.Before, left)
	c.result.Right.Before = keepLast(c.result.Right.Before, right)
}

// keepLast appends a line and drops the first ones beyond compareBefore.
func keepLast(lines []LogLine, line LogLine) []LogLine {
	if len(lines) == compareBefore {
		copy(lines, lines[1:])
		lines = lines[:compareBefore-1]
	}
	return append(lines, line)
}

// isOver reports whether a limit is reached.
func (c *logComparer) isOver() bool {
	read := max(c.left.At-c.left.Start, c.right.At-c.right.Start)
	if read > compareBytes {
		return true
	}
	return c.result.Alike%compareAtOnce == 0 && time.Now().After(c.deadline)
}

// collectBoth collects the lines from the first difference on.
func (c *logComparer) collectBoth(
	ctx context.Context, left, right LogLine, moreLeft, moreRight bool,
) (err error) {
	if moreLeft {
		if err := c.result.Left.collect(ctx, c.left, left); err != nil {
			return err
		}
	}
	if moreRight {
		return c.result.Right.collect(ctx, c.right, right)
	}
	return nil
}

// collect collects a line and those that follow it.
func (l *ComparedLog) collect(ctx context.Context, lines *LogLines, line LogLine) (err error) {
	size, more := 0, true
	for more {
		size += len(line.Text)
		if len(l.Lines) == compareLines || size > compareMaxText {
			l.More = true
			return nil
		}
		l.Lines = append(l.Lines, line)
		if line, more, err = lines.Next(ctx); err != nil {
			return err
		}
	}
	return nil
}
