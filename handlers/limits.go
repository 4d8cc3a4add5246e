package handlers

import (
	"net"
	"sync"

	"github.com/gofiber/fiber/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"runboard/app"
)

// maxAddresses is how many addresses a rate is kept for: the least recently seen is forgotten, and
// starts anew. An entry is about 100 bytes.
const maxAddresses = 10_000

// rateLimit bounds how often one address may do something.
type rateLimit struct {
	rate      rate.Limit
	burst     int
	mu        sync.Mutex
	addresses *lru.Cache[string, *rate.Limiter]
}

// newRateLimit allows perSecond, in bursts of twice as many; 0 is no limit.
func newRateLimit(perSecond float64) *rateLimit {
	addresses, err := lru.New[string, *rate.Limiter](maxAddresses)
	if err != nil {
		panic(err) // the size is a constant
	}
	return &rateLimit{rate: rate.Limit(perSecond), burst: max(1, int(2*perSecond)), addresses: addresses}
}

func (l *rateLimit) limit(c *fiber.Ctx) error {
	if !l.allow(address(c)) {
		return app.Errorf(app.CodeTooMany, "That is too often. Please try again in a moment.")
	}
	return c.Next()
}

func (l *rateLimit) allow(address string) bool {
	if l.rate == 0 {
		return true
	}
	l.mu.Lock()
	limiter, known := l.addresses.Get(address)
	if !known {
		limiter = rate.NewLimiter(l.rate, l.burst)
		l.addresses.Add(address, limiter)
	}
	l.mu.Unlock()
	return limiter.Allow()
}

// address is whom a limit counts. In IPv6 one customer has a whole /64, so that is what counts.
func address(c *fiber.Ctx) string {
	ip := c.Context().RemoteIP()
	if ip.To4() == nil && len(ip) == net.IPv6len {
		ip = ip.Mask(net.CIDRMask(64, 128))
	}
	return ip.String()
}
