package board

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"runboard/handlers"
)

// minPassword is the minimum length of a password, in characters, if other machines can reach the server.
const minPassword = 8

// bcryptHash matches the hashes that htpasswd -B and runboard hash-password write. A check at a cost above 14
// takes seconds.
var bcryptHash = regexp.MustCompile(`^\$2[aby]\$(0[4-9]|1[0-4])\$[./A-Za-z0-9]{53}$`)

// readLoginFile reads a file of USER:HASH lines. It skips empty lines and lines that begin with #. It fails
// if a line is malformed, a user occurs twice, or the file has no user. The error is one line and does not
// contain hashes.
func readLoginFile(path string) ([]handlers.Login, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var logins []handlers.Login
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
		case checkUser(user) != nil || !bcryptHash.MatchString(hash):
			return nil, fmt.Errorf("%s, line %d: not USER:HASH with a bcrypt hash of cost 4 to 14; "+
				"runboard hash-password makes such lines", path, number)
		case seen[user]:
			return nil, fmt.Errorf("%s, line %d: the user %q is there twice", path, number, user)
		}
		seen[user] = true
		logins = append(logins, handlers.Login{User: user, Hash: hash})
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(logins) == 0 {
		return nil, fmt.Errorf("%s has no USER:HASH line", path)
	}
	return logins, nil
}

// checkUser returns nil if name is valid as the name of a user.
func checkUser(name string) error {
	unusable := func(r rune) bool { return r == ':' || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }
	if name == "" || len(name) > 100 || !utf8.ValidString(name) || strings.ContainsFunc(name, unusable) ||
		strings.HasPrefix(name, "#") || strings.TrimSpace(name) != name {
		return errors.New("a user name has 1 to 100 bytes, no colon, no control character, no # first, " +
			"and no space at its ends")
	}
	return nil
}

// readLogins returns the users of AuthFile and of Auth. It fails if a user is in both.
func (c Config) readLogins() (logins []handlers.Login, err error) {
	if c.AuthFile != "" {
		logins, err = readLoginFile(c.AuthFile)
		if err != nil {
			return nil, fmt.Errorf("--auth-file: %w", err)
		}
	}
	user, password, given := c.credentials()
	if !given {
		return logins, nil
	}
	if slices.ContainsFunc(logins, func(login handlers.Login) bool { return login.User == user }) {
		return nil, fmt.Errorf("--auth-file: %s has the user %q, as has --auth", c.AuthFile, user)
	}
	return append(logins, handlers.Login{User: user, Password: password}), nil
}
