package http

import (
	"net/http"
	"testing"

	"github.com/gavv/httpexpect/v2"

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
	if err != nil || len(config.PublicOrigin) != 2 || len(config.TrustedProxy) != 2 {
		t.Fatalf("they are taken for %q and %q: %v", config.PublicOrigin, config.TrustedProxy, err)
	}
	e := harness.NewExpect(t, harness.StartProgram(t, func(c *board.Config) {
		c.PublicOrigin, c.TrustedProxy = config.PublicOrigin, config.TrustedProxy
	}))
	for origin, want := range map[string]int{
		"https://a.example": http.StatusSeeOther, "https://b.example": http.StatusSeeOther,
		"https://c.example": http.StatusForbidden,
	} {
		e.POST("/process_runs").WithHeader("Origin", origin).WithFormField("count", "1").
			WithRedirectPolicy(httpexpect.DontFollowRedirects).Expect().Status(want)
	}
}
