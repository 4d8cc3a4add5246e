package jobs

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"runboard/app"
	"runboard/jobs/command"
)

// How long a command may take to stop after SIGTERM. When the server stops it has less time: so have we.
const (
	commandGrace  = 5 * time.Second
	shutdownGrace = 3 * time.Second
)

// kindName is what the name of a kind must be that comes from the command line.
var kindName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// Command is a command line that the operator has given a name. Nothing of it ever comes from a request.
type Command struct {
	Name string
	Path string   // of the program
	Args []string // the name of the program first
	// Dir is where it runs. Without it, each run has an empty directory of its own, which is removed afterwards.
	Dir  string
	User *command.User // whom it runs as; nil: the user of this process
}

// ParseCommand reads NAME=COMMAND. The command is split into words as a shell does it, quotes and backslashes
// included, but no shell is started and nothing is expanded, see splitWords. It fails when the name is not one, the command is not
// complete, or there is no such program.
func ParseCommand(text string) (c Command, err error) {
	name, line, found := strings.Cut(text, "=")
	if !found {
		return c, fmt.Errorf("%q is not NAME=COMMAND", text)
	}
	if !kindName.MatchString(name) {
		return c, fmt.Errorf("%q is not a name: 1 to 63 of a-z, 0-9, _ and -, and neither _ nor - first", name)
	}
	words, err := splitWords(line)
	switch {
	case err != nil:
		return c, fmt.Errorf("the command of %s cannot be split into words: %w", name, err)
	case len(words) == 0 || words[0] == "":
		return c, fmt.Errorf("%s has no command", name)
	}
	path, err := exec.LookPath(words[0])
	if err == nil {
		path, err = filepath.Abs(path) // it runs in another directory
	}
	if err != nil {
		return c, fmt.Errorf("the program of %s cannot be found: %w", name, err)
	}
	return Command{Name: name, Path: path, Args: words}, nil
}

// CommandKinds returns the kinds that the operator has given: each of lines is NAME=COMMAND, and file, when it is not
// empty, has more of them. dir is where they run and user whom they run as, see CommandUser; either may be empty. The error is
// one line that names the flag.
func CommandKinds(lines []string, file, dir, user string) (kinds []Kind, err error) {
	var commands []Command
	for _, line := range lines {
		command, err := ParseCommand(line)
		if err != nil {
			return nil, fmt.Errorf("--command: %w", err)
		}
		commands = append(commands, command)
	}
	if file != "" {
		more, err := ReadCommands(file)
		if err != nil {
			return nil, fmt.Errorf("--commands: %w", err)
		}
		commands = append(commands, more...)
	}
	if dir, err = usableDir(dir); err != nil {
		return nil, fmt.Errorf("--command-dir: %w", err)
	}
	as, err := CommandUser(user)
	if err != nil {
		return nil, fmt.Errorf("--command-user: %w", err)
	}
	for _, command := range commands {
		command.Dir, command.User = dir, as
		kinds = append(kinds, command.Kind())
	}
	return kinds, nil
}

func usableDir(dir string) (string, error) {
	if dir == "" {
		return "", nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%s is not a directory", dir)
	}
	return filepath.Abs(dir)
}

// ReadCommands reads a file with one NAME=COMMAND a line. Empty lines, and those that begin with #, are skipped.
func ReadCommands(path string) (commands []Command, err error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, len(content)+1)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		command, err := ParseCommand(line)
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, number, err)
		}
		commands = append(commands, command)
	}
	return commands, lines.Err()
}

// Kind returns the kind of which each run is a process of the command. Its output is the run's log, a line
// "progress: 40% copying" moves the bar, and an exit status other than 0 is an error.
func (c Command) Kind() Kind { return Kind{Name: c.Name, Work: c.work} }

func (c Command) work(ctx context.Context, run *Run) error {
	release, err := enoughDescriptors.acquire(ctx, run.logger())
	if err != nil {
		return err
	}
	defer release()
	for rest := scarceRest; ; rest = min(2*rest, scarceLongRest) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		result, last, err := c.attempt(ctx, run)
		switch {
		case command.IsScarce(err) || result.Scarce:
			enoughDescriptors.tell(run.logger(), cmp.Or(result.Problem, fmt.Sprint(err)))
			_ = sleep(ctx, rest)
			continue
		case err != nil:
			return fmt.Errorf("the command could not be followed to its end: %w", err)
		}
		err = explain(ctx, result, last)
		if result.Left != "" {
			run.logger().Error("processes of a command cannot be killed, and still run", "processes", result.Left)
		}
		if result.Stopped || result.Killed {
			return err
		}
		return inTime{err}
	}
}

// attempt runs the command once. When something is scarce, nothing has been run.
func (c Command) attempt(ctx context.Context, run *Run) (command.Result, *lastLines, error) {
	last := &lastLines{}
	spec := command.Spec{
		Path: c.Path, Args: c.Args, Dir: c.Dir, Env: environment(run, c.User), User: c.User, Lease: leaseOf(ctx),
	}
	if spec.Dir == "" {
		dir, err := makeRunDir(run.ID, c.User)
		if err != nil {
			return command.Result{}, last, fmt.Errorf("no directory can be made for it: %w", err)
		}
		defer dir.remove(run.logger()) // usually the supervisor has done it, as it does when there is no server any more
		spec.Dir, spec.RemoveDir = dir.path, true
	}
	result, err := c.supervise(ctx, spec, run, last)
	return result, last, err
}

// supervise runs the command and returns when nothing of it is left and all that it said is in the log.
func (c Command) supervise(ctx context.Context, spec command.Spec, run *Run, last *lastLines) (command.Result, error) {
	var outputs [2]*output
	for i, stream := range []app.Stream{app.Stdout, app.Stderr} {
		var err error
		outputs[i], err = newOutput(&lineWriter{run: run, stream: stream, last: last})
		if err != nil {
			return command.Result{}, err
		}
		defer outputs[i].close()
	}
	process, err := command.Start(spec, outputs[0].to, outputs[1].to)
	if err != nil {
		return command.Result{}, err
	}
	for _, output := range outputs {
		output.copy()
	}
	defer context.AfterFunc(ctx, func() { process.Stop(grace(ctx)) })()
	renewing, stopRenewing := context.WithCancel(ctx)
	defer stopRenewing()
	go renewLease(renewing, process)
	result, err := process.Wait()
	quiet := outputQuiet
	if result.Left != "" {
		quiet = outputLeft
	}
	for _, output := range outputs {
		output.end(quiet)
	}
	return result, err
}

func grace(ctx context.Context) time.Duration {
	if interrupted(context.Cause(ctx)) {
		return shutdownGrace
	}
	return commandGrace
}

// environment is all that a command finds in its environment: nothing of ours that may be secret.
func environment(run *Run, user *command.User) []string {
	env := []string{
		fmt.Sprintf("RUNBOARD_RUN_ID=%d", run.ID),
		fmt.Sprintf("RUNBOARD_ATTEMPT=%d", run.Attempt),
		"RUNBOARD_KIND=" + run.Kind,
	}
	for _, name := range []string{"PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR"} {
		value, set := os.LookupEnv(name)
		switch {
		case user != nil && name == "HOME":
			value, set = user.Home, true
		case user != nil && name == "USER":
			value, set = user.Name, true
		}
		if set {
			env = append(env, name+"="+value)
		}
	}
	return env
}
