package handlers

import (
	"log/slog"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Limits of failed logins: a number at once, and one more after each interval.
var (
	shortTerm = allowance{10, 3 * time.Second} // for each address, reset by a successful login
	longTerm  = allowance{100, 10 * time.Second}
	inAll     = allowance{100, 100 * time.Millisecond}
)

const (
	refusalsAtOnce   = 100 // addresses whose refused logins are logged one by one
	refusalInterval  = time.Minute
	longestUserInLog = 64 // bytes
)

// loginThrottle limits failed logins, for each address and in all. The limit in all does not apply to an
// address with a successful login, so that guesses from elsewhere do not lock its users out.
type loginThrottle struct {
	mu        sync.Mutex
	all       bucket
	addresses *lru.Cache[string, *addressThrottle]
	trusted   *lru.Cache[string, struct{}] // addresses with a successful login
}

// addressThrottle counts the failures of one address. A successful login resets only the short term,
// otherwise a user could guess the password of another one without limit.
type addressThrottle struct{ short, long bucket }

// allowance is the capacity of a bucket: most failures at once, and one more after each interval.
type allowance struct {
	most     int
	interval time.Duration
}

// bucket is a leaky bucket of failures. It loses one failure in each interval.
type bucket struct {
	level float64
	at    time.Time
}

func newLoginThrottle() *loginThrottle {
	return &loginThrottle{
		addresses: newCache[string, *addressThrottle](maxAddresses),
		trusted:   newCache[string, struct{}](maxAddresses),
	}
}

// wait drains the bucket up to now and returns how long it takes until another failure fits.
func (b *bucket) wait(now time.Time, allowed allowance) time.Duration {
	if elapsed := now.Sub(b.at); elapsed > 0 {
		b.level, b.at = max(0, b.level-float64(elapsed)/float64(allowed.interval)), now
	}
	return max(0, time.Duration((b.level+1-float64(allowed.most))*float64(allowed.interval)))
}

// of returns the counters of an address. The caller holds mu.
func (l *loginThrottle) of(address string) *addressThrottle {
	one, known := l.addresses.Get(address)
	if !known {
		one = &addressThrottle{}
		l.addresses.Add(address, one)
	}
	return one
}

// blocked returns how long an address must wait before its logins are checked. It counts nothing.
func (l *loginThrottle) blocked(address string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wait(address, now)
}

// wait returns how long an address must wait; 0 if its logins may be checked. The caller holds mu.
func (l *loginThrottle) wait(address string, now time.Time) time.Duration {
	one := l.of(address)
	wait := max(one.short.wait(now, shortTerm), one.long.wait(now, longTerm))
	if !l.trusted.Contains(address) {
		wait = max(wait, l.all.wait(now, inAll))
	}
	return wait
}

// take counts a failure before a login is checked, so that concurrent logins cannot exceed the limit
// together. At the limit it counts nothing and returns how long the address must wait.
func (l *loginThrottle) take(address string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait := l.wait(address, now); wait > 0 {
		return wait
	}
	one := l.of(address)
	one.short.level++
	one.long.level++
	l.all.level++
	return 0
}

// forget removes the failure that take has counted for a login that could not be checked.
func (l *loginThrottle) forget(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.of(address)
	one.short.level = max(0, one.short.level-1)
	one.long.level = max(0, one.long.level-1)
	l.all.level = max(0, l.all.level-1)
}

// succeed records a successful login. taken says that take has counted a failure for it, which succeed
// removes.
func (l *loginThrottle) succeed(address string, taken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.of(address)
	one.short.level = 0
	if taken {
		one.long.level, l.all.level = max(0, one.long.level-1), max(0, l.all.level-1)
	}
	l.trusted.Add(address, struct{}{})
}

// refusedLogLimiter limits the log lines about refused logins: the first of an address is logged at once,
// then the number of further ones every minute.
type refusedLogLimiter struct {
	log *slog.Logger

	mu        sync.Mutex
	addresses map[string]*refusedLogins
	others    int // refused logins of addresses that are not in addresses
	flushing  *time.Timer
}

// refusedLogins counts the refused logins of one address since its last log line.
type refusedLogins struct {
	user   string // of the last refused login
	number int
}

func newRefusedLogLimiter(log *slog.Logger) *refusedLogLimiter {
	return &refusedLogLimiter{log: log, addresses: map[string]*refusedLogins{}}
}

// record logs a refused login, or counts it for the next flush.
func (r *refusedLogLimiter) record(address, user string) {
	if len(user) > longestUserInLog {
		user = user[:longestUserInLog]
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flushing == nil {
		r.flushing = time.AfterFunc(refusalInterval, r.flush)
	}
	one := r.addresses[address]
	switch {
	case one != nil:
		one.user = user
		one.number++
	case len(r.addresses) < refusalsAtOnce:
		r.addresses[address] = &refusedLogins{}
		r.log.Warn("login refused", "address", address, "user", user, "number", 1)
	default:
		r.others++
	}
}

// flush logs the counts. It runs every minute while logins are refused, and at the end.
func (r *refusedLogLimiter) flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	quiet := true
	for address, one := range r.addresses {
		if one.number == 0 {
			delete(r.addresses, address) // the next refusal of the address is logged at once
			continue
		}
		quiet = false
		r.log.Warn("login refused", "address", address, "user", one.user, "number", one.number)
		one.number = 0
	}
	if r.others > 0 {
		quiet = false
		r.log.Warn("logins refused from many addresses", "number", r.others)
		r.others = 0
	}
	r.flushing = nil
	if !quiet {
		r.flushing = time.AfterFunc(refusalInterval, r.flush)
	}
}

// close logs the remaining counts and stops the timer.
func (r *refusedLogLimiter) close() {
	r.flush()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flushing != nil {
		r.flushing.Stop()
	}
}
