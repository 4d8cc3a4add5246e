package script_test

import (
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"runboard/e2e/script"
)

func TestWrite_ProgramsCanBeExecutedAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var writers sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d"} {
		writers.Go(func() {
			path := filepath.Join(dir, name)
			for range 50 {
				script.Write(t, path, "#!/bin/sh\n")
				if err := exec.CommandContext(t.Context(), path).Run(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	writers.Wait()
}
