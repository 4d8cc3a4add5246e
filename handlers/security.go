package handlers

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/basicauth"

	"runboard/app"
)

const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func setHeaders(c *fiber.Ctx) error {
	setCommonHeaders(c)
	return c.Next()
}

// setCommonHeaders sets what every answer has. Static files then allow to be kept.
func setCommonHeaders(c *fiber.Ctx) {
	c.Set(fiber.HeaderContentSecurityPolicy, contentSecurityPolicy)
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderReferrerPolicy, "same-origin")
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderVary, varies)
}

// origins knows from where a browser may act.
type origins struct {
	hosts     map[string]bool // of the public origins, as a Host header names them
	public    map[string]bool
	crossSite *http.CrossOriginProtection
}

func newOrigins(public []string) (*origins, error) {
	o := &origins{hosts: map[string]bool{}, public: map[string]bool{}, crossSite: http.NewCrossOriginProtection()}
	for _, origin := range public {
		if err := o.crossSite.AddTrustedOrigin(origin); err != nil {
			return nil, err
		}
		o.public[strings.ToLower(origin)] = true
		if u, err := url.Parse(origin); err == nil {
			o.hosts[strings.ToLower(u.Hostname())] = true
		}
	}
	return o, nil
}

// checkHost refuses requests for names that are not ours. A page elsewhere could give its own name our
// address (DNS rebinding), and would then pass for us: a numeric address cannot be taken over so.
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

// checkCrossSite refuses requests that another site makes in a browser, unless they only read.
// Clients that are not browsers send neither of the headers that it looks at.
func (o *origins) checkCrossSite(c *fiber.Ctx) error {
	request := &http.Request{Method: c.Method(), Host: string(c.Request().Header.Host()), Header: http.Header{}, URL: &url.URL{}}
	for _, name := range []string{"Origin", "Sec-Fetch-Site"} {
		for _, value := range c.Request().Header.PeekAll(name) {
			request.Header.Add(name, string(value))
		}
	}
	if o.crossSite.Check(request) != nil {
		return app.Errorf(app.CodeForbidden, "Another site may not do that here.")
	}
	return c.Next()
}

// checkOrigin is checkCrossSite for sockets, which read, but which browsers let any site open.
func (o *origins) checkOrigin(c *fiber.Ctx) error {
	for _, origin := range c.Request().Header.PeekAll(fiber.HeaderOrigin) {
		if !o.ours(string(origin), string(c.Request().Header.Host())) {
			return app.Errorf(app.CodeForbidden, "Another site may not watch this.")
		}
	}
	return nil
}

// ours reports whether a page of an origin may watch the host that it asks.
func (o *origins) ours(origin, host string) bool {
	if origin == "" || o.public[strings.ToLower(origin)] {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}

// authenticate asks for the credentials, when there are any, on everything but /up.
func (s *Server) authenticate() fiber.Handler {
	user, password, wanted := s.Config.Credentials()
	if !wanted {
		return func(c *fiber.Ctx) error { return c.Next() }
	}
	return basicauth.New(basicauth.Config{
		Realm: "Runboard",
		Next:  func(c *fiber.Ctx) bool { return c.Path() == "/up" },
		// Both are compared whole, so that the time it takes tells nothing.
		Authorizer: func(u, p string) bool { return equal(u, user) && equal(p, password) },
		Unauthorized: func(c *fiber.Ctx) error {
			if c.Get(fiber.HeaderAuthorization) != "" { // a browser first asks without
				time.Sleep(guessTime)
			}
			c.Set(fiber.HeaderWWWAuthenticate, `Basic realm="Runboard", charset="UTF-8"`)
			return fiber.ErrUnauthorized
		},
	})
}

// guessTime is how long a wrong password takes: nothing for whoever mistyped it, much for whoever tries them all.
// It holds up the one connection only.
const guessTime = 300 * time.Millisecond

func equal(a, b string) bool {
	hashA, hashB := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(hashA[:], hashB[:]) == 1
}
