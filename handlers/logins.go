package handlers

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sync/singleflight"

	"runboard/app"
)

const (
	// refusalDelay is how long a refused login takes, whatever was wrong. It is short for a user who mistyped
	// and long for a program that guesses.
	refusalDelay = 300 * time.Millisecond

	checkTimeout = 5 * time.Second // how long a login waits for a free check
	maxVerified  = 1000            // remembered logins; without them, each request costs a bcrypt hash
)

// userKey is the Fiber local that holds the name of the signed-in user.
const userKey = "user"

// HashPassword returns the bcrypt hash of a password. It fails for passwords over 72 bytes, which bcrypt
// would truncate.
func HashPassword(password string) (string, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	return string(hash), err
}

// logins checks user names and passwords.
type logins struct {
	users    []user
	limit    *loginThrottle
	refused  *refusedLogLimiter
	key      []byte                                  // HMAC key of keyOf
	verified *lru.Cache[[sha256.Size]byte, struct{}] // keyOf of logins that succeeded
	shared   singleflight.Group                      // requests with equal credentials share one check
	checks   chan struct{}                           // a semaphore, so that checks leave some cores free
	compare  func(hash, password []byte) error
}

// user is a user who can sign in, with either the SHA-256 or the bcrypt hash of the password.
type user struct {
	name     [sha256.Size]byte
	password [sha256.Size]byte // set if hash is nil
	hash     []byte
}

// newLogins returns nil if there are no logins.
func newLogins(all []Login, log *slog.Logger) *logins {
	var users []user
	for _, login := range all {
		user := user{name: sha256.Sum256([]byte(login.User)), hash: []byte(login.Hash)}
		if login.Hash == "" {
			user.hash, user.password = nil, sha256.Sum256([]byte(login.Password))
		}
		users = append(users, user)
	}
	if len(users) == 0 {
		return nil
	}
	l := &logins{
		users: users, limit: newLoginThrottle(), refused: newRefusedLogLimiter(log),
		key: make([]byte, sha256.Size), verified: newCache[[sha256.Size]byte, struct{}](maxVerified),
		checks: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), compare: bcrypt.CompareHashAndPassword,
	}
	_, _ = rand.Read(l.key) // it never fails
	return l
}

// authenticate is the middleware that requires valid credentials on every path except /up. Without configured
// credentials it lets every request pass.
func (s *Server) authenticate(c *fiber.Ctx) error {
	given := c.Get(fiber.HeaderAuthorization)
	switch {
	case s.logins == nil, c.Path() == "/up":
		return c.Next()
	case given == "": // the first request of a browser has no credentials
		return askForCredentials(c)
	}
	began, address := time.Now(), s.address(c)
	name, password, _ := parseBasic(given)
	verdict, wait := s.logins.check(address, name, password, began)
	if verdict == accepted {
		c.Locals(userKey, name)
		return c.Next()
	}
	s.logins.refused.record(address, name)
	if verdict == limited {
		seconds := strconv.Itoa(int((wait + time.Second - 1) / time.Second))
		c.Set(fiber.HeaderRetryAfter, seconds)
		return app.Errorf(app.CodeTooMany, "Too many failed logins. Please try again in %s s.", seconds)
	}
	time.Sleep(time.Until(began.Add(refusalDelay)))
	return askForCredentials(c)
}

func askForCredentials(c *fiber.Ctx) error {
	c.Set(fiber.HeaderWWWAuthenticate, `Basic realm="Runboard", charset="UTF-8"`)
	return fiber.ErrUnauthorized
}

// parseBasic parses an Authorization header with the Basic scheme.
func parseBasic(header string) (name, password string, ok bool) {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(decoded), ":")
}

// verdict is the result of a login check.
type verdict int

const (
	wrong verdict = iota
	accepted
	limited // not checked
)

// check checks a login. After too many failures, of the address or in all, it returns limited and how long
// the address must wait, even for valid credentials: otherwise a client could tell them from wrong ones
// without limit.
func (l *logins) check(address, name, password string, now time.Time) (verdict, time.Duration) {
	if wait := l.limit.blocked(address, now); wait > 0 {
		return limited, wait
	}
	key := l.keyOf(name, password)
	if l.verified.Contains(key) {
		l.limit.succeed(address, false)
		return accepted, 0
	}
	type result struct {
		verdict verdict
		wait    time.Duration
	}
	decided, _, _ := l.shared.Do(address+string(key[:]), func() (any, error) {
		if wait := l.limit.take(address, now); wait > 0 {
			return result{limited, wait}, nil
		}
		select {
		case l.checks <- struct{}{}:
			defer func() { <-l.checks }()
		case <-time.After(checkTimeout):
			l.limit.forget(address)
			return result{limited, checkTimeout}, nil
		}
		if !l.verify(name, password) {
			return result{wrong, 0}, nil
		}
		l.limit.succeed(address, true)
		l.verified.Add(key, struct{}{})
		return result{accepted, 0}, nil
	})
	made := decided.(result)
	return made.verdict, made.wait
}

// keyOf returns the key under which a valid login is remembered. Without the HMAC key of this process it
// reveals nothing about the password.
func (l *logins) keyOf(name, password string) (key [sha256.Size]byte) {
	mac := hmac.New(sha256.New, l.key)
	nameHash, passwordHash := sha256.Sum256([]byte(name)), sha256.Sum256([]byte(password))
	_, _ = mac.Write(nameHash[:]) // it never fails
	_, _ = mac.Write(passwordHash[:])
	return [sha256.Size]byte(mac.Sum(nil))
}

// verify compares name and password in constant time. For an unknown name it compares the password of some
// user, so that the answer takes as long.
func (l *logins) verify(name, password string) bool {
	nameHash := sha256.Sum256([]byte(name))
	known, index := 0, int(nameHash[0])%len(l.users)
	for i := range l.users {
		same := subtle.ConstantTimeCompare(nameHash[:], l.users[i].name[:])
		index = subtle.ConstantTimeSelect(same, i, index)
		known |= same
	}
	right := 0
	if one := l.users[index]; one.hash == nil {
		passwordHash := sha256.Sum256([]byte(password))
		right = subtle.ConstantTimeCompare(passwordHash[:], one.password[:])
	} else if l.compare(one.hash, []byte(password)) == nil {
		right = 1
	}
	return known&right == 1
}
