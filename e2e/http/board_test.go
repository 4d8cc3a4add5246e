package http

import (
	"slices"
	"testing"

	"runboard/board"
	"runboard/e2e/harness"
)

func TestConfig_EmptyVariablesCountAsAbsent(t *testing.T) {
	harness.SkipOnPostgres(t)
	for _, name := range []string{"WORKERS", "ADDR", "DELAY_MIN", "INSECURE", "DATABASE_URL",
		"PUBLIC_ORIGIN"} {
		t.Setenv(name, "")
	}
	t.Setenv("DELAY_MAX", "9s")
	config, err := board.ParseConfig(nil)
	if err != nil || config.Workers != 10 || config.Addr != "127.0.0.1:3000" ||
		config.DelayMax.String() != "9s" {
		t.Errorf("it is taken for %+v: %v", config, err)
	}
}

func TestConfig_ListsMayContainBlanks(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Setenv("PUBLIC_ORIGIN", " https://a.example, https://b.example ")
	t.Setenv("TRUSTED_PROXY", "127.0.0.1, 10.0.0.0/8")
	config, err := board.ParseConfig(nil)
	if err != nil || !slices.Equal(config.PublicOrigin, []string{"https://a.example", "https://b.example"}) ||
		!slices.Equal(config.TrustedProxy, []string{"127.0.0.1", "10.0.0.0/8"}) {
		t.Errorf("they are taken for %q and %q: %v", config.PublicOrigin, config.TrustedProxy, err)
	}
}
