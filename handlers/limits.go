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

// limitPosts refuses whoever posts too often.
func (s *Server) limitPosts(c *fiber.Ctx) error {
	if !s.posts.allow(s.address(c)) {
		return errTooOften
	}
	return c.Next()
}

var errTooOften = app.Errorf(app.CodeTooMany, "Too many requests. Please try again in a moment.")

// limitReads refuses reads that cost much when an address makes too many: searches, exports and logs that are followed.
func (s *Server) limitReads(c *fiber.Ctx) error {
	args := c.Context().QueryArgs()
	follow, _ := parseNumber(string(args.Peek("follow"))) // as showLog reads it: 01 follows, too
	costly := len(args.Peek("q")) > 0 || follow > 0 || strings.HasPrefix(c.Path(), templates.ListPath+".")
	if costly && reads(c) && !s.costly.allow(s.address(c)) {
		return errTooOften
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

// address is whom a limit counts.
func (s *Server) address(c *fiber.Ctx) string { return throttleKey(s.client(c)).String() }

// counted is the address that a limit counts for a client: in IPv6 one customer has a whole /64.
func throttleKey(client netip.Addr) netip.Addr {
	if client.Is6() {
		if prefix, err := client.Prefix(64); err == nil {
			return prefix.Addr()
		}
	}
	return client
}

// client is who has sent a request: the peer, or if that is a trusted proxy, whoever it says it was sent for. What a
// header says is believed from its end on, as far as trusted proxies wrote it: the rest anybody may have made up.
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

// fromProxy reports whether a trusted proxy has sent the request.
func (s *Server) fromProxy(c *fiber.Ctx) bool {
	peer, _ := netip.AddrFromSlice(c.Context().RemoteIP())
	return s.trusted(peer.Unmap())
}

func (s *Server) trusted(addr netip.Addr) bool {
	return slices.ContainsFunc(s.proxies, func(proxy netip.Prefix) bool { return proxy.Contains(addr) })
}
