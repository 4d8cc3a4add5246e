package app

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MinPassword is the minimum length of a password, in characters, if other machines can reach the server.
const MinPassword = 8

// Login is a user and the bcrypt hash of the user's password.
type Login struct{ User, Hash string }

// bcryptHash matches the hashes that htpasswd -B and runboard hash-password write. A check at a cost above 14
// takes seconds.
var bcryptHash = regexp.MustCompile(`^\$2[aby]\$(0[4-9]|1[0-4])\$[./A-Za-z0-9]{53}$`)

// ReadLogins reads a file of USER:HASH lines. It skips empty lines and lines that begin with #. It fails if a
// line is malformed, a user occurs twice, or the file has no user. The error is one line and does not contain
// hashes.
func ReadLogins(path string) ([]Login, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var logins []Login
	seen := map[string]bool{}
	lines := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(content, []byte("\ufeff"))))
	lines.Buffer(nil, len(content)+1)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		user, hash, _ := strings.Cut(line, ":")
		switch {
		case CheckUser(user) != nil || !bcryptHash.MatchString(hash):
			return nil, fmt.Errorf("%s, line %d: not USER:HASH with a bcrypt hash of cost 4 to 14; runboard hash-password makes such lines", path, number)
		case seen[user]:
			return nil, fmt.Errorf("%s, line %d: the user %q is there twice", path, number, user)
		}
		seen[user] = true
		logins = append(logins, Login{user, hash})
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(logins) == 0 {
		return nil, fmt.Errorf("%s has no USER:HASH line", path)
	}
	return logins, nil
}

// CheckUser returns nil if name is valid as the name of a user.
func CheckUser(name string) error {
	unusable := func(r rune) bool { return r == ':' || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }
	if name == "" || len(name) > 100 || !utf8.ValidString(name) || strings.ContainsFunc(name, unusable) || strings.HasPrefix(name, "#") ||
		strings.TrimSpace(name) != name {
		return fmt.Errorf("a user is named by 1 to 100 bytes without colons and control characters, and does not begin with #")
	}
	return nil
}

// readAuthFile reads AuthFile into Logins. It fails if the file also has the user of Auth.
func (c *Config) readAuthFile() (err error) {
	if c.AuthFile == "" {
		return nil
	}
	if c.Logins, err = ReadLogins(c.AuthFile); err != nil {
		return fmt.Errorf("--auth-file: %w", err)
	}
	user, _, given := c.Credentials()
	for _, login := range c.Logins {
		if given && login.User == user {
			return fmt.Errorf("--auth-file: %s has the user %q, who is also given by --auth", c.AuthFile, user)
		}
	}
	return nil
}

// Load validates the settings and then reads AuthFile, if it is set. Its error is one line that names the
// flag.
func (c *Config) Load() error {
	if err := c.Validate(); err != nil {
		return err
	}
	return c.readAuthFile()
}
