package board

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// sound returns the default settings.
func sound() Config {
	return Config{
		Addr: "127.0.0.1:3000", DatabaseURL: "sqlite:runboard.db",
		Workers: 10, DelayMin: 2 * time.Second, DelayMax: 4 * time.Second, FailureRate: 0.5,
		MaxAttempts: 1, MaxCrashes: 3, RunTimeout: 24 * time.Hour, DrainTimeout: 20 * time.Second,
		Synchronous: "full", MaxPending: 1_000_000, MaxSockets: 20_000, MaxSocketsPerAddress: 1_000,
		UpgradeRate: 200, PostRate: 100, LogFormat: "text", LogLimit: 1 << 20, Role: roleAll,
	}
}

// with returns the default settings after a change.
func with(change func(*Config)) Config {
	config := sound()
	change(&config)
	return config
}

// board.ParseConfig makes the flags from the tags of the struct, so the test compares the tags with the
// contract.
func TestConfig_HasTheDocumentedFlags(t *testing.T) {
	t.Parallel()
	contract := map[string]string{
		"addr": "127.0.0.1:3000", "database-url": "sqlite:runboard.db", "workers": "10", "delay-min": "2s",
		"delay-max": "4s", "failure-rate": "0.5", "max-attempts": "1", "max-crashes": "3",
		"run-timeout": "24h", "drain-timeout": "20s", "synchronous": "full", "max-pending": "1000000",
		"max-sockets": "20000", "max-sockets-per-address": "1000", "upgrade-rate": "200", "post-rate": "100",
		"public-origin": "", "auth": "", "auth-file": "", "insecure": "", "log-format": "text", "command": "",
		"commands": "", "command-dir": "", "command-user": "", "log-limit": "1MiB", "max-log-bytes": "10GiB",
		"trusted-proxy": "", "kinds": "", "demo": "", "secret-key-file": "", "keep-finished": "720h",
		"keep-max": "1000000", "role": "all",
	}
	for field := range reflect.TypeFor[Config]().Fields() {
		if field.Tag.Get("kong") == "-" { // neither a flag nor a variable sets it
			continue
		}
		flag, variable := field.Tag.Get("name"), field.Tag.Get("env")
		fallback, known := contract[flag]
		delete(contract, flag)
		if !known || field.Tag.Get("default") != fallback {
			t.Errorf("--%s has the default %q, want %q", flag, field.Tag.Get("default"), fallback)
		}
		want := strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
		if flag == "command" { // it has no variable, because it may be given more than once
			want = ""
		}
		if variable != want {
			t.Errorf("--%s is set by %s, want %s", flag, variable, want)
		}
		if field.Tag.Get("help") == "" {
			t.Errorf("--%s has no help", flag)
		}
	}
	if len(contract) > 0 {
		t.Errorf("there are no such flags: %v", contract)
	}
}

func TestValidate_AcceptsTheDefaults(t *testing.T) {
	t.Parallel()
	if err := sound().Validate(); err != nil {
		t.Error(err)
	}
}

// bounds has, for each flag with a range, values at its ends and just beyond them.
var bounds = map[string]goodAndBad{
	"workers":      intBounds(func(c *Config, n int) { c.Workers = n }, 1, 10_000),
	"max-attempts": intBounds(func(c *Config, n int) { c.MaxAttempts = n }, 1, 1000),
	"max-crashes":  intBounds(func(c *Config, n int) { c.MaxCrashes = n }, 1, 1000),
	"max-pending": intBounds(func(c *Config, n int) { c.MaxPending = int64(n) },
		1, 1_000_000_000),
	"max-sockets":             intBounds(func(c *Config, n int) { c.MaxSockets = n }, 1, 1_000_000),
	"max-sockets-per-address": intBounds(func(c *Config, n int) { c.MaxSocketsPerAddress = n }, 1, 1_000_000),
	"failure-rate":            floatBounds(func(c *Config, f float64) { c.FailureRate = f }, 1),
	"upgrade-rate":            floatBounds(func(c *Config, f float64) { c.UpgradeRate = f }, 1e6),
	"post-rate":               floatBounds(func(c *Config, f float64) { c.PostRate = f }, 1e6),
	"delay-min": timeBounds(func(c *Config, d time.Duration) {
		c.DelayMin, c.DelayMax = d, time.Hour
	}, 0, time.Hour),
	"delay-max": timeBounds(func(c *Config, d time.Duration) { c.DelayMax = d },
		2*time.Second, time.Hour),
	"run-timeout": timeBounds(func(c *Config, d time.Duration) { c.RunTimeout = d }, time.Millisecond,
		30*24*time.Hour),
	"drain-timeout": timeBounds(func(c *Config, d time.Duration) { c.DrainTimeout = d }, 0, time.Hour),
}

