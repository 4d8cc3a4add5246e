package board

import (
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"runboard/app"
	"runboard/handlers"
)

// Config has the settings of an operator. The tags of a field give its flag, its environment variable, its
// default and its help text; ParseConfig reads them.
type Config struct {
	Addr        string `name:"addr" env:"ADDR" default:"127.0.0.1:3000" help:"Where to listen. Port 0 picks a free one; an empty host means every address."`
	DatabaseURL string `name:"database-url" env:"DATABASE_URL" default:"sqlite:runboard.db" help:"Where runs are kept: sqlite:PATH, or postgres://USER:PASSWORD@HOST/DATABASE for several nodes."`
	Role        string `name:"role" env:"ROLE" default:"all" help:"With PostgreSQL, what this node does: all, web (pages and no work) or worker (work and no pages)."`

	Kinds       string   `name:"kinds" env:"KINDS" placeholder:"FILE" help:"A YAML file of kinds of runs: commands with inputs and limits. SIGHUP reads it again."`
	Command     []string `name:"command" sep:"none" placeholder:"NAME=COMMAND" help:"A kind of run whose work is this command line. May be given more than once."`
	Commands    string   `name:"commands" env:"COMMANDS" placeholder:"FILE" help:"A file of such kinds, one NAME=COMMAND per line; # begins a comment."`
	CommandDir  string   `name:"command-dir" env:"COMMAND_DIR" placeholder:"DIR" help:"Where commands run; without it, each run has an empty directory of its own, which is removed afterwards."`
	CommandUser string   `name:"command-user" env:"COMMAND_USER" placeholder:"USER" help:"The user that commands run as, as NAME or UID:GID. Needs root. Without it, commands run as the user of the server."`
	SecretKey   string   `name:"secret-key-file" env:"SECRET_KEY_FILE" placeholder:"FILE" help:"The key with which secret inputs of waiting runs are encrypted. With SQLite it is made when the first kind has a secret, beside the database; with PostgreSQL all nodes need the same."`
	LogLimit    Bytes    `name:"log-limit" env:"LOG_LIMIT" default:"1MiB" help:"How much of the log of a run is kept: the newest part."`
	MaxLogBytes Bytes    `name:"max-log-bytes" env:"MAX_LOG_BYTES" default:"10GiB" help:"How much all logs together may take; then the logs of the runs that finished first are dropped. 0: any size."`

	KeepFinished time.Duration `name:"keep-finished" env:"KEEP_FINISHED" default:"720h" help:"How long finished runs are kept, with their logs; 0: for ever."`
	KeepMax      int64         `name:"keep-max" env:"KEEP_MAX" default:"1000000" help:"How many finished runs are kept; 0: any number."`

	Demo         bool          `name:"demo" env:"DEMO" help:"Offer the simulated work also when other kinds are configured."`
	Workers      int           `name:"workers" env:"WORKERS" default:"10" help:"Runs worked on at once."`
	DelayMin     time.Duration `name:"delay-min" env:"DELAY_MIN" default:"2s" help:"Simulated work: shortest sleep before it is started, and again before it finishes."`
	DelayMax     time.Duration `name:"delay-max" env:"DELAY_MAX" default:"4s" help:"Simulated work: longest such sleep."`
	FailureRate  float64       `name:"failure-rate" env:"FAILURE_RATE" default:"0.5" help:"Simulated work: how often it fails, 0 to 1."`
	MaxAttempts  int           `name:"max-attempts" env:"MAX_ATTEMPTS" default:"1" help:"How often the work of a run may end in an error or time-out before the run is failed."`
	MaxCrashes   int           `name:"max-crashes" env:"MAX_CRASHES" default:"3" help:"How often a crash of the process may interrupt a run before it is failed."`
	RunTimeout   time.Duration `name:"run-timeout" env:"RUN_TIMEOUT" default:"24h" help:"A run that takes longer is failed."`
	DrainTimeout time.Duration `name:"drain-timeout" env:"DRAIN_TIMEOUT" default:"20s" help:"On SIGTERM, how long running work may go on before it is requeued."`
	Synchronous  string        `name:"synchronous" env:"SYNCHRONOUS" default:"full" help:"full: what was acknowledged survives a power cut; normal: a crash of the process."`
	MaxPending   int64         `name:"max-pending" env:"MAX_PENDING" default:"1000000" help:"With more runs than this waiting, new ones are refused."`

	MaxSockets           int     `name:"max-sockets" env:"MAX_SOCKETS" default:"20000" help:"Sockets open at once."`
	MaxSocketsPerAddress int     `name:"max-sockets-per-address" env:"MAX_SOCKETS_PER_ADDRESS" default:"1000" help:"Sockets open at once from one address."`
	UpgradeRate          float64 `name:"upgrade-rate" env:"UPGRADE_RATE" default:"200" help:"Sockets that one address may open per second, with bursts of twice that; 0: no limit."`
	PostRate             float64 `name:"post-rate" env:"POST_RATE" default:"100" help:"POSTs that one address may send per second, with bursts of twice that; 0: no limit. It also limits searches, exports and followed logs."`

	PublicOrigin []string `name:"public-origin" env:"PUBLIC_ORIGIN" sep:"," help:"Further origins from which a browser may act, for instance https://board.example behind a proxy."`
	TrustedProxy []string `name:"trusted-proxy" env:"TRUSTED_PROXY" sep:"," help:"Addresses, or ranges like 10.0.0.0/8, of proxies whose X-Forwarded-For says who the client is."`
	Auth         string   `name:"auth" env:"AUTH" help:"USER:PASSWORD for HTTP basic auth on everything but /up. Other users of the machine can see a flag: prefer the variable, or --auth-file."`
	AuthFile     string   `name:"auth-file" env:"AUTH_FILE" placeholder:"FILE" help:"A file of users, one USER:HASH a line with a bcrypt hash, as runboard hash-password and htpasswd -B make them."`

	Insecure  bool   `name:"insecure" env:"INSECURE" help:"Allow listening beyond loopback without --auth and --auth-file."`
	LogFormat string `name:"log-format" env:"LOG_FORMAT" default:"text" help:"text or json."`

	// Logger receives the log of a board in another program. If nil, the board logs to standard error in
	// LogFormat.
	Logger *slog.Logger `kong:"-"`
}

