package handlers

import (
	"mime"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/compress"

	"runboard/templates"
)

// format is the format of an answer.
type format int

const (
	asPage     format = iota // a whole page: browsers, curl, and htmx when it selects from one
	asFragment               // what htmx swaps into a page
	asJSON
)

// varies is the Vary header: the headers that negotiate reads.
const varies = "Accept, HX-Request, HX-Request-Type"

// negotiate returns the format of the answer. A fragment needs both headers of htmx: when the user goes back,
// htmx requests the address without HX-Request, and needs a page.
func negotiate(c *fiber.Ctx) format {
	switch {
	case prefersJSON(c):
		return asJSON
	case fromHTMX(c) && c.Get("HX-Request-Type") == "partial":
		return asFragment
	}
	return asPage
}

// fromHTMX reports whether htmx sent the request.
func fromHTMX(c *fiber.Ctx) bool { return c.Get("HX-Request") == "true" }

// retarget makes htmx swap the answer into the element with an id, instead of the one that the page asked
// for. swap is the value of hx-swap.
func retarget(c *fiber.Ctx, id, swap string) {
	c.Set("HX-Retarget", "#"+id)
	c.Set("HX-Reswap", swap)
}

// replaceForm makes a fragment with a problem replace the form that the user submitted.
func replaceForm(c *fiber.Ctx, problem string) {
	if problem != "" {
		retarget(c, templates.ConfirmID, "innerHTML")
	}
}

// maxAccept is the length in bytes up to which an Accept header is parsed. 8 KiB took 3 ms, before any login;
// browsers send under 200 bytes.
const maxAccept = 1 << 10

// prefersJSON reports whether the client prefers JSON to HTML. The header is normalized for Fiber, which
// compares types with their parameters and in their case, and accepts a type with q=0 if a wildcard includes
// it.
func prefersJSON(c *fiber.Ctx) bool {
	if len(c.Get(fiber.HeaderAccept)) > maxAccept {
		return false
	}
	var plain []string
	offers := []string{fiber.MIMETextHTML, fiber.MIMEApplicationJSON}
	for _, part := range strings.Split(c.Get(fiber.HeaderAccept), ",") {
		if media, params, err := mime.ParseMediaType(part); err == nil {
			if weight, given := params["q"]; given {
				if q, err := strconv.ParseFloat(weight, 64); err == nil && q == 0 {
					offers = slices.DeleteFunc(offers, func(offer string) bool { return offer == media })
				}
				media += ";q=" + weight
			}
			plain = append(plain, media)
		}
	}
	c.Request().Header.Set(fiber.HeaderAccept, strings.Join(plain, ","))
	return len(offers) > 0 && c.Accepts(offers...) == fiber.MIMEApplicationJSON
}

// sendHTML returns a function that sends the result of a template, or returns its error.
func sendHTML(c *fiber.Ctx) func(html []byte, err error) error {
	return func(html []byte, err error) error {
		if err != nil {
			return err
		}
		c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
		return c.Send(html)
	}
}

// compressed compresses answers, except sockets and followed logs, whose lines must be sent at once.
func compressed() fiber.Handler {
	return compress.New(compress.Config{
		Level: compress.LevelBestSpeed,
		Next: func(c *fiber.Ctx) bool {
			followed := strings.HasSuffix(c.Path(), "/log") && followsLog(c)
			return followed || strings.HasSuffix(c.Path(), "/live")
		},
	})
}