type goodAndBad = struct{ good, bad []func(*Config) }

func intBounds(set func(*Config, int), low, high int) (b goodAndBad) {
	to := func(n int) func(*Config) { return func(c *Config) { set(c, n) } }
	b.good = append(b.good, to(low), to(low+1), to(high))
	b.bad = append(b.bad, to(low-1), to(-low), to(high+1))
	return b
}

func floatBounds(set func(*Config, float64), high float64) (b goodAndBad) {
	to := func(f float64) func(*Config) { return func(c *Config) { set(c, f) } }
	b.good = append(b.good, to(0), to(high/2), to(high))
	b.bad = append(b.bad, to(math.Nextafter(0, -1)), to(math.Nextafter(high, 2*high)), to(math.NaN()),
		to(math.Inf(1)), to(math.Inf(-1)))
	return b
}

func timeBounds(set func(*Config, time.Duration), low, high time.Duration) (b goodAndBad) {
	to := func(d time.Duration) func(*Config) { return func(c *Config) { set(c, d) } }
	b.good = append(b.good, to(low), to(low+1), to(high))
	b.bad = append(b.bad, to(low-1), to(high+1))
	return b
}

func TestValidate_ChecksBounds(t *testing.T) {
	t.Parallel()
	for flag, bound := range bounds {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			for _, change := range bound.good {
				accepts(t, with(change))
			}
			for _, change := range bound.bad {
				refuses(t, with(change), flag)
			}
		})
	}
}

func accepts(t *testing.T, config Config) {
	t.Helper()
	if err := config.Validate(); err != nil {
		t.Errorf("refused: %v", err)
	}
}

// refuses checks that Validate fails with an error of one line that begins with the flag, and returns the
// error.
func refuses(t *testing.T, config Config, flag string) string {
	t.Helper()
	err := config.Validate()
	if err == nil {
		t.Errorf("accepted, and --%s is wrong: %+v", flag, config)
		return ""
	}
	if message := err.Error(); !strings.HasPrefix(message, "--"+flag+": ") ||
		strings.ContainsAny(message, "\n\r") {
		t.Errorf("the message is %q, want one line about --%s", message, flag)
	}
	return err.Error()
}

func TestValidate_SaysLimitsInFull(t *testing.T) {
	t.Parallel()
	for want, config := range map[string]Config{
		"--post-rate: -1 is not between 0 and 1000000":      with(func(c *Config) { c.PostRate = -1 }),
		"--failure-rate: NaN is not between 0 and 1":        with(func(c *Config) { c.FailureRate = math.NaN() }),
		"--run-timeout: 0s is not between 1ms and 720h0m0s": with(func(c *Config) { c.RunTimeout = 0 }),
	} {
		if err := config.Validate(); err == nil || err.Error() != want {
			t.Errorf("it says %v, want %s", err, want)
		}
	}
}

func TestValidate_ChecksChoices(t *testing.T) {
	t.Parallel()
	accepts(t, with(func(c *Config) { c.Synchronous, c.LogFormat = "normal", "json" }))
	for _, word := range []string{"", "Full", "off", "full ", "json\nfull"} {
		refuses(t, with(func(c *Config) { c.Synchronous = word }), "synchronous")
		refuses(t, with(func(c *Config) { c.LogFormat = word }), "log-format")
	}
}

