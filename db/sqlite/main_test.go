package sqlite

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"runboard/app"
)

// Environment variables that make the test binary act on a file instead of running tests, so that a test can
// start a second process. The value is the path of the file.
const (
	openInstead = "RUNBOARD_TEST_OPEN" // open and close the file
	lookInstead = "RUNBOARD_TEST_LOOK" // check whether SQLite has locked it
	hangInstead = "RUNBOARD_TEST_HANG" // start runs, then wait to be killed
)

func TestMain(m *testing.M) {
	if path := os.Getenv(openInstead); path != "" {
		os.Exit(openAndTell(path))
	}
	if path := os.Getenv(lookInstead); path != "" {
		os.Exit(lookAndTell(path))
	}
	if path := os.Getenv(hangInstead); path != "" {
		os.Exit(startAndHang(path))
	}
	// Each sequence opens a file several times, so the default is low. For a longer search: go test
	// -rapid.checks=5000. Tests often wait for the writer's ticker, so more of them run at once than there
	// are cores.
	for name, value := range map[string]string{"rapid.checks": "30", "test.parallel": "4"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

func openAndTell(path string) int {
	store, err := Open(context.Background(), Options{Path: path})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := store.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	return 0
}

// lookAndTell exits with 0 if a connection of another process holds the lock that SQLite takes on a file in
// use, see https://sqlite.org/src/doc/trunk/src/os.h.
func lookAndTell(path string) int {
	const sharedFirst, sharedSize = 0x40000002, 510
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer file.Close()
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: sharedFirst, Len: sharedSize}
	if err := syscall.FcntlFlock(file.Fd(), syscall.F_GETLK, &lock); err != nil ||
		lock.Type == syscall.F_UNLCK {
		fmt.Fprintln(os.Stderr, "the file is not locked:", err)
		return 2
	}
	return 0
}

// startAndHang prints the ids of the runs that it has started, one per line, and blocks until its input is
// closed.
func startAndHang(path string) int {
	store, err := Open(context.Background(), Options{Path: path})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	batch, err := store.Create(context.Background(), app.CreateRequest{Kind: kind, Count: 3})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for _, run := range batch.Runs() {
		if _, err := store.Start(context.Background(), run); err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println(run.ID)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}
