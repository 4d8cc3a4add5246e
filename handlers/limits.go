package handlers

import (
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"runboard/app"
	"runboard/templates"
)

// maxAddresses is the number of addresses that have a rate limiter of about 100 bytes each. The least
// recently seen address is evicted and then starts with a full burst.
const maxAddresses = 10_000

// rateLimit is a token bucket for each client address.
type rateLimit struct {
	rate      rate.Limit
	burst     int
	mu        sync.Mutex
	addresses *lru.Cache[string, *rate.Limiter]
}

// newRateLimit returns a limit of perSecond events for each address, with bursts of twice as many. 0 means no
// limit.
func newRateLimit(perSecond float64) *rateLimit {
	return &rateLimit{
		rate: rate.Limit(perSecond), burst: max(1, int(2*perSecond)),
		addresses: newCache[string, *rate.Limiter](maxAddresses),
	}
}

// newCache returns a cache of the size values that were used last.
func newCache[K comparable, V any](size int) *lru.Cache[K, V] {
	cache, err := lru.New[K, V](size)
	if err != nil {
		panic(err) // all sizes are constants
	}
	return cache
}

// limitPosts answers 429 to an address that posts too often.
func (s *Server) limitPosts(c *fiber.Ctx) error {
	if !s.posts.allow(s.address(c)) {
		return errTooOften
	}
	return c.Next()
}

var errTooOften = app.Errorf(app.CodeTooMany, "Too many requests. Please try again in a moment.")

// limitReads answers 429 to an address that makes too many expensive reads: searches, exports,
// comparisons and followed logs.
func (s *Server) limitReads(c *fiber.Ctx) error {
	args := c.Context().QueryArgs()
	searches := len(args.Peek("q")) > 0 || len(args.Peek("find")) > 0
	costly := searches || followsLog(c) || strings.Contains(c.Path(), "/compare/") ||
		strings.HasPrefix(c.Path(), templates.ListPath+".")
	if costly && reads(c) && !s.costly.allow(s.address(c)) {
		return errTooOften
	}
	return c.Next()
}

// allow takes a token of the address and reports whether there was one.
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

// address returns the key under which limits count a request.
func (s *Server) address(c *fiber.Ctx) string { return throttleKey(s.client(c)).String() }

// throttleKey returns the address under which limits count a client. For IPv6 it is the /64, which usually
// belongs to one customer.
func throttleKey(client netip.Addr) netip.Addr {
	if client.Is6() {
		if prefix, err := client.Prefix(64); err == nil {
			return prefix.Addr()
		}
	}
	return client
}

// client returns the address of the client: the peer or, behind trusted proxies, the address in
// X-Forwarded-For. The header is read from its end for as long as trusted proxies wrote it; the client may
// have invented the rest.
func (s *Server) client(c *fiber.Ctx) netip.Addr {
	client, _ := netip.AddrFromSlice(c.Context().RemoteIP())
	client = client.Unmap()
	var chain []string
	for _, header := range c.Request().Header.PeekAll(fiber.HeaderXForwardedFor) {
		chain = append(chain, strings.Split(string(header), ",")...)
	}
	for _, text := range slices.Backward(chain) {
		if !s.trusted(client) {
			break
		}
		before, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil {
			break
		}
		client = before.Unmap().WithZone("")
	}
	return client
}

// fromProxy reports whether a trusted proxy sent the request.
func (s *Server) fromProxy(c *fiber.Ctx) bool {
	peer, _ := netip.AddrFromSlice(c.Context().RemoteIP())
	return s.trusted(peer.Unmap())
}

func (s *Server) trusted(addr netip.Addr) bool {
	return slices.ContainsFunc(s.Access.Proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}
