package http

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"runboard/e2e/harness"
)

func TestLicenses_CoverTheBinary(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	want, err := exec.CommandContext(t.Context(), "go", "run", "./.ci/licenses").Output()
	if err != nil {
		t.Fatal(err)
	}
	shown, err := harness.Command(t, "licenses").Output()
	if err != nil || !bytes.Equal(shown, want) {
		t.Errorf("runboard licenses writes %d bytes of %d: %v", len(shown), len(want), err)
	}
	binary, err := harness.BuiltBinary()
	if err != nil {
		t.Fatal(err)
	}
	built, err := exec.CommandContext(t.Context(), "go", "version", "-m", binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	modules := 0
	for line := range strings.Lines(string(built)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[0] == "dep" {
			modules++
			if !strings.Contains(string(shown), "\n"+fields[1]+" "+fields[2]+"\n") {
				t.Errorf("the licence of %s %s is missing", fields[1], fields[2])
			}
		}
	}
	var embedded struct{ Dependencies map[string]string }
	if err := json.Unmarshal([]byte(harness.ReadFile(t, "static/package.json")), &embedded); err != nil ||
		modules < 20 || len(embedded.Dependencies) == 0 {
		t.Fatalf("the binary has %d modules and embeds %v: %v", modules, embedded.Dependencies, err)
	}
	for name, version := range embedded.Dependencies {
		if !strings.Contains(string(shown), "\n"+name+" "+version+"\n") {
			t.Errorf("the licence of %s %s is missing", name, version)
		}
	}
}
