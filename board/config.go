package board

import (
	"log/slog"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"runboard/app"
)

const description = "Start long work from a web page and watch every run change live.\n\n" +
	"runboard hash-password USER reads a password and writes a line for --auth-file. " +
	"runboard licenses writes the licences of what others have made and this binary contains."

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
		return config, err
	}
	for _, list := range [][]string{config.PublicOrigin, config.TrustedProxy} {
		for i := range list {
			list[i] = strings.TrimSpace(list[i])
		}
	}
	return config, config.Load()
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
