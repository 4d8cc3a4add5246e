package pgtest

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// LimitFiles makes writes of the server beyond this size of a file fail, as on a full disk, from now on and
// until NoLimit. A file of the write-ahead log has 16 MiB, and must stay below it. The server reports a full
// disk if the limit is not a multiple of the size of a page, 8 KiB.
func (c *Cluster) LimitFiles(bytes int64) {
	c.t.Helper()
	if err := c.limitFiles(strconv.FormatInt(bytes, 10)); err != nil {
		c.t.Fatalf("the files of the server cannot be limited: %v", err)
	}
}

// NoLimit ends LimitFiles.
func (c *Cluster) NoLimit() {
	c.t.Helper()
	if err := c.limitFiles("unlimited"); err != nil {
		c.t.Fatalf("the limit of the server cannot be removed: %v", err)
	}
}

// limitFiles limits the main process first: processes that it starts later inherit its limit. Only the user
// of a process, or a privileged one, may limit it.
func (c *Cluster) limitFiles(limit string) error {
	parsed, err := url.Parse(c.url)
	if err != nil {
		return err
	}
	file, err := os.ReadFile(filepath.Join(parsed.Query().Get("host"), "data", "postmaster.pid"))
	if err != nil {
		return err
	}
	server, _, _ := strings.Cut(string(file), "\n")
	children := filepath.Join("/proc", server, "task", server, "children")
	run := exec.Command("sh", "-c", limitScript, "limit", limit, server, children)
	run.SysProcAttr = &syscall.SysProcAttr{Credential: c.as.Credential}
	if output, err := run.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	return nil
}

// limitScript limits a process and its children. A child may have ended meanwhile.
const limitScript = `prlimit --fsize="$1": --pid "$2" || exit 1
for child in $(cat "$3"); do
  prlimit --fsize="$1": --pid "$child" || ! kill -0 "$child" 2>/dev/null || exit 1
done`
