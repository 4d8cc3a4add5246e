package board

import (
	"errors"
	"fmt"
	"io"

	"runboard/board/kindsfile"
)

// check checks the kinds file in args as a start of the board does. It writes the number of its kinds to
// out, and to warnings what is missing for their runs on this machine.
func check(args []string, out, warnings io.Writer) error {
	if len(args) != 1 || args[0] == "" {
		return errors.New("usage: runboard check FILE, or runboard check --schema")
	}
	if args[0] == "--schema" {
		_, err := out.Write(kindsfile.Schema())
		return err
	}
	file, err := kindsfile.Read(args[0])
	if err != nil {
		return err
	}
	for _, warning := range file.Warnings {
		warning.Text = "warning: " + warning.Text
		_, _ = fmt.Fprintln(warnings, warning)
	}
	kinds := "kinds"
	if len(file.Kinds) == 1 {
		kinds = "kind"
	}
	_, err = fmt.Fprintf(out, "%d %s\n", len(file.Kinds), kinds)
	return err
}
