package board

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"runboard/handlers"
	"runboard/static"
)

// subcommand runs the subcommand in args and ends the process. It returns if args do not begin with one.
func subcommand(args []string) {
	if len(args) == 0 {
		return
	}
	var err error
	switch args[0] {
	case "check":
		err = check(args[1:], os.Stdout, os.Stderr)
	case "hash-password":
		err = hashPassword(args[1:], os.Stdin, os.Stdout)
	case "licenses":
		_, err = io.WriteString(os.Stdout, static.Notices)
	case "version", "--version":
		_, err = fmt.Println("runboard", version())
	default:
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, refusal(args[0]+": ", err))
		os.Exit(exitUsage)
	}
	os.Exit(0)
}

// version returns the version of the main module, which the Go command takes from the checkout, and that of
// Go.
func version() string {
	of := "of an unknown version"
	if build, known := debug.ReadBuildInfo(); known {
		of = build.Main.Version
	}
	return of + " " + runtime.Version()
}

// hashPassword writes a line for --auth-file to out. args is the user, and the first line of in is the
// password. Without a user in args that line is USER:PASSWORD; if it has no colon, it is a password, and out
// gets only its hash.
func hashPassword(args []string, in *os.File, out io.Writer) error {
	if len(args) > 1 || len(args) == 1 && strings.HasPrefix(args[0], "-") {
		return errors.New("usage: runboard hash-password [USER] < PASSWORD, or < USER:PASSWORD")
	}
	line, err := readSecret(in, len(args) == 1)
	if err != nil {
		return err
	}
	user, password, named := "", line, len(args) == 1
	if named {
		user = args[0]
	} else if before, after, found := strings.Cut(line, ":"); found {
		user, password, named = before, after, true
	}
	if err := checkUser(user); named && err != nil {
		return err
	}
	tooShort := utf8.RuneCountInString(password) < minPassword
	if tooShort || len(password) > 72 || strings.ContainsRune(password, 0) {
		return fmt.Errorf("a password has at least %d characters and at most 72 bytes", minPassword)
	}
	hash, err := handlers.HashPassword(password)
	if err != nil {
		return err
	}
	if named {
		hash = user + ":" + hash
	}
	_, err = fmt.Fprintln(out, hash)
	return err
}

// readSecret returns the first line of in. On a terminal it hides the input if alone is true: then the line
// is only a password.
func readSecret(in *os.File, alone bool) (string, error) {
	if fd := int(in.Fd()); alone && term.IsTerminal(fd) {
		fmt.Fprint(os.Stderr, "Password: ")
		secret, err := term.ReadPassword(fd)
		fmt.Fprintln(os.Stderr)
		return string(secret), err
	}
	line, err := bufio.NewReader(io.LimitReader(in, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}
