package harness

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
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
	balancer := startNginx(t, strings.ReplaceAll(site, "$$", "$"), "listen 80")
	balancer.Database = nodes[0].Database
	Eventually(t, "nginx serves", balancer.AnswersUp(200))
	return balancer
}

// Proxy starts nginx in front of the board at a URL, with the configuration of docs/deploy.md. It returns its
// URL and a client that accepts its certificate.
func Proxy(t testing.TB, board string) (url string, client *http.Client) {
	t.Helper()
	_, site, _ := strings.Cut(ReadFile(t, "docs/deploy.md"), "```nginx\n")
	site, _, found := strings.Cut(site, "```")
	if !found {
		t.Fatal("docs/deploy.md has no configuration of nginx")
	}
	server := httptest.NewTLSServer(nil) // for its certificate
	t.Cleanup(server.Close)
	site = strings.Replace(site, "http://127.0.0.1:3000", board, 1)
	site = strings.Replace(site, "/etc/ssl/board.example.pem",
		writeCertificate(t, server.TLS.Certificates[0]), 1)
	site = strings.Replace(site, "/etc/ssl/private/board.example.key",
		writeKey(t, server.TLS.Certificates[0]), 1)
	proxy := startNginx(t, site, "listen 443")
	url = strings.Replace(proxy.URL, "http:", "https:", 1)
	client = server.Client()
	Eventually(t, "nginx serves", func() error {
		response, err := client.Get(url + "/up")
		if err != nil {
			return err
		}
		return response.Body.Close()
	})
	return url, client
}

func writeCertificate(t testing.TB, certificate tls.Certificate) (path string) {
	t.Helper()
	return writePEM(t, pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
}

func writeKey(t testing.TB, certificate tls.Certificate) (path string) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, pem.Block{Type: "PRIVATE KEY", Bytes: key})
}

func writePEM(t testing.TB, block pem.Block) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&block), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// startNginx starts nginx with a site, which listens at a free address instead of the one in listen.
func startNginx(t testing.TB, site, listen string) *Process {
	t.Helper()
	program, err := findNginx()
	if err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	site = strings.Replace(site, listen, "listen "+address, 1)
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
	return &Process{T: t, URL: "http://" + address}
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
