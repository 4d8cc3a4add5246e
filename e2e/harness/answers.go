package harness

import "regexp"

// Internals matches words that no answer may contain, because they reveal how the server is built.
var Internals = regexp.MustCompile(`(?i)sqlite|sqlx|\bsql\b|goose|no such (table|column)|syntax error|constraint|disk I/O|strconv|json:|unmarshal|` +
	`goroutine|runtime error|panic|nil pointer|interface conversion|(?-i:\bapp\.[A-Z])|websocket: |fasthttp|fiber|\.go:|/root|/home|/tmp|0x[0-9a-f]{6}|%!`)

// NothingToSearch is the message for a search text without letters and digits.
const NothingToSearch = "Enter a word to search for: only letters and digits are searched, not symbols " +
	"and emoji."
