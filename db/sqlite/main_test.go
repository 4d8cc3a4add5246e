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

// Each names a file that the test binary opens instead of running tests: so a test starts a second
// process.
const (
	openInstead = "RUNBOARD_TEST_OPEN" // and closes at once
	lookInstead = "RUNBOARD_TEST_LOOK" // and looks whether SQLite has it locked
	hangInstead = "RUNBOARD_TEST_HANG" // and starts runs in, and then waits to be killed
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
	// Each sequence opens a file, and a few times again. For a longer search: go test -rapid.checks=5000
	if err := flag.Set("rapid.checks", "40"); err != nil {
		panic(err)
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

// lookAndTell fails when no connection of another process has the lock that SQLite holds on a file in use, see
// https://sqlite.org/src/doc/trunk/src/os.h.
func lookAndTell(path string) int {
	const sharedFirst, sharedSize = 0x40000002, 510
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer file.Close()
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: sharedFirst, Len: sharedSize}
	if err := syscall.FcntlFlock(file.Fd(), syscall.F_GETLK, &lock); err != nil || lock.Type == syscall.F_UNLCK {
		fmt.Fprintln(os.Stderr, "nobody has it locked:", err)
		return 2
	}
	return 0
}

// startAndHang prints the ids of the runs that it has started, a line each, and does not return while
// its input is open.
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
