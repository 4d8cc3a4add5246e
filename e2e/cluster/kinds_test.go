package cluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"runboard/app"
	"runboard/db/pgtest"
	"runboard/e2e/harness"
)

// kindsNode is a node with a kinds file of its own.
type kindsNode struct {
	*harness.Process
	file string
}

func startKindsNode(t *testing.T, server, kinds string, args ...string) kindsNode {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kinds.yaml")
	if err := os.WriteFile(file, []byte(kinds), 0o600); err != nil {
		t.Fatal(err)
	}
	node := harness.NewNode(t, server, append(args, "--kinds", file)...)
	node.Env, node.AllowErrors = []string{"PATH=" + os.Getenv("PATH")}, true // faults of the file
	node.Start("127.0.0.1:0")
	return kindsNode{node, file}
}

// reload replaces the file of the node, and waits until the node has logged text.
func (n kindsNode) reload(t *testing.T, kinds, text string) {
	t.Helper()
	before := strings.Count(n.Log.String(), text)
	if err := os.WriteFile(n.file, []byte(kinds), 0o600); err != nil {
		t.Fatal(err)
	}
	n.Signal(syscall.SIGHUP)
	harness.Eventually(t, "the node logs "+text, func() error {
		if strings.Count(n.Log.String(), text) == before {
			return errors.New(n.Log.String())
		}
		return nil
	})
}

// isDone returns a condition: the run is completed.
func (n kindsNode) isDone(run int64) func() error {
	return func() error {
		var found harness.RunJSON
		err := n.Get(fmt.Sprint("/process_runs/", run), &found)
		if err == nil && found.Status != "completed" {
			err = fmt.Errorf("it is %s", found.Status)
		}
		return err
	}
}

func (n kindsNode) post(t *testing.T, form string) (run int64) {
	t.Helper()
	var created harness.ListJSON
	if err := n.Do("POST", "/process_runs", form, &created); err != nil {
		t.Fatal(err)
	}
	return created.ProcessRuns[0].ID
}

// TestNodes_FollowTheirKindsFiles replaces the kinds of a node with pages and of one that works.
func TestNodes_FollowTheirKindsFiles(t *testing.T) {
	t.Parallel()
	const one = "kinds:\n  one: {run: [\"true\"]}\n"
	const two = one + "  two: {run: [\"true\"], concurrency: 1}\n"
	const secret = one +
		"  two: {run: [sh, -c, '[ \"$INPUT_TOKEN\" = hunter2 ]'], inputs: [{name: token, type: secret, " +
		"required: true}]}\n"
	server := pgtest.URL(t)
	pages := startKindsNode(t, server, one, "--role", "web")
	works := startKindsNode(t, server, one, "--role", "worker")
	if err := pages.Do("POST", "/process_runs", "kind=two", nil); err == nil ||
		!strings.Contains(err.Error(), "422") {
		t.Errorf("a kind that is not offered is answered with %v", err)
	}
	pages.reload(t, two, "added=[two]")
	run := pages.post(t, "kind=two")
	harness.Eventually(t, "the pages warn of the run", pages.warns("no worker here handles this kind", true))
	works.reload(t, two, "added=[two]")
	harness.Eventually(t, "the run is completed", pages.isDone(run))
	works.reload(t, one, "removed=[two]")
	run = pages.post(t, "kind=two")
	harness.Eventually(t, "the pages warn again", pages.warns("no worker here handles this kind", true))
	works.reload(t, two, "added=[two]")
	harness.Eventually(t, "the run is completed", pages.isDone(run))
	harness.Eventually(t, "the pages warn no more", pages.warns("no worker here handles this kind", false))

	pages.reload(t, secret, "--secret-key-file: a kind has a secret input") // refused without a key
	if run := pages.post(t, "kind=two"); run == 0 {
		t.Error("after a refused file, the kinds have changed")
	}
}

// warns returns a condition: the board has this warning, or has it not.
func (n kindsNode) warns(text string, want bool) func() error {
	return func() error {
		response, err := harness.Client.Get(n.URL + "/process_runs")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		page, err := io.ReadAll(response.Body)
		if err == nil && strings.Contains(string(page), text) != want {
			err = fmt.Errorf("the page says so: %t", !want)
		}
		return err
	}
}

// TestNodes_ShareTheKeyOfSecrets starts a run with a secret on one node, and executes it on another.
func TestNodes_ShareTheKeyOfSecrets(t *testing.T) {
	t.Parallel()
	const kinds = "kinds:\n  login: {run: [sh, -c, '[ \"$INPUT_TOKEN\" = hunter2 ]'], inputs: [{name: " +
		"token, type: secret}]}\n"
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, fmt.Appendf(nil, "%x\n", app.NewSecretKey()), 0o600); err != nil {
		t.Fatal(err)
	}
	server := pgtest.URL(t)
	pages := startKindsNode(t, server, kinds, "--role", "web", "--secret-key-file", key)
	run := pages.post(t, "input.token=hunter2")
	startKindsNode(t, server, kinds, "--role", "worker", "--secret-key-file", key)
	harness.Eventually(t, "the run is completed", pages.isDone(run))
}
