package http

import (
	"net/http"
	"testing"

	"runboard/e2e/harness"
)

// Behind a proxy, too, a line arrives when it is written: nginx must not collect the answer.
func TestLog_FollowerSeesNewLinesBehindAProxy(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	followNewLines(t, func(board string) (string, *http.Client) { return harness.Proxy(t, board) })
}
