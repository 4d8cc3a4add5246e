package kindsfile

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"runboard/app"
	"runboard/jobs"
)

func (b *builder) command(inputs []app.Input) (c Command, err error) {
	if c.Template, err = b.template(inputs); err != nil {
		return c, err
	}
	c.Path = b.program(c.Template.Words(nil)[0])
	c.Dir = b.dir
	if b.from.Dir != "" {
		c.Dir = b.workingDir(b.from.defaults)
	}
	c.Env, err = b.addEnv(b.env, b.from.Env)
	return c, err
}

// words returns the words of the command as they are written.
func (b *builder) words() (words []string) {
	for _, word := range b.from.Run {
		words = append(words, word.text)
	}
	return words
}

// template parses the words of the command.
func (b *builder) template(inputs []app.Input) (jobs.Template, error) {
	for _, word := range b.from.Run {
		if strings.ContainsRune(word.text, 0) {
			return jobs.Template{}, word.fault("a word of run contains a zero byte")
		}
	}
	switch words := b.words(); {
	case len(words) == 0:
		return jobs.Template{}, b.key("run").fault("run, the words of the command, is missing")
	case words[0] == "":
		return jobs.Template{}, b.from.Run[0].fault("the first word of run, the program, is empty")
	}
	words := b.words()
	template, err := jobs.ParseTemplate(words, inputs)
	if err == nil {
		return template, nil
	}
	for n, word := range b.from.Run { // the first word without which it cannot be parsed is wrong
		if _, err := jobs.ParseTemplate(words[:n+1], inputs); err != nil {
			return template, word.fault("%v", err)
		}
	}
	return template, b.key("run").fault("%v", err)
}

// program returns the path of a program. With a slash it is relative to the file; else PATH has it.
func (b *builder) program(name string) string {
	if path, known := b.paths[name]; known {
		return path
	}
	path := name
	if strings.Contains(name, "/") {
		path = b.absolute(name)
	}
	found, err := jobs.FindProgram(path)
	if err == nil && !filepath.IsAbs(found) {
		found, err = path, exec.ErrDot
	}
	if err != nil {
		b.warn(b.from.Run[0].place, "the program cannot be run: %v", err)
		return path // not known as found: each kind that has it warns
	}
	b.paths[name] = found
	return found
}

// workingDir returns the absolute path of a working directory of the file, or "".
func (s *shared) workingDir(from defaults) string {
	if from.Dir == "" {
		return ""
	}
	dir := s.absolute(from.Dir)
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a directory", dir)
	}
	if err != nil {
		s.warn(from.at("dir"), "dir: %v", err)
	}
	return dir
}

// addEnv returns variables with those of a mapping of the file, which override them.
func (s *shared) addEnv(vars []jobs.EnvVar, env named[envVar]) ([]jobs.EnvVar, error) {
	vars = slices.Clone(vars)
	for _, entry := range env {
		switch name := entry.name; {
		case !envName.MatchString(name):
			return nil, entry.fault("env: %s is not a name of a variable", quote(name))
		case strings.HasPrefix(name, "INPUT_"), strings.HasPrefix(name, "RUNBOARD_"):
			const text = "env: %s is taken, as are all names that begin with INPUT_ or RUNBOARD_"
			return nil, entry.fault(text, shorten(name))
		case strings.ContainsRune(entry.value.text, 0):
			return nil, entry.fault("env: %s contains a zero byte", shorten(name))
		}
		added := jobs.EnvVar{Name: entry.name, Text: entry.value.text, Env: entry.value.Env}
		if path := entry.value.File; path != "" {
			added.File = s.absolute(path)
		}
		if _, err := added.Value(); err != nil {
			s.warn(entry.place, "env: %v", err)
		}
		vars = slices.DeleteFunc(vars, func(v jobs.EnvVar) bool { return v.Name == added.Name })
		vars = append(vars, added)
	}
	return vars, nil
}
