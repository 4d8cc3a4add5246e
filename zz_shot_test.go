package main

import (
	"os"
	"testing"
)

func TestZZShot(t *testing.T) {
	url := os.Getenv("SHOT_URL")
	for _, one := range []picture{
		{"s.png", "/process_runs/statistics", "light", 1000, 1200},
		{"s-dark.png", "/process_runs/statistics", "dark", 1000, 1200},
		{"s-narrow.png", "/process_runs/statistics", "light", 360, 1500},
	} {
		os.WriteFile("/tmp/statistics_shots/"+one.name, photograph(t, url+one.path, one.scheme, one.width, one.height), 0o644)
	}
}
