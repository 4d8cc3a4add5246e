package jobs_test

import (
	"path/filepath"
	"testing"

	"runboard/app"
	"runboard/jobs"
)

func FuzzParseCommand(f *testing.F) {
	for _, seed := range []string{"", "a", "=", "a=", "a=true", "A=true", "a=sh -c 'exit 1'",
		`a=sh "unfinished`, "a=sh \\", "a=../../true", "-a=true", "a=true\x00", "a b=true"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		command, err := jobs.ParseCommand(line)
		if err != nil {
			return
		}
		if command.Name == "" || len(command.Template.Words(nil)) == 0 || !filepath.IsAbs(command.Path) {
			t.Fatalf("%q is read as %+v", line, command)
		}
		if _, err := jobs.NewRegistry(command.Kind(app.Kind{})); err != nil {
			t.Fatalf("%q has an invalid name: %v", line, err)
		}
	})
}
