package http

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"runboard/board"
	"runboard/e2e/harness"
	"runboard/e2e/script"
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

// unitFile describes a board as a service.
const unitFile = "docs/examples/runboard.service"

// TestDeployment_UnitStartsTheBoard starts the program with the arguments of the unit.
func TestDeployment_UnitStartsTheBoard(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	dir := t.TempDir()
	script.Write(t, filepath.Join(dir, "kinds.yaml"), "kinds:\n  report: {run: [true]}\n")
	hash := "alice:$2a$04$AAAAAAAAAAAAAAAAAAAAAO7RqqjTYTQ2IyAAqVwZxBUYpC2d1hpYS\n" // of no known password
	if err := os.WriteFile(filepath.Join(dir, "users"), []byte(hash), 0o600); err != nil {
		t.Fatal(err)
	}
	command := matches(t, unitFile, `(?m)^ExecStart=/usr/local/bin/runboard ((?:.*\\\n)*.*)$`)[0]
	args := strings.Fields(strings.ReplaceAll(strings.ReplaceAll(command, "\\\n", " "), "/etc/runboard", dir))
	p := harness.StartProcess(t, args...)
	if err := p.Answers(http.MethodGet, "/process_runs", http.StatusUnauthorized); err != nil {
		t.Error(err)
	}
	if reload := matches(t, unitFile, `(?m)^ExecReload=(.*)$`)[0]; reload != "/bin/kill -HUP $MAINPID" {
		t.Errorf("the unit reloads with %s", reload)
	}
}

// The server needs its time to stop, and stops its commands itself.
func TestDeployment_UnitLeavesTimeToStop(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	config, err := board.ParseConfig(nil)
	if err != nil {
		t.Fatal(err)
	}
	stop, err := time.ParseDuration(matches(t, unitFile, `(?m)^TimeoutStopSec=(\d+)$`)[0] + "s")
	if err != nil || stop < config.DrainTimeout+10*time.Second {
		t.Errorf("the unit kills the server after %v, %v", stop, err)
	}
	for _, line := range []string{"KillMode=mixed", "Restart=on-failure", "RestartPreventExitStatus=2"} {
		if !strings.Contains(harness.ReadFile(t, unitFile), "\n"+line+"\n") {
			t.Errorf("the unit has no %s", line)
		}
	}
}
