package harness

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// nginxConfig is the configuration of an nginx whose files are all in its working directory, with the
// configuration of its sites.
const nginxConfig = `daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
access_log off;
client_body_temp_path body;
proxy_temp_path proxy;
fastcgi_temp_path fastcgi;
uwsgi_temp_path uwsgi;
scgi_temp_path scgi;
%s
}`

var balancedNode = regexp.MustCompile(`server node\d:3000`)

// Balance starts nginx in front of nodes, with the configuration of compose.yaml. The result is a process
// with its URL, so that clients can use it like a node.
func Balance(t testing.TB, nodes []*Process) *Process {
	t.Helper()
	program, err := findNginx()
	if err != nil {
		t.Fatal(err)
	}
	_, site, _ := strings.Cut(ReadFile(t, "compose.yaml"), "content: |\n")
	site, _, _ = strings.Cut(site, "\nvolumes:")
	if n := len(balancedNode.FindAllString(site, -1)); n != len(nodes) {
		t.Fatalf("compose.yaml balances %d nodes", n)
	}
	at := 0
	site = balancedNode.ReplaceAllStringFunc(site, func(string) string {
		at++
		return "server " + strings.TrimPrefix(nodes[at-1].URL, "http://")
	})
	address := freeAddress(t)
	site = strings.Replace(strings.ReplaceAll(site, "$$", "$"), "listen 80", "listen "+address, 1)
	dir := t.TempDir()
	config := fmt.Appendf(nil, nginxConfig, site)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	log := &logged{}
	cmd := exec.Command(program, "-p", dir, "-c", "nginx.conf")
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the log of nginx:\n%s", log.summary())
		}
	})
	balancer := &Process{T: t, URL: "http://" + address, Database: nodes[0].Database}
	Eventually(t, "nginx serves", balancer.AnswersUp(200))
	return balancer
}

// findNginx returns the path of nginx, which Debian keeps out of the PATH of users.
func findNginx() (path string, err error) {
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} {
		if path, err = exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("nginx is missing, which the tests need (apt-get install nginx): %w", err)
}

// freeAddress returns an address of this machine at which nothing listens.
func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
