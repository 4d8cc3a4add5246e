package templates

import (
	"regexp"
	"strings"
)

// commandEnd matches the beginning of the error of a command, or of the pattern of one: how it ended. It
// leaves the indentation of the next line.
var commandEnd = regexp.MustCompile(`^(?:exit status ([0-9]+|#)|ended by the signal ([A-Z0-9]+))(?:\s*\n|\s+|$)`)

// exitCode splits the error of a command into how it ended, such as "exit 3" or "SIGKILL", and the end of its
// output, which may be "". For any other error, code is "" and rest is the error.
func exitCode(text string) (code, rest string) {
	match := commandEnd.FindStringSubmatch(text)
	switch {
	case match == nil:
		return "", text
	case match[1] != "":
		code = "exit " + match[1]
	default:
		code = match[2]
	}
	return code, text[len(match[0]):]
}

// errorLine returns the line of an error that says most about it, and how a command ended: of the output of a
// command the last line, which has the reason, and of any other error the first. Failures are grouped by the
// same line, see app.Pattern.
func errorLine(text string) (line, code string) {
	code, rest := exitCode(strings.TrimSpace(text))
	rest = strings.TrimSpace(rest)
	if code == "" {
		first, _, _ := strings.Cut(rest, "\n")
		return strings.TrimSpace(first), ""
	}
	return strings.TrimSpace(rest[strings.LastIndexByte(rest, '\n')+1:]), code
}
