package jobs

import (
	"testing"

	"runboard/app"
)

func TestLastLines_KeepIndentation(t *testing.T) {
	t.Parallel()
	var last lastLines
	for _, line := range []string{"Traceback:", "  File \"a.py\", line 1 \t", " ", "\t", "    main()",
		"KeyError: 'x'\r"} {
		last.add(app.Stderr, line)
	}
	if got, want := last.String(), "\nTraceback:\n  File \"a.py\", line 1\n    main()\nKeyError: 'x'"; got != want {
		t.Errorf("the last lines are %q, want %q", got, want)
	}
}
