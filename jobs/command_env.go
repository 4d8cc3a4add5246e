package jobs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"runboard/app"
	"runboard/jobs/command"
)

// inputsVariable is the variable with the path of the JSON file that has the inputs of a run.
const inputsVariable = "RUNBOARD_INPUTS"

// inputVariable returns the name of the variable that has the value of an input.
func inputVariable(input string) string { return "INPUT_" + strings.ToUpper(input) }

// standardVariables returns the variables that each command gets. It omits variables of the server that may
// be secret.
func standardVariables(run *Run, user *command.User) []string {
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

// readVariables returns the variables that the operator has set, and those of the inputs. The run masks what
// is secret in them from then on. It fails if a reference cannot be read.
func (c Command) readVariables(run *Run) (variables []string, err error) {
	var references []string
	for _, variable := range c.Env {
		text, err := variable.Value()
		if err != nil {
			return nil, err
		}
		if variable.isReference() {
			references = append(references, text)
		}
		variables = append(variables, variable.Name+"="+text)
	}
	run.maskReferences(references)
	for _, value := range run.Inputs() {
		variables = append(variables, inputVariable(value.Name)+"="+strings.Join(value.Texts, "\n"))
	}
	return variables, nil
}

// writeInputs writes the inputs of a run to a JSON file in a private directory of its own, and returns both.
// The file belongs to user, if that is not nil. The caller must remove the directory.
func writeInputs(
	run *Run, inputs []app.Input, user *command.User,
) (dir runDirectory, path string, err error) {
	dir, err = makeRunDir(run.ID, user)
	if err != nil {
		return dir, "", err
	}
	path = filepath.Join(dir.path, "inputs.json")
	if err := writePrivate(path, app.InputFile(inputs, run.Inputs()), user); err != nil {
		dir.remove(run.logger())
		return dir, "", err
	}
	return dir, path, nil
}

// writePrivate creates a file that only user can read, or the user of this process if that is nil.
func writePrivate(path string, content []byte, user *command.User) error {
	// With O_EXCL it is no file or link that a command of the same user has put there.
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	if user != nil {
		if err := file.Chown(int(user.UID), int(user.GID)); err != nil {
			return err
		}
	}
	if _, err := file.Write(content); err != nil {
		return err
	}
	return file.Close()
}