// Roles of a node.
const (
	roleAll    = "all"
	roleWeb    = "web"
	roleWorker = "worker"
)

// UsesPostgres reports whether DatabaseURL names a PostgreSQL server, which several nodes can share.
func (c Config) UsesPostgres() bool {
	scheme, _, found := strings.Cut(c.DatabaseURL, "://")
	return found && (scheme == "postgres" || scheme == "postgresql")
}

// DatabasePath returns the path of the SQLite file that DatabaseURL names.
func (c Config) DatabasePath() string { return strings.TrimPrefix(c.DatabaseURL, "sqlite:") }

// limits returns the limits of the server.
func (c Config) limits() handlers.Limits {
	return handlers.Limits{
		MaxSockets: c.MaxSockets, MaxSocketsPerAddress: c.MaxSocketsPerAddress,
		UpgradeRate: c.UpgradeRate, PostRate: c.PostRate, Workers: c.Workers,
	}
}

// access returns who may use the server.
func (c Config) access() (access handlers.Access, err error) {
	for _, origin := range c.PublicOrigin {
		access.Origins = append(access.Origins, strings.TrimSpace(origin))
	}
	for _, text := range c.TrustedProxy {
		proxy, err := parseProxy(strings.TrimSpace(text))
		if err != nil {
			return access, err
		}
		access.Proxies = append(access.Proxies, proxy)
	}
	access.Logins, err = c.readLogins()
	return access, err
}

// credentials returns the user and the password in Auth. ok is false if Auth is empty.
func (c Config) credentials() (user, password string, ok bool) {
	if c.Auth == "" {
		return "", "", false
	}
	user, password, _ = strings.Cut(c.Auth, ":")
	return user, password, true
}

const description = "Start long work from a web page and watch every run change live.\n\n" +
	"runboard hash-password USER reads a password and writes a line for --auth-file. " +
	"runboard check FILE checks a kinds file, and runboard check --schema writes its JSON Schema. " +
	"runboard licenses writes the licences of the third-party software in this binary, and runboard version " +
	"its version."

// ParseConfig reads the settings from flags such as --addr, then from environment variables such as ADDR,
// then from the defaults. An empty variable counts as absent, because compose files and unit files leave
// variables out that way. ParseConfig removes variables with secrets from the environment. ParseConfig(nil)
// returns the settings without flags. For --help it prints the flags and exits.
func ParseConfig(args []string) (config Config, err error) {
	fields := reflect.TypeFor[Config]()
	for i := range fields.NumField() {
		name := fields.Field(i).Tag.Get("env")
		if os.Getenv(name) == "" {
			_ = os.Unsetenv(name)
		}
	}
	parser, err := kong.New(&config, kong.Name("runboard"), kong.Description(description),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), durations))
	if err != nil {
		return config, err
	}
	_, err = parser.Parse(args)
	for _, secret := range []string{"AUTH", "DATABASE_URL"} { // commands must not inherit them
		_ = os.Unsetenv(secret)
	}
	if err != nil {
		return config, fmt.Errorf("%w (see --help)", err)
	}
	if err := config.Validate(); err != nil {
		return config, err
	}
	_, err = config.readLogins()
	return config, err
}

// durations parses durations in flags and variables with app.ParseDuration, which also knows days and weeks.
var durations = kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("duration", &text); err != nil {
		return err
	}
	d, err := app.ParseDuration(text)
	if err == nil {
		target.SetInt(int64(d))
	}
	return err
})

// newLogger returns a logger to standard error in config.LogFormat.
func newLogger(config Config) *slog.Logger {
	if config.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, nil))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, nil))
}