func TestValidate_DatabaseFile(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"sqlite:runboard.db", "sqlite:/var/lib/runs.db", "sqlite:../a b/ü.db",
		"sqlite:x", "sqlite:///var/lib/runs.db"} {
		accepts(t, with(func(c *Config) { c.DatabaseURL = url }))
	}
	for _, url := range []string{
		"", "runboard.db", "sqlite", "sqlite:", "sqlite:dir/", "SQLITE:runs.db", "sqlite3:runs.db",
		"mysql://host/runs", "sqlite::memory:", "sqlite:runs.db?mode=memory", "sqlite:runs%2edb",
		"sqlite:runs#1.db", "sqlite:a\x00b", "sqlite://runs.db", "postgres:", "postgres://",
		"postgres://host", "postgres://host/", "postgresql://host/", "postgres://host:port/runs",
		"postgres://ho st/runs",
	} {
		refuses(t, with(func(c *Config) { c.DatabaseURL = url }), "database-url")
	}
}

func TestValidate_DatabaseServer(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://host/runs",
		"postgresql://me:secret@host:5432/runs?sslmode=disable", "postgres:///runs?host=/run/postgresql"} {
		config := with(func(c *Config) { c.DatabaseURL = url })
		accepts(t, config)
		if !config.UsesPostgres() {
			t.Errorf("%s is taken for a file", url)
		}
	}
	if sound().UsesPostgres() {
		t.Error("a file is taken for a server")
	}
}

func TestValidate_RoleNeedsAServer(t *testing.T) {
	t.Parallel()
	for _, role := range []string{roleWeb, roleWorker} {
		accepts(t, with(func(c *Config) { c.Role, c.DatabaseURL = role, "postgres://host/runs" }))
		refuses(t, with(func(c *Config) { c.Role = role }), "role")
	}
	refuses(t, with(func(c *Config) { c.Role, c.DatabaseURL = "boss", "postgres://host/runs" }), "role")
}

func TestValidate_HidesDatabasePasswords(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"mysql://me:hunter2@host/runs", "postgres://me:hunter2@host/", "postgres://me:hunter2@ho st/%zz",
		"mysql://me:hunter2@ho st/%zz", "http://:hunter2@", "postgres://host?password=hunter2",
		"mysql://host/runs?password=hunter2%zz", "postgres:me:hunter2@host/runs", "me:hunter2@host/runs",
		"postgres://me:1/hunter2@host", "postgres://me:1#hunter2@host/runs",
		"host=db Password=hunter2 dbname=runs",
	} {
		message := refuses(t, with(func(c *Config) { c.DatabaseURL = url }), "database-url")
		if strings.Contains(message, "hunter2") {
			t.Errorf("%q repeats the password", message)
		}
	}
}

