package app

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// Config has the settings of an operator. The tags of a field give its flag, its environment variable, its
// default and its help text; board.ParseConfig reads them.
type Config struct {
	Addr        string `name:"addr" env:"ADDR" default:"127.0.0.1:3000" help:"Where to listen. Port 0 picks a free one; an empty host means every address."`
	DatabaseURL string `name:"database-url" env:"DATABASE_URL" default:"sqlite:runboard.db" help:"Where runs are kept: sqlite:PATH, or postgres://USER:PASSWORD@HOST/DATABASE for several nodes."`
	Role        string `name:"role" env:"ROLE" default:"all" help:"With PostgreSQL, what this node does: all, web (pages and no work) or worker (work and no pages)."`

	Command     []string `name:"command" sep:"none" placeholder:"NAME=COMMAND" help:"A kind of work that is a command line. May be given more than once."`
	Commands    string   `name:"commands" env:"COMMANDS" placeholder:"FILE" help:"A file with such kinds, one NAME=COMMAND a line; # begins a comment."`
	CommandDir  string   `name:"command-dir" env:"COMMAND_DIR" placeholder:"DIR" help:"Where commands run; without it, each run has an empty directory of its own, which is removed afterwards."`
	CommandUser string   `name:"command-user" env:"COMMAND_USER" placeholder:"USER" help:"Whom commands run as: a name, or UID:GID. Needs root; without it, they run as the user of the server."`
	LogLimit    Bytes    `name:"log-limit" env:"LOG_LIMIT" default:"1MiB" help:"How much of the log of a run is kept: the newest part."`
	MaxLogBytes Bytes    `name:"max-log-bytes" env:"MAX_LOG_BYTES" default:"10GiB" help:"How much all logs together may take; then the logs of the runs that finished first are dropped. 0: any size."`

	KeepFinished time.Duration `name:"keep-finished" env:"KEEP_FINISHED" default:"720h" help:"How long finished runs are kept, with their logs; 0: for ever."`
	KeepMax      int64         `name:"keep-max" env:"KEEP_MAX" default:"1000000" help:"How many finished runs are kept; 0: any number."`

	Workers      int           `name:"workers" env:"WORKERS" default:"10" help:"Runs worked on at once."`
	DelayMin     time.Duration `name:"delay-min" env:"DELAY_MIN" default:"2s" help:"Simulated work: shortest sleep before it is started, and again before it finishes."`
	DelayMax     time.Duration `name:"delay-max" env:"DELAY_MAX" default:"4s" help:"Simulated work: longest such sleep."`
	FailureRate  float64       `name:"failure-rate" env:"FAILURE_RATE" default:"0.5" help:"Simulated work: how often it fails, 0 to 1."`
	MaxAttempts  int           `name:"max-attempts" env:"MAX_ATTEMPTS" default:"1" help:"How often the work of a run may end in an error or time-out before the run is failed."`
	MaxCrashes   int           `name:"max-crashes" env:"MAX_CRASHES" default:"3" help:"How often a crash of the process may interrupt a run before it is failed."`
	RunTimeout   time.Duration `name:"run-timeout" env:"RUN_TIMEOUT" default:"24h" help:"A run that takes longer is failed."`
	DrainTimeout time.Duration `name:"drain-timeout" env:"DRAIN_TIMEOUT" default:"20s" help:"On SIGTERM, how long running work may go on before it is given back."`
	Synchronous  string        `name:"synchronous" env:"SYNCHRONOUS" default:"full" help:"full: what was acknowledged survives a power cut; normal: a crash of the process."`
	MaxPending   int64         `name:"max-pending" env:"MAX_PENDING" default:"1000000" help:"With more runs than this waiting, new ones are refused."`

	MaxSockets           int     `name:"max-sockets" env:"MAX_SOCKETS" default:"20000" help:"Sockets open at once."`
	MaxSocketsPerAddress int     `name:"max-sockets-per-address" env:"MAX_SOCKETS_PER_ADDRESS" default:"1000" help:"Sockets open at once from one address."`
	UpgradeRate          float64 `name:"upgrade-rate" env:"UPGRADE_RATE" default:"200" help:"Sockets opened a second from one address, bursts of twice that; 0: no limit."`
	PostRate             float64 `name:"post-rate" env:"POST_RATE" default:"100" help:"POSTs a second from one address, bursts of twice that; 0: no limit. It also holds for searches, exports and followed logs."`

	PublicOrigin []string `name:"public-origin" env:"PUBLIC_ORIGIN" sep:"," help:"Further origins from which a browser may act, for instance https://board.example behind a proxy."`
	TrustedProxy []string `name:"trusted-proxy" env:"TRUSTED_PROXY" sep:"," help:"Addresses, or ranges like 10.0.0.0/8, of proxies whose X-Forwarded-For says who the client is."`
	Auth         string   `name:"auth" env:"AUTH" help:"USER:PASSWORD for HTTP basic auth on everything but /up. Other users of the machine can see a flag: prefer the variable, or --auth-file."`
	AuthFile     string   `name:"auth-file" env:"AUTH_FILE" placeholder:"FILE" help:"A file of users, one USER:HASH a line with a bcrypt hash, as runboard hash-password and htpasswd -B make them."`
	Logins       []Login  `kong:"-"` // the users in AuthFile, read by Load
	Insecure     bool     `name:"insecure" env:"INSECURE" help:"Allow listening beyond loopback without --auth and --auth-file."`
	LogFormat    string   `name:"log-format" env:"LOG_FORMAT" default:"text" help:"text or json."`

	// Logger receives the log of a board in another program. If nil, the board logs to standard error in
	// LogFormat.
	Logger *slog.Logger `kong:"-"`
}

