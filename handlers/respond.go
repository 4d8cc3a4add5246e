package handlers

import (
	"mime"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/compress"
)

// form is how an answer is wanted.
type format int

const (
	asPage     format = iota // a whole page: browsers, curl, and htmx when it selects from one
	asFragment               // what htmx swaps into a page
	asJSON
)

// varies names the headers that wants looks at, for caches.
const varies = "Accept, HX-Request, HX-Request-Type"

// wants decides how a request is answered. Page and fragment are told apart by both of htmx's headers: when
// somebody goes back, it asks again for the address without the first one, and needs a page.
func negotiate(c *fiber.Ctx) format {
	switch {
	case prefersJSON(c):
		return asJSON
	case c.Get("HX-Request") == "true" && c.Get("HX-Request-Type") == "partial":
		return asFragment
	}
	return asPage
}

// maxAccept is how many bytes of an Accept header are read. Longer ones would be weighed type by type, which took 3 ms for
// 8 KiB before any login; browsers send under 200.
const maxAccept = 1 << 10

// prefersJSON reports whether JSON is wanted rather than HTML. Fiber weighs the types, but compares them letter by
// letter and with their parameters, and takes a type that is refused for one that anything includes.
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

// sendHTML returns a function that sends what a template drew, or fails as it did.
func sendHTML(c *fiber.Ctx) func(html []byte, err error) error {
	return func(html []byte, err error) error {
		if err != nil {
			return err
		}
		c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
		return c.Send(html)
	}
}

// compressed makes pages smaller on their way. Sockets are left alone, and so are logs that are followed: a line is
// to be seen when it comes, and not when enough of them fill a block.
func compressed() fiber.Handler {
	return compress.New(compress.Config{
		Level: compress.LevelBestSpeed,
		Next: func(c *fiber.Ctx) bool {
			return strings.HasSuffix(c.Path(), "/live") || strings.HasSuffix(c.Path(), "/log") && c.Query("follow") == "1"
		},
	})
}