func TestConfig_WrongArgumentsPointToTheHelp(t *testing.T) {
	for _, args := range [][]string{{"chekc", "kinds.yaml"}, {"--kidns=x"}, {"--workers=x"}, {"--addr"}} {
		_, err := ParseConfig(args)
		if err == nil || !strings.HasSuffix(err.Error(), " (see --help)") {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestConfig_DatabasePath(t *testing.T) {
	t.Parallel()
	if got := with(func(c *Config) { c.DatabaseURL = "sqlite:a/sqlite:b.db" }).
		DatabasePath(); got != "a/sqlite:b.db" {
		t.Errorf("the path is %q", got)
	}
}

func TestValidate_PublicOrigin(t *testing.T) {
	t.Parallel()
	for _, origin := range []string{"https://board.example", "http://board.example:8080",
		"http://127.0.0.1:3000", "https://[::1]:8443"} {
		accepts(t, with(func(c *Config) { c.PublicOrigin = []string{"http://first.example", origin} }))
	}
	for _, origin := range []string{
		"", "null", "*", "board.example", "//board.example", "https://", "https://:443",
		"https://board.example/", "https://board.example/path", "https://board.example?q",
		"https://board.example#f", "https://me:secret@board.example", "ftp://board.example",
		"HTTPS://board.example", "https://board.example:port", "https:// board.example",
		"https://*.example/*",
	} {
		refuses(t, with(func(c *Config) { c.PublicOrigin = []string{"http://first.example", origin} }),
			"public-origin")
	}
}

func TestValidate_TrustedProxy(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"127.0.0.1", "10.0.0.0/8", "::1", "2001:db8::/32"} {
		if err := with(func(c *Config) { c.TrustedProxy = []string{good} }).Validate(); err != nil {
			t.Errorf("refused: %v", err)
		}
	}
	for _, wrong := range []string{"", "proxy.example", "10.0.0.1:80", "10.0.0.0/33", "fe80::1%eth0",
		"10.0.0"} {
		err := with(func(c *Config) { c.TrustedProxy = []string{wrong} }).Validate()
		if err == nil || !strings.HasPrefix(err.Error(), "--trusted-proxy: ") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

// What Validate accepts must also work in a program that does not use ParseConfig.
func TestAccess_IgnoresBlanksAround(t *testing.T) {
	t.Parallel()
	config := with(func(c *Config) {
		c.PublicOrigin, c.TrustedProxy = []string{" https://board.example"}, []string{" 10.0.0.0/8 "}
	})
	accepts(t, config)
	access, err := config.access()
	if err != nil || !slices.Equal(access.Origins, []string{"https://board.example"}) ||
		len(access.Proxies) != 1 || access.Proxies[0].String() != "10.0.0.0/8" {
		t.Errorf("access is %+v, %v", access, err)
	}
}

func TestValidate_Addr(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"127.0.0.1:3000", "127.0.0.1:0", "127.8.9.10:65535", "localhost:3000",
		"[::1]:3000"} {
		accepts(t, with(func(c *Config) { c.Addr = addr }))
	}
	for _, addr := range []string{"", "3000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
		"127.0.0.1:no-such-port", "::1:3000", "http://127.0.0.1:3000"} {
		refuses(t, with(func(c *Config) { c.Addr = addr }), "addr")
	}
}

func TestValidate_AuthBeyondLoopback(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{":3000", "0.0.0.0:3000", "[::]:3000", "192.168.1.2:3000",
		"board.example:3000", "localhost.example:80", "128.0.0.1:80"} {
		message := refuses(t, with(func(c *Config) { c.Addr = addr }), "addr")
		if !strings.Contains(message, "--auth") || !strings.Contains(message, "--insecure") {
			t.Errorf("%q does not say what to do", message)
		}
		accepts(t, with(func(c *Config) { c.Addr, c.Auth = addr, "me:secret-word" }))
		accepts(t, with(func(c *Config) { c.Addr, c.AuthFile = addr, "users" }))
		accepts(t, with(func(c *Config) { c.Addr, c.Insecure = addr, true }))
	}
}

func TestValidate_AuthHidesThePassword(t *testing.T) {
	t.Parallel()
	for _, auth := range []string{"hunter2", ":hunter2", "hunter2:", ":"} {
		message := refuses(t, with(func(c *Config) { c.Auth = auth }), "auth")
		if strings.Contains(message, "hunter2") {
			t.Errorf("%q repeats the secret", message)
		}
	}
	accepts(t, with(func(c *Config) { c.Auth = "me:hunter2:with:colons" }))
}

// The error about another flag must not contain the secret either.
func TestValidate_OtherErrorsHideThePassword(t *testing.T) {
	t.Parallel()
	for flag, bound := range bounds {
		config := with(bound.bad[0])
		config.Auth = "me:hunter2"
		if message := refuses(t, config, flag); strings.Contains(message, "hunter2") {
			t.Errorf("%q repeats the secret", message)
		}
	}
}

func TestCredentials_SplitAtTheFirstColon(t *testing.T) {
	t.Parallel()
	if _, _, ok := sound().credentials(); ok {
		t.Error("there are credentials although none are set")
	}
	user, password, ok := with(func(c *Config) { c.Auth = "me:a:b" }).credentials()
	if user != "me" || password != "a:b" || !ok {
		t.Errorf("split into %q and %q, %t", user, password, ok)
	}
}

func TestValidate_ShortPasswordsNeedLoopback(t *testing.T) {
	t.Parallel()
	for password, enough := range map[string]bool{"1234567": false, "12345678": true, "äöüäöü": false,
		"äöüäöüäö": true, "a:b:c:d": false, "a:b:c:d:": true} {
		accepts(t, with(func(c *Config) { c.Auth = "me:" + password }))
		for _, insecure := range []bool{false, true} {
			config := with(func(c *Config) {
				c.Addr, c.Auth, c.Insecure = "0.0.0.0:3000", "me:"+password, insecure
			})
			if enough {
				accepts(t, config)
			} else if message := refuses(t, config, "auth"); strings.Contains(message, password) {
				t.Errorf("%q repeats the secret", message)
			}
		}
	}
}
