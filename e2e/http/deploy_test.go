package http

import (
	"regexp"
	"strings"
	"testing"

	"runboard/e2e/harness"
)

// matches returns the first group of each match of a pattern in a file.
func matches(t *testing.T, file, pattern string) (found []string) {
	t.Helper()
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(harness.ReadFile(t, file), -1) {
		found = append(found, match[1])
	}
	if len(found) == 0 {
		t.Errorf("%s has no %s", file, pattern)
	}
	return found
}

func TestDeployment_BaseImagesAreExactVersions(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	exact := regexp.MustCompile(`^[a-z]+:\d+\.\d+(\.\d+)?(-[a-z]+)?(@sha256:[0-9a-f]{64})?$`)
	images := append(matches(t, "Dockerfile", `(?m)^FROM (\S+)`),
		matches(t, "compose.yaml", `(?m)^ +image: (\S+)`)...)
	for _, image := range images {
		if !exact.MatchString(image) {
			t.Errorf("%s is not one version", image)
		}
	}
}

func TestDeployment_NoPasswordWorksByDefault(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	secrets := matches(t, "compose.yaml", `(?m)^ +(?:AUTH|POSTGRES_PASSWORD): (.*)`)
	secrets = append(secrets, matches(t, "compose.yaml", `postgres://runboard:(.*)@`)...)
	for _, secret := range secrets {
		if !strings.HasPrefix(secret, "${") || !strings.Contains(secret, ":?") {
			t.Errorf("a secret is %q, which has a default", secret)
		}
	}
}

func TestDeployment_ContainersHaveFewRights(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	node, _, _ := strings.Cut(harness.ReadFile(t, "compose.yaml"), "\nservices:")
	for _, right := range []string{"cap_drop: [ALL]", "no-new-privileges:true", "read_only: true"} {
		if !strings.Contains(node, right) {
			t.Errorf("a node has no %s", right)
		}
	}
	dockerfile := harness.ReadFile(t, "Dockerfile")
	for _, line := range []string{"USER 65534:65534", `ENTRYPOINT ["/bin/tini", "--", "/bin/runboard"]`} {
		if !strings.Contains(dockerfile, line) {
			t.Errorf("the image has no %s", line)
		}
	}
}
