package jobs

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"runboard/app"
	"runboard/jobs/command"
)

// Grace periods after SIGTERM. The server allows less time for its own shutdown, so commands get less, too.
const (
	commandGrace  = 5 * time.Second
	shutdownGrace = 3 * time.Second
)

// kindName matches the names that the operator may give to kinds.
var kindName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// Command is a command line that the operator has named. A request gives only the values of its inputs, each
// of which is whole words of it.
type Command struct {
	Name     string
	Path     string   // absolute path of the program, or a name that is looked for in PATH at each attempt
	Template Template // words of the command; the first is the name of the program
	Env      []EnvVar // variables, besides those that each command gets
	// Dir is the working directory. If it is empty, each run gets an empty directory, which
	// is removed afterwards.
	Dir  string
	User *command.User // user to run as; nil: the user of this process
}

// ParseCommand parses NAME=COMMAND. It splits the command into words as a shell does, with quotes and
// backslashes, but starts no shell and expands nothing; see splitWords. It fails if the name is invalid,
// the command is missing or malformed, or the program does not exist.
func ParseCommand(text string) (c Command, err error) {
	name, line, found := strings.Cut(text, "=")
	if !found {
		return c, fmt.Errorf("%q is not NAME=COMMAND", text)
	}
	if !kindName.MatchString(name) {
		return c, fmt.Errorf("%q is not a name: use 1 to 63 of a-z, 0-9, _ and -, not _ or - first", name)
	}
	words, err := splitWords(line)
	switch {
	case err != nil:
		return c, fmt.Errorf("the command of %s cannot be split into words: %w", name, err)
	case len(words) == 0 || words[0] == "":
		return c, fmt.Errorf("%s has no command", name)
	}
	path, err := FindProgram(words[0])
	if err == nil {
		path, err = filepath.Abs(path) // it runs in another directory
	}
	if err != nil {
		return c, fmt.Errorf("the program of %s cannot be run: %w", name, err)
	}
	return Command{Name: name, Path: path, Template: fixedTemplate(words)}, nil
}

// CommandKinds returns the kinds that the operator has configured. Each line is NAME=COMMAND; file, if
// not empty, contains more of them. Commands run in dir as user, see CommandUser; either may be empty.
// The error is one line and names the flag.
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
		kinds = append(kinds, command.Kind(app.Kind{}))
	}
	return kinds, nil
}

// usableDir returns the absolute path of an existing directory, or "" for "".
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

// ReadCommands reads a file with one NAME=COMMAND per line. It skips empty lines and lines that start with #.
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

// Kind returns the kind whose runs execute the command. Output goes to the run's log, a line like "progress:
// 40% copying" sets the progress, and an exit status other than 0 is an error. The inputs are those of the
// template, and info says the rest about the kind.
func (c Command) Kind(info app.Kind) Kind {
	info.Inputs = c.Template.Inputs()
	return Kind{Name: c.Name, Work: c.work, Info: info, Command: c}
}

// Describe implements CommandDescriber.
func (c Command) Describe(values app.InputValues) app.CommandPreview {
	preview := app.CommandPreview{Words: c.Template.Words(values), Dir: c.Dir}
	for _, variable := range c.Env {
		preview.Variables = append(preview.Variables, variable.Name)
	}
	return preview
}

func (c Command) work(ctx context.Context, run *Run) error {
	release, err := commandSlots.acquire(ctx, run.logger())
	if err != nil {
		return err
	}
	defer release()
	if c.Path, err = FindProgram(c.Path); err != nil {
		return fmt.Errorf("the program cannot be run: %w", err)
	}
	variables, err := c.readVariables(run)
	if err != nil {
		return err
	}
	for pause := minScarcePause; ; pause = min(2*pause, maxScarcePause) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		result, last, err := c.attempt(ctx, run, variables)
		switch {
		case command.IsScarce(err) || result.Scarce:
			commandSlots.warn(run.logger(), cmp.Or(result.Problem, fmt.Sprint(err)))
			_ = Sleep(ctx, pause)
			continue
		case err != nil:
			return err
		}
		err = explain(ctx, result, last)
		if result.Left != "" {
			run.logger().Error("processes of a command cannot be killed", "processes", result.Left)
		}
		if result.Stopped || result.Killed {
			return err
		}
		return inTime{err}
	}
}

// attempt runs the command once. If the result or the error says that resources are scarce, the
// command has not run.
func (c Command) attempt(
	ctx context.Context, run *Run, variables []string,
) (result command.Result, last *lastLines, err error) {
	last = &lastLines{}
	spec := command.Spec{
		Path: c.Path, Args: c.Template.Words(run.Inputs()), Dir: c.Dir,
		Env: slices.Concat(standardVariables(run, c.User), variables), User: c.User, Lease: leaseOf(ctx),
	}
	if spec.Dir == "" {
		dir, err := makeRunDir(run.ID, c.User)
		if err != nil {
			return result, last, notStarted(fmt.Errorf("the directory of the run cannot be created: %w", err))
		}
		// The supervisor has usually removed it, and does so even if the server is gone.
		defer dir.remove(run.logger())
		spec.Dir = dir.path
		spec.Remove = append(spec.Remove, dir.path)
	}
	if inputs := c.Template.Inputs(); len(inputs) > 0 {
		dir, file, err := writeInputs(run, inputs, c.User)
		if err != nil {
			return result, last, notStarted(fmt.Errorf("the file of the inputs cannot be created: %w", err))
		}
		defer dir.remove(run.logger())
		spec.Env = append(spec.Env, inputsVariable+"="+file)
		spec.Remove = append(spec.Remove, dir.path)
	}
	result, err = c.supervise(ctx, spec, run, last)
	return result, last, err
}

// supervise runs the command. It returns when no process of the command is left, except those in
// Result.Left, and all output is in the log.
func (c Command) supervise(
	ctx context.Context, spec command.Spec, run *Run, last *lastLines,
) (command.Result, error) {
	outputs, err := newOutputs(run.output(app.Stdout, last), run.output(app.Stderr, last))
	for _, output := range outputs {
		defer output.close()
	}
	if err != nil {
		return command.Result{}, notStarted(err)
	}
	process, err := command.Start(spec, outputs[0].to, outputs[1].to)
	if err != nil {
		return command.Result{}, notStarted(err)
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
	if err != nil {
		return result, fmt.Errorf("the command was lost: %w", err)
	}
	return result, nil
}

// notStarted is the error of an attempt whose command has not run.
func notStarted(err error) error { return fmt.Errorf("the command could not be started: %w", err) }

// grace returns how long a command may take to stop after ctx has ended.
func grace(ctx context.Context) time.Duration {
	if interrupted(context.Cause(ctx)) {
		return shutdownGrace
	}
	return commandGrace
}
