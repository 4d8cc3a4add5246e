package handlers

import (
	"encoding/base64"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"

	"runboard/app"
	"runboard/static"
	"runboard/templates"
)

func TestLogins_OnlyWrongPasswordsTakeLonger(t *testing.T) {
	drawing, err := templates.New(templates.Options{Asset: func(name string) string { return name }})
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{
		Access:    Access{Logins: []Login{{User: "anna", Password: "sesame"}}},
		Templates: drawing, Assets: &static.Assets{}, Log: slog.New(slog.DiscardHandler),
	})
	s.Attach(broken{err: app.Errorf(app.CodeNotFound, "Not there.")}, nil)
	handle := s.fiber.Handler()
	for _, c := range []struct {
		credentials string
		status      int
		took        time.Duration
	}{
		{"anna:sesame", http.StatusNotFound, 0}, {"", http.StatusUnauthorized, 0},
		{"anna:Sesame", http.StatusUnauthorized, refusalDelay},
		{"otto:sesame", http.StatusUnauthorized, refusalDelay}, {":", http.StatusUnauthorized, refusalDelay},
	} {
		synctest.Test(t, func(t *testing.T) {
			var request fasthttp.RequestCtx
			request.Request.SetRequestURI("/process_runs")
			request.Request.Header.SetHost("localhost")
			if c.credentials != "" {
				request.Request.Header.Set("Authorization",
					"Basic "+base64.StdEncoding.EncodeToString([]byte(c.credentials)))
			}
			began := time.Now()
			handle(&request)
			if took := time.Since(began); took != c.took || request.Response.StatusCode() != c.status {
				t.Errorf("%q: %d after %v", c.credentials, request.Response.StatusCode(), took)
			}
		})
	}
}
