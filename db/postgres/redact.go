package postgres

import (
	"net/url"
	"strings"
)

// Redacted returns a URL without its password and its query. If the URL does not parse, or a secret may be
// elsewhere in it, Redacted returns a placeholder.
func Redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return hidden
	}
	u.RawQuery, u.ForceQuery = "", false
	rest := u.Opaque + u.Path + u.Fragment
	if strings.Contains(rest, "@") || strings.Contains(strings.ToLower(rest), "password") {
		return hidden
	}
	return u.Redacted()
}

// hidden is the placeholder for a URL that cannot be shown.
const hidden = "the address"
