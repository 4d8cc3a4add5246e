package board

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"runboard/app"
	"runboard/db/postgres"
)

// Validate checks the settings without reading any file. Its error is one line that names the wrong flag.
func (c Config) Validate() error {
	for _, check := range []error{
		checkRange("workers", c.Workers, 1, 10_000),
		checkRange("max-attempts", c.MaxAttempts, 1, app.MaxAttempts),
		checkRange("max-crashes", c.MaxCrashes, 1, 1000),
		checkRange("max-pending", c.MaxPending, 1, 1_000_000_000),
		checkRange("max-sockets", c.MaxSockets, 1, 1_000_000),
		checkRange("max-sockets-per-address", c.MaxSocketsPerAddress, 1, 1_000_000),
		checkRange("failure-rate", c.FailureRate, 0, 1),
		checkRange("upgrade-rate", c.UpgradeRate, 0, 1e6),
		checkRange("post-rate", c.PostRate, 0, 1e6),
		checkRange("delay-min", c.DelayMin, 0, time.Hour),
		checkRange("delay-max", c.DelayMax, 0, time.Hour),
		c.checkDelays(),
		checkRange("log-limit", c.LogLimit, 4<<10, 1<<30),
		checkRange("max-log-bytes", c.MaxLogBytes, 0, 1<<50),
		checkRange("keep-finished", c.KeepFinished, 0, 100*365*24*time.Hour),
		checkRange("keep-max", c.KeepMax, 0, 1_000_000_000),
		checkRange("run-timeout", c.RunTimeout, time.Millisecond, app.MaxTimeout),
		checkRange("drain-timeout", c.DrainTimeout, 0, time.Hour),
		checkOneOf("synchronous", c.Synchronous, "full", "normal"),
		checkOneOf("log-format", c.LogFormat, "text", "json"),
		checkOneOf("role", c.Role, roleAll, roleWeb, roleWorker),
		c.checkDatabaseURL(),
		c.checkRole(),
		c.checkOrigins(),
		c.checkProxies(),
		c.checkAuth(),
		c.checkAddr(),
	} {
		if check != nil {
			return check
		}
	}
	return nil
}

func checkRange[T int | int64 | Bytes | float64 | time.Duration](flag string, value, low, high T) error {
	if value >= low && value <= high { // also false for NaN
		return nil
	}
	return fmt.Errorf("--%s: %s is not between %s and %s", flag, inFull(value), inFull(low), inFull(high))
}

// inFull formats a number as an operator would write it, without an exponent.
func inFull(value any) string {
	if number, ok := value.(float64); ok {
		return strconv.FormatFloat(number, 'f', -1, 64)
	}
	return fmt.Sprint(value)
}

func (c Config) checkDelays() error {
	if c.DelayMin > c.DelayMax {
		return fmt.Errorf("--delay-max: %v is less than --delay-min, which is %v", c.DelayMax, c.DelayMin)
	}
	return nil
}

func checkOneOf(flag, value string, known ...string) error {
	if slices.Contains(known, value) {
		return nil
	}
	return fmt.Errorf("--%s: %q is not one of %s", flag, value, strings.Join(known, ", "))
}

func (c Config) checkDatabaseURL() error {
	if c.UsesPostgres() {
		return c.checkServer()
	}
	path, found := strings.CutPrefix(c.DatabaseURL, "sqlite:")
	switch {
	case !found:
		address := postgres.Redacted(c.DatabaseURL)
		return fmt.Errorf("--database-url: %q is neither sqlite:PATH nor postgres://…", address)
	case path == "" || strings.HasSuffix(path, "/") || strings.ContainsAny(path, "?#%\x00"):
		return fmt.Errorf("--database-url: %q does not name a file", c.DatabaseURL)
	case strings.HasPrefix(path, "//") && !strings.HasPrefix(path, "///"):
		// In the URLs of other programs such a path is relative; as a path it begins at the root.
		return fmt.Errorf("--database-url: %q is ambiguous; write sqlite:%s or sqlite:%s", c.DatabaseURL,
			path[2:], path[1:])
	case path == ":memory:":
		return errors.New("--database-url: runs in memory would be lost; name a file")
	}
	return nil
}

// checkServer checks the parts of a PostgreSQL URL that this program needs. The driver checks the rest.
func (c Config) checkServer() error {
	u, err := url.Parse(c.DatabaseURL)
	switch {
	case err != nil, strings.Contains(u.EscapedPath(), "@"): // err or the path may have the password
		return errors.New("--database-url: it is not like postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	case strings.Trim(u.Path, "/") == "":
		return fmt.Errorf("--database-url: %q does not name a database", postgres.Redacted(c.DatabaseURL))
	}
	return nil
}

func (c Config) checkRole() error {
	if c.Role != roleAll && !c.UsesPostgres() {
		const text = "--role: %q needs --database-url postgres://…; one process does all with SQLite"
		return fmt.Errorf(text, c.Role)
	}
	return nil
}

func (c Config) checkOrigins() error {
	for _, origin := range c.PublicOrigin {
		origin = strings.TrimSpace(origin)
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" ||
			u.Scheme+"://"+u.Host != origin {
			return fmt.Errorf("--public-origin: %q is not like https://board.example", origin)
		}
	}
	return nil
}

func (c Config) checkProxies() error {
	for _, text := range c.TrustedProxy {
		if _, err := parseProxy(strings.TrimSpace(text)); err != nil {
			return fmt.Errorf("--trusted-proxy: %q is not an address, or a range like 10.0.0.0/8", text)
		}
	}
	return nil
}

// parseProxy parses an IP address or a CIDR range, such as 10.0.0.0/8. A single address is a range of one.
func parseProxy(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()), nil
	}
	return netip.ParsePrefix(text)
}

func (c Config) checkAuth() error {
	user, password, wanted := c.credentials()
	if wanted && (user == "" || password == "") {
		return errors.New("--auth: must be USER:PASSWORD") // not repeated: it is secret
	}
	return nil
}

func (c Config) checkAddr() error {
	host, port, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return fmt.Errorf("--addr: %q is not HOST:PORT", c.Addr)
	}
	if _, err := net.LookupPort("tcp", port); err != nil || port == "" {
		return fmt.Errorf("--addr: %q has no valid port", c.Addr)
	}
	if loopback(host) {
		return nil
	}
	_, password, given := c.credentials()
	if !given && c.AuthFile == "" && !c.Insecure {
		return fmt.Errorf("--addr: %q can be reached from other machines; "+
			"set --auth-file FILE, --auth USER:PASSWORD, or --insecure", c.Addr)
	}
	if given && utf8.RuneCountInString(password) < minPassword {
		return fmt.Errorf("--auth: %q can be reached from other machines; "+
			"the password needs at least %d characters", c.Addr, minPassword)
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
