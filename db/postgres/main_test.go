package postgres

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// Each sequence opens a store, so the default is low. For a longer search: go test -rapid.checks=1000.
	// Tests often wait for heartbeats, so more of them run at once than there are cores.
	for name, value := range map[string]string{"rapid.checks": "20", "test.parallel": "4"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}
