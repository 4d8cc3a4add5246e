package http

import (
	"regexp"
	"testing"

	"runboard/e2e/harness"
)

var versionPattern = regexp.MustCompile(`^runboard \S+ go1\.\d+\S*\n$`)

func TestVersion_IsWritten(t *testing.T) {
	t.Parallel()
	harness.SkipOnPostgres(t)
	for _, asked := range []string{"version", "--version"} {
		written, err := harness.Command(t, asked).Output()
		if err != nil || !versionPattern.Match(written) {
			t.Errorf("runboard %s writes %q: %v", asked, written, err)
		}
	}
}
