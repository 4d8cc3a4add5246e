package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"
)

// Settings of the Rails example. It gets fewer requests than Runboard, because it is slower.
const (
	railsPosts = 50
	railsHello = `{"command":"subscribe","identifier":"{\"channel\":\"RunsChannel\"}"}`
)

// hasRails reports whether the Rails example can run. As root, it first installs missing packages.
func hasRails() bool {
	there := func() bool {
		_, err := exec.LookPath("puma")
		return err == nil &&
			exec.Command("ruby", "-e", `require "rails"; require "pg"; require "action_cable"`).Run() == nil
	}
	if !there() && os.Geteuid() == 0 {
		install := exec.Command("sh", "-c",
			"apt-get update -q && apt-get install -y -q --no-install-recommends ruby-rails puma ruby-pg")
		install.Stdout, install.Stderr = os.Stderr, os.Stderr
		_ = install.Run()
	}
	return there()
}

// startRails starts the example as one puma process with five threads. The caller ends it.
func (b *bench) startRails(postgres string) (*server, error) {
	dir, err := os.MkdirTemp(b.dir, "rails")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	program, err := filepath.Abs("rails/config.ru")
	if err != nil {
		return nil, err
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	puma := exec.Command("puma", "--quiet", "-C", "-", "-e", "production", "-t", "5:5", "-b",
		"tcp://"+address, program)
	puma.Dir, puma.Stderr = dir, os.Stderr
	puma.Env = append(os.Environ(), "RAILS_ENV=production", "EXAMPLE_ROOT="+dir,
		"DATABASE_URL="+postgres+"?pool=20")
	_, err = b.servers.run(puma, port)
	return &server{url: "http://" + address, cmd: puma}, err
}

// railsRound measures the example from the first request to the frame that shows the last run as done.
func (b *bench) railsRound(at addresses) (sample, error) {
	example, err := b.startRails(at.Postgres)
	if err != nil {
		return nil, err
	}
	defer b.servers.end(example.cmd)
	const runs = railsPosts * wholeCount
	completed, done := atomic.Int64{}, make(chan struct{})
	watcher, err := openCrowd(example.url, "/cable", 1, railsHello, func(_ int, frame []byte) {
		if bytes.Contains(frame, []byte("completed")) && completed.Add(1) == runs {
			close(done)
		}
	})
	if err != nil {
		return nil, err
	}
	defer watcher.leave()
	time.Sleep(time.Second) // until the socket is subscribed
	measured, err := measureWholePath(done, runs, railsPosts,
		func() float64 { return cpuOf(example.pid()) + cpuOf(at.postgresPID()) }, func() error {
			response, err := noRedirects.PostForm(example.url+"/process_runs",
				url.Values{"count": {strconv.Itoa(wholeCount)}})
			if err != nil {
				return err
			}
			_ = response.Body.Close()
			if response.StatusCode != http.StatusSeeOther {
				return fmt.Errorf("rails: %s", response.Status)
			}
			return nil
		})
	return measured, err
}

// noRedirects is a client that returns redirects instead of following them.
var noRedirects = &http.Client{CheckRedirect: func(*http.Request,
	[]*http.Request) error {
	return http.ErrUseLastResponse
}}
