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
	// refusalDelay is how long a refused login takes, whatever was wrong: short for a user who mistyped, long
	// for a program that guesses.
	refusalDelay = 300 * time.Millisecond

	checkTimeout = 5 * time.Second // how long a login waits for others that are being checked
	maxVerified  = 1000            // remembered credentials, so that not every request costs a bcrypt hash
)

// userKey is the local of a request with the name of its user.
const userKey = "user"

// HashPassword returns the bcrypt hash of a password. It fails for passwords over 72 bytes, which bcrypt
// would truncate.
func HashPassword(password string) (string, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	return string(hash), err
}

// logins checks the credentials of users.
type logins struct {
	users    []user
	limit    *loginThrottle
	refused  *refusedLogLimiter
	key      []byte // of the HMAC under which credentials are remembered
	verified *lru.Cache[[sha256.Size]byte, struct{}]
	shared   singleflight.Group // requests with equal credentials share one check
	checks   chan struct{}      // a semaphore: checks must not use up all cores
	compare  func(hash, password []byte) error
}

// user is a user who can sign in.
type user struct {
	name     [sha256.Size]byte
	password [sha256.Size]byte // if hash is nil
	hash     []byte
}

// newLogins returns nil if no credentials are configured.
func newLogins(config app.Config, log *slog.Logger) *logins {
	var users []user
	if name, password, given := config.Credentials(); given {
		users = append(users, user{name: sha256.Sum256([]byte(name)), password: sha256.Sum256([]byte(password))})
	}
	for _, login := range config.Logins {
		users = append(users, user{name: sha256.Sum256([]byte(login.User)), hash: []byte(login.Hash)})
	}
	if len(users) == 0 {
		return nil
	}
	verified, err := lru.New[[sha256.Size]byte, struct{}](maxVerified)
	if err != nil {
		panic(err) // the size is a constant
	}
	l := &logins{
		users: users, limit: newLoginThrottle(), refused: newRefusedLogLimiter(log),
		key: make([]byte, sha256.Size), verified: verified,
		checks: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), compare: bcrypt.CompareHashAndPassword,
	}
	_, _ = rand.Read(l.key) // it never fails
	return l
}

// authenticate requires credentials, if any are configured, on every address but /up.
func (s *Server) authenticate(c *fiber.Ctx) error {
	given := c.Get(fiber.HeaderAuthorization)
	switch {
	case s.logins == nil, c.Path() == "/up":
		return c.Next()
	case given == "": // a browser sends its first request without
		return askForCredentials(c)
	}
	began, address := time.Now(), s.address(c)
	name, password, _ := parseBasic(given)
	verdict, wait := s.logins.check(address, name, password, began)
	if verdict == letIn {
		c.Locals(userKey, name)
		return c.Next()
	}
	s.logins.refused.note(address, name)
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

// parseBasic reads an Authorization header.
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

// verdict is the result of a login.
type verdict int

const (
	wrong verdict = iota
	letIn
	limited // not checked
)

// check checks the credentials of a login. After too many failures, of the address or in all, the answer is
// limited for right credentials as well: otherwise they could be told from wrong ones without limit. If it is
// limited, the address must wait for the returned time.
func (l *logins) check(address, name, password string, now time.Time) (verdict, time.Duration) {
	if wait := l.limit.blocked(address, now); wait > 0 {
		return limited, wait
	}
	key := l.keyOf(name, password)
	if l.verified.Contains(key) {
		l.limit.succeed(address, false)
		return letIn, 0
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
			return result{limited, checkTimeout}, nil
		}
		if !l.verify(name, password) {
			return result{wrong, 0}, nil
		}
		l.limit.succeed(address, true)
		l.verified.Add(key, struct{}{})
		return result{letIn, 0}, nil
	})
	made := decided.(result)
	return made.verdict, made.wait
}

// keyOf returns the key under which credentials are remembered. It reveals nothing without the HMAC key of
// this process.
func (l *logins) keyOf(name, password string) (key [sha256.Size]byte) {
	mac := hmac.New(sha256.New, l.key)
	nameHash, passwordHash := sha256.Sum256([]byte(name)), sha256.Sum256([]byte(password))
	_, _ = mac.Write(nameHash[:]) // it never fails
	_, _ = mac.Write(passwordHash[:])
	return [sha256.Size]byte(mac.Sum(nil))
}

// verify compares name and password in constant time. If the name is unknown, it compares the password of
// another user, so that it takes as long.
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
