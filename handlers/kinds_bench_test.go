package handlers

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"runboard/app"
	"runboard/jobs"
)

// BenchmarkKinds measures pages of a board with a thousand kinds, of which each has a run.
func BenchmarkKinds(b *testing.B) {
	const count = 1000
	var kinds []jobs.Kind
	for n := range count {
		info := app.Kind{Title: fmt.Sprint("Kind ", n), Group: fmt.Sprint("Group ", n/50),
			Inputs: []app.Input{
				{Name: "text", Type: app.TextInput}, {Name: "flag", Type: app.FlagInput},
				{Name: "choice", Type: app.ChoiceInput, Choices: []app.Choice{{Value: "a"}, {Value: "b"}}},
			}}
		work := func(context.Context, *jobs.Run) error { return nil }
		kinds = append(kinds, jobs.Kind{Name: fmt.Sprint("kind-", n), Info: info, Work: work})
	}
	registry, err := jobs.NewRegistry(kinds...)
	if err != nil {
		b.Fatal(err)
	}
	s := bareServer(b, Options{Kinds: registry}, io.Discard)
	store := goLive(b, s, 0)
	for _, kind := range registry.Names() {
		if _, err := store.Create(b.Context(), app.CreateRequest{Kind: kind, Count: 1}); err != nil {
			b.Fatal(err)
		}
	}
	handler := s.fiber.Handler()
	for _, page := range []struct{ name, path, accept string }{
		{"kinds", "/kinds", fiber.MIMETextHTML}, {"kinds in JSON", "/kinds", fiber.MIMEApplicationJSON},
		{"kind", "/kinds/kind-500", fiber.MIMETextHTML}, {"board", "/process_runs", fiber.MIMETextHTML},
		{"filter", "/process_runs?input.text=x", fiber.MIMETextHTML},
	} {
		b.Run(page.name, func(b *testing.B) {
			for b.Loop() {
				var c fasthttp.RequestCtx
				c.Init(&fasthttp.Request{}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, nil)
				c.Request.Header.SetHost("127.0.0.1")
				c.Request.Header.Set(fiber.HeaderAccept, page.accept)
				c.Request.SetRequestURI(page.path)
				handler(&c)
				if c.Response.StatusCode() != fiber.StatusOK {
					b.Fatalf("%s is answered with %d", page.path, c.Response.StatusCode())
				}
			}
		})
	}
}