// Validate checks the settings without reading any file. Its error is one line that names the wrong flag.
func (c Config) Validate() error {
	for _, check := range []error{
		checkRange("workers", c.Workers, 1, 10_000),
		checkRange("max-attempts", c.MaxAttempts, 1, 1000),
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
		checkRange("run-timeout", c.RunTimeout, time.Millisecond, 30*24*time.Hour),
		checkRange("drain-timeout", c.DrainTimeout, 0, time.Hour),
		checkOneOf("synchronous", c.Synchronous, "full", "normal"),
		checkOneOf("log-format", c.LogFormat, "text", "json"),
		checkOneOf("role", c.Role, RoleAll, RoleWeb, RoleWorker),
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

// Roles of a node.
const (
	RoleAll    = "all"
	RoleWeb    = "web"
	RoleWorker = "worker"
)

// UsesPostgres reports whether DatabaseURL names a PostgreSQL server, which several nodes can share.
func (c Config) UsesPostgres() bool {
	return strings.HasPrefix(c.DatabaseURL, "postgres://") || strings.HasPrefix(c.DatabaseURL, "postgresql://")
}

// DatabasePath returns the path of the SQLite file that DatabaseURL names.
func (c Config) DatabasePath() string { return strings.TrimPrefix(c.DatabaseURL, "sqlite:") }

// Credentials returns the user and the password in Auth. ok is false if Auth is empty.
func (c Config) Credentials() (user, password string, ok bool) {
	if c.Auth == "" {
		return "", "", false
	}
	user, password, _ = strings.Cut(c.Auth, ":")
	return user, password, true
}

func checkRange[T int | int64 | Bytes | float64 | time.Duration](flag string, value, low, high T) error {
	if value >= low && value <= high { // also false for NaN
		return nil
	}
	return fmt.Errorf("--%s: %v is not between %v and %v", flag, value, low, high)
}

func (c Config) checkDelays() error {
	if c.DelayMin > c.DelayMax {
		return fmt.Errorf("--delay-max: %v is less than --delay-min, which is %v", c.DelayMax, c.DelayMin)
	}
	return nil
}

func checkOneOf(flag, value string, known ...string) error {
	for _, word := range known {
		if value == word {
			return nil
		}
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
		return fmt.Errorf("--database-url: %q is neither sqlite:PATH nor postgres://…", Redacted(c.DatabaseURL))
	case path == "" || strings.HasSuffix(path, "/") || strings.ContainsAny(path, "?#%\x00"):
		return fmt.Errorf("--database-url: %q does not name a file", c.DatabaseURL)
	case path == ":memory:":
		return fmt.Errorf("--database-url: runs in memory would be lost; name a file")
	}
	return nil
}

// checkServer checks the parts of a PostgreSQL URL that this program needs. The driver checks the rest.
func (c Config) checkServer() error {
	u, err := url.Parse(c.DatabaseURL)
	switch {
	case err != nil, strings.Contains(u.EscapedPath(), "@"): // err or the path may have the password
		return fmt.Errorf("--database-url: it is not like postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	case strings.Trim(u.Path, "/") == "":
		return fmt.Errorf("--database-url: %q does not name a database", Redacted(c.DatabaseURL))
	}
	return nil
}

func (c Config) checkRole() error {
	if c.Role != RoleAll && !c.UsesPostgres() {
		return fmt.Errorf("--role: one process has a SQLite file to itself and does everything; %q needs --database-url postgres://…", c.Role)
	}
	return nil
}

// Redacted returns a URL without its password and its query. If the URL does not parse, or a secret may be
// elsewhere in it, Redacted returns a placeholder.
func Redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return hidden
	}
	u.RawQuery, u.ForceQuery = "", false
	if rest := u.Opaque + u.Path + u.Fragment; strings.Contains(rest, "@") || strings.Contains(strings.ToLower(rest), "password") {
		return hidden
	}
	return u.Redacted()
}

// hidden is the placeholder for a URL that cannot be shown.
const hidden = "the address"

func (c Config) checkOrigins() error {
	for _, origin := range c.PublicOrigin {
		origin = strings.TrimSpace(origin)
		u, err := url.Parse(origin)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.Scheme+"://"+u.Host != origin {
			return fmt.Errorf("--public-origin: %q is not like https://board.example", origin)
		}
	}
	return nil
}

func (c Config) checkProxies() error {
	for _, text := range c.TrustedProxy {
		if _, err := ParseProxy(strings.TrimSpace(text)); err != nil {
			return fmt.Errorf("--trusted-proxy: %q is not an address, or a range like 10.0.0.0/8", text)
		}
	}
	return nil
}

// ParseProxy parses an IP address or a CIDR range, such as 10.0.0.0/8. A single address is a range of one.
func ParseProxy(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()), nil
	}
	return netip.ParsePrefix(text)
}

func (c Config) checkAuth() error {
	user, password, wanted := c.Credentials()
	if wanted && (user == "" || password == "") {
		return fmt.Errorf("--auth: must be USER:PASSWORD") // not repeated: it is secret
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
	_, password, given := c.Credentials()
	if !given && c.AuthFile == "" && !c.Insecure {
		return fmt.Errorf("--addr: %q can be reached from other machines; set --auth-file FILE, --auth USER:PASSWORD, or --insecure", c.Addr)
	}
	if given && utf8.RuneCountInString(password) < MinPassword {
		return fmt.Errorf("--auth: %q can be reached from other machines; the password needs at least %d characters", c.Addr, MinPassword)
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
