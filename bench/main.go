// Command bench measures Runboard, its peers, and the limits of the machine. They take turns in one run,
// because only ratios within a run are comparable. The results go to RESULTS.md. See make bench.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// part is one section of the results. It can be run alone with -only.
type part struct {
	name, title string
	run         func(*bench) (section string, err error)
}

var parts = []part{
	{"queue", "Queue: runs a second inside the process", (*bench).queues},
	{"pickup", "Pick-up: one run on an idle queue", (*bench).pickups},
	{"whole", "Whole path: from the click to the last frame", (*bench).wholePath},
	{"nodes", "Several nodes on one PostgreSQL", (*bench).severalNodes},
	{"fanout", "Fan-out: one small frame to many sockets", (*bench).fanOut},
	{"storm", "Watching a storm", (*bench).storm},
	{"growth", "Growth: from a thousand rows to ten million", (*bench).growth},
	{"memory", "Memory", (*bench).memory},
	{"browser", "Browser under 5,000 changes a second", (*bench).browser},
	{"page", "Page", (*bench).page},
}

// children are the measurements that run in a process of their own. Each reads its settings from stdin.
var children = map[string]func(*json.Decoder) (sample, error){
	"queue":  queueChild,
	"pickup": pickupChild,
	"hub":    hubChild,
	"page":   pageChild,
	"river":  riverChild,
	"nodes":  nodePickupChild,
}

// bench holds what all parts share.
type bench struct {
	rounds  int
	binary  string // path of the Runboard binary built for this run
	older   string // path of an older Runboard binary, for the part page; may be empty
	dir     string // temporary directory, removed at the end
	servers *servers
}

func main() {
	only := flag.String("only", "", "parts to run, with commas between them; all without it")
	rounds := flag.Int("rounds", 3, "rounds, in which the contenders take turns")
	results := flag.String("results", "RESULTS.md", "where what was measured goes")
	older := flag.String("older", "", "binary of an older Runboard, for the part page to compare with")
	child := flag.String("child", "", "for its own use")
	flag.Parse()
	var err error
	if *child != "" {
		err = runChild(*child)
	} else {
		err = runParts(*only, *rounds, *results, *older)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// runChild runs one of children and writes its sample to stdout as JSON.
func runChild(name string) error {
	measured, err := children[name](json.NewDecoder(os.Stdin))
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(measured)
}

// runParts builds Runboard, runs the parts named in only (all if it is empty), and saves each section as soon
// as it is measured.
func runParts(only string, rounds int, results, older string) (err error) {
	dir, err := os.MkdirTemp("", "runboard-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{rounds: rounds, dir: dir, binary: dir + "/runboard", older: older,
		servers: &servers{dir: dir}}
	defer b.servers.stop()
	build := exec.Command("go", "build", "-tags", "sqlite_fts5", "-trimpath", "-ldflags", "-s -w", "-o",
		b.binary, ".")
	build.Dir, build.Stderr = "..", os.Stderr
	if err := build.Run(); err != nil {
		return err
	}
	for _, p := range parts {
		if only != "" && !slices.Contains(strings.Split(only, ","), p.name) {
			continue
		}
		began := time.Now()
		section, err := p.run(b)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		section += fmt.Sprintf("\nMeasured on %s in %v, %d rounds.\n", began.Format(time.DateOnly),
			time.Since(began).Round(time.Second), rounds)
		fmt.Printf("## %s\n\n%s\n", p.title, section)
		if err := replaceSection(results, p, section); err != nil {
			return err
		}
	}
	return nil
}

// replaceSection replaces the section of a part in the file at path, and keeps the sections of the other
// parts.
func replaceSection(path string, p part, section string) error {
	old, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	known := map[string]string{}
	for _, one := range strings.Split(string(old), "\n## ")[1:] {
		title, text, _ := strings.Cut(one, "\n")
		known[title] = strings.Trim(text, "\n")
	}
	known[p.title] = strings.Trim(section, "\n")
	var out strings.Builder
	fmt.Fprintf(&out, heading, machine())
	for _, one := range parts {
		if text := known[one.title]; text != "" {
			fmt.Fprintf(&out, "\n## %s\n\n%s\n", one.title, text)
		}
	}
	return os.WriteFile(path, []byte(out.String()), 0o644)
}

// summary is the document whose first table has the figures that matter most to users.
const summary = "../docs/performance.md"

// updateSummary writes a figure into the row of that table that begins with what. It fails if there is no
// such row.
func updateSummary(what, figure string) error {
	text, err := os.ReadFile(summary)
	if err != nil {
		return err
	}
	row := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(what) + ` \|.*$`)
	if !row.Match(text) {
		return fmt.Errorf("%s has no row %q", summary, what)
	}
	return os.WriteFile(summary, row.ReplaceAllLiteral(text, []byte("| "+what+" | "+figure+" |")), 0o644)
}

// heading is the beginning of the file of results, with a verb for the machine.
const heading = `# Results

Written by ` + "`make bench`" + `: the real program and its peers in turn, on the same machine, in the same run. Machines differ and are shared, so
only the ratios count: each figure is the median of its rounds, and the spread is from the lowest to the highest round.
Settings and versions are beside the figures. [docs/performance.md](../docs/performance.md) explains them.

Machine: %s.
`

// machine describes the CPU and the Go version.
func machine() string {
	model := "unknown processor"
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
		}
	}
	return fmt.Sprintf("%d cores (%s), %s", runtime.NumCPU(), model, runtime.Version())
}

// table formats rows as a Markdown table. The first row is the heading.
func table(rows [][]string) string {
	var out strings.Builder
	for i, row := range rows {
		out.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			out.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
	return out.String()
}
