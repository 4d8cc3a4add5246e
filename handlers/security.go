package handlers

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
)

const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; " +
	"img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func setHeaders(c *fiber.Ctx) error {
	setCommonHeaders(c)
	return c.Next()
}

// setCommonHeaders sets the headers that every answer has. Static files override Cache-Control.
func setCommonHeaders(c *fiber.Ctx) {
	c.Set(fiber.HeaderContentSecurityPolicy, contentSecurityPolicy)
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderReferrerPolicy, "same-origin")
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set("Cross-Origin-Resource-Policy", "same-origin") // other sites cannot embed the answer
	c.Set("Cross-Origin-Opener-Policy", "same-origin")   // nor keep a reference to its window
	c.Set(fiber.HeaderVary, varies)
}

// origins decides from which sites a browser may send requests.
type origins struct {
	hosts  map[string]bool       // of the public origins, as a Host header names them
	public map[string]bool       // in the form of canonical
	trusts func(*fiber.Ctx) bool // whether a request comes from a trusted proxy
}

func newOrigins(public []string, trusts func(*fiber.Ctx) bool) *origins {
	o := &origins{hosts: map[string]bool{}, public: map[string]bool{}, trusts: trusts}
	for _, origin := range public {
		o.public[canonical(origin)] = true
		if u, err := url.Parse(origin); err == nil {
			o.hosts[strings.ToLower(u.Hostname())] = true
		}
	}
	return o
}

// checkHost refuses requests for unknown host names. Another site could resolve its own name to this address
// (DNS rebinding), and its pages would count as ours. Numeric addresses cannot be taken over that way.
func (o *origins) checkHost(c *fiber.Ctx) error {
	host := string(c.Request().Header.Host())
	if host == "" {
		return fiber.ErrBadRequest
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	if host != "localhost" && !o.hosts[host] && net.ParseIP(host) == nil {
		return fiber.ErrMisdirectedRequest
	}
	return c.Next()
}

// checkDoubled refuses requests with two Origin or two Authorization headers: a proxy could check the first
// while this server uses the second.
func checkDoubled(c *fiber.Ctx) error {
	for _, name := range []string{fiber.HeaderOrigin, fiber.HeaderAuthorization} {
		if len(c.Request().Header.PeekAll(name)) > 1 {
			return app.Errorf(app.CodeMalformed, "The header %s is given more than once.", name)
		}
	}
	return c.Next()
}

// checkCrossSite refuses requests that a page of another site makes in a browser. Navigation to a page is
// allowed; other reads are not, because a site that can time searches learns the output of runs letter by
// letter. /up is open to all. Clients that are not browsers send none of these headers.
func (o *origins) checkCrossSite(c *fiber.Ctx) error {
	navigates := c.Get("Sec-Fetch-Mode") == "navigate" && c.Get("Sec-Fetch-Dest") == "document"
	switch {
	case c.Path() == "/up", o.allows(c):
		return c.Next()
	case reads(c) && navigates:
		return c.Next()
	}
	return app.Errorf(app.CodeForbidden, "A request from another site was blocked.")
}

// reads reports whether a request has a safe method.
func reads(c *fiber.Ctx) bool { return slices.Contains([]string{"GET", "HEAD", "OPTIONS"}, c.Method()) }

// allows reports whether a request comes from a page of this server, from a public origin, or from no page.
// Browsers without Sec-Fetch-Site send Origin with forms and sockets.
func (o *origins) allows(c *fiber.Ctx) bool {
	origin := c.Get(fiber.HeaderOrigin)
	if o.public[canonical(origin)] {
		return true
	}
	sites := c.Request().Header.PeekAll("Sec-Fetch-Site")
	for _, site := range sites {
		if string(site) != "same-origin" && string(site) != "none" {
			return false
		}
	}
	return reads(c) || len(sites) > 0 || origin == "" || o.ours(c, origin)
}

// checkOrigin refuses WebSockets that a page of another site opens. Browsers let any page open one, and some
// do not send Sec-Fetch-Site.
func (o *origins) checkOrigin(c *fiber.Ctx) error {
	if origin := c.Get(fiber.HeaderOrigin); origin != "" && !o.ours(c, origin) {
		return app.Errorf(app.CodeForbidden, "A WebSocket from another site was blocked.")
	}
	return nil
}

// ours reports whether an origin is a public one or that of the request. If the request names the host of a
// public origin, it came through a proxy, and only the proxy knows the scheme: then only public origins
// count.
func (o *origins) ours(c *fiber.Ctx, origin string) bool {
	host := strings.ToLower(string(c.Request().Header.Host()))
	switch {
	case o.public[canonical(origin)]:
		return true
	case o.public[canonical("http://"+host)], o.public[canonical("https://"+host)]:
		return false
	}
	scheme := "http"
	if o.trusts(c) && strings.EqualFold(c.Get(fiber.HeaderXForwardedProto), "https") {
		scheme = "https"
	}
	return canonical(origin) == canonical(scheme+"://"+host)
}

// canonical returns an origin in lower case with an explicit port. It only lowercases other texts.
func canonical(origin string) string {
	origin = strings.ToLower(origin)
	u, err := url.Parse(origin)
	if err != nil || u.Scheme+"://"+u.Host != origin || u.Port() != "" {
		return origin
	}
	if u.Scheme == "https" {
		return origin + ":443"
	}
	return origin + ":80"
}
