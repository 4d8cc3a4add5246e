package app_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"runboard/app"
)

func TestCodeOf_FindsWrappedCodes(t *testing.T) {
	t.Parallel()
	conflict := app.Errorf(app.CodeConflict, "Run %d is gone.", 7)
	for name, test := range map[string]struct {
		err  error
		want app.Code
	}{
		"no error has none":                {nil, ""},
		"an error without one is internal": {io.EOF, app.CodeInternal},
		"one with a code":                  {conflict, app.CodeConflict},
		"wrapped once":                     {fmt.Errorf("finish: %w", conflict), app.CodeConflict},
		"wrapped twice": {fmt.Errorf("a: %w", fmt.Errorf("b: %w", conflict)),
			app.CodeConflict},
		"joined with one without": {errors.Join(io.EOF, conflict), app.CodeConflict},
		"the outer of two codes": {&app.Error{Code: app.CodeUnavailable, Err: conflict},
			app.CodeUnavailable},
		"spelled out is not wrapped":             {errors.New(conflict.Error()), app.CodeInternal},
		"one that only looks like it is wrapped": {fmt.Errorf("finish: %v", conflict), app.CodeInternal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := app.CodeOf(test.err); got != test.want {
				t.Errorf("the code is %q, want %q", got, test.want)
			}
		})
	}
}

func TestError_HidesItsCauseFromPeople(t *testing.T) {
	t.Parallel()
	err := &app.Error{Code: app.CodeUnavailable, Message: "Not now.", Err: io.ErrUnexpectedEOF}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("what lies beneath cannot be reached")
	}
	for _, part := range []string{"Not now.", "unavailable", io.ErrUnexpectedEOF.Error()} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the log gets %q, without %q", err.Error(), part)
		}
	}
	if strings.Contains(err.Message, "EOF") {
		t.Errorf("the error is %q", err.Message)
	}
}

func TestErrorf_FormatsItsMessage(t *testing.T) {
	t.Parallel()
	err := app.Errorf(app.CodeNotFound, "There is no run #%d.", 12)
	if err.Message != "There is no run #12." || err.Error() != "There is no run #12. (not_found)" {
		t.Errorf("the message is %q, the log gets %q", err.Message, err.Error())
	}
}
