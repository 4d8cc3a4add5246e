package static_test

import (
	"encoding/json"
	"maps"
	"path"
	"regexp"
	"strings"
	"testing"
)

// lockFile has the parts of package-lock.json that we rely on.
type lockFile struct {
	Packages map[string]struct {
		Version, Resolved, Integrity  string
		Dependencies, DevDependencies map[string]string
		HasInstallScript              bool
	}
}

func parse[T any](t *testing.T, file string) (value T) {
	t.Helper()
	if err := json.Unmarshal(content(t, file), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

var exactly = regexp.MustCompile(`^\d+\.\d+\.\d+$`)

func TestLockFile_PinsDependencies(t *testing.T) {
	t.Parallel()
	declared := parse[struct{ Dependencies, DevDependencies map[string]string }](t, "package.json")
	wanted := maps.Clone(declared.Dependencies)
	maps.Copy(wanted, declared.DevDependencies) // npm ci installs what tests need, too
	locked := parse[lockFile](t, "package-lock.json").Packages
	if len(wanted) == 0 || len(locked) != len(wanted)+1 { // the lock file also lists the project itself
		t.Errorf("%d packages are declared, %d are locked", len(wanted), len(locked)-1)
	}
	for name, version := range wanted {
		if !exactly.MatchString(version) {
			t.Errorf("%s is declared as %q, which is not an exact version", name, version)
		}
		if got := locked[""].Dependencies[name] + locked[""].DevDependencies[name]; got != version {
			t.Errorf("the lock file has %s as %q, package.json as %q", name, got, version)
		}
		pinned := locked["node_modules/"+name]
		if pinned.Version != version || !strings.HasPrefix(pinned.Integrity, "sha512-") {
			t.Errorf("%s is locked as %q with %q, want %q", name, pinned.Version, pinned.Integrity, version)
		}
		if pinned.HasInstallScript {
			t.Errorf("%s runs a script when it is installed", name)
		}
	}
}

// Developers may use different registries; the hash makes sure that they get the same package.
func TestLockFile_NamesNoRegistry(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"package.json", "package-lock.json", ".npmrc"} {
		if text := string(content(t, file)); strings.Contains(text, "://") ||
			strings.Contains(text, `"resolved"`) {
			t.Errorf("%s names an address", file)
		}
	}
}

// The binary embeds the installed files, which may be left over from an older install.
func TestPackages_InstalledAsLocked(t *testing.T) {
	t.Parallel()
	for place, locked := range parse[lockFile](t, "package-lock.json").Packages {
		if place == "" {
			continue
		}
		installed := parse[struct{ Version string }](t, path.Join(place, "package.json")).Version
		if installed != locked.Version {
			t.Errorf("%s is installed as %s and locked as %s; run npm ci --prefix static", place, installed,
				locked.Version)
		}
	}
}
