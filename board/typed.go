package board

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"runboard/app"
	"runboard/jobs"
)

// Typed returns a kind whose runs have the inputs that the fields of the struct In declare. A request is
// checked by their tags before a run is created, and again before work is called.
//
//	type ResizeInput struct {
//		File  string   `input:"file" title:"File" required:"true" pattern:"[a-z]+\\.jpg"`
//		Width int      `input:"width" title:"Width" help:"In pixels." min:"1" max:"4000" default:"800"`
//		Sizes []string `input:"sizes" choices:"small,large"`
//		Until *time.Time `input:"until"`
//	}
//
// The type of a field decides the type of the input:
//
//   - string: a text; with choices:"a,b" one of them; with type:"lines" several lines; with type:"secret" a secret
//   - int, int64, float64: a number; an int is whole
//   - bool: a flag
//   - time.Time: a date, as midnight UTC
//   - []string: any of choices:"a,b"
//
// An input without a value leaves its field zero. A pointer to one of these types tells this apart: it is
// nil. The other tags are title, help, required:"true", default, min, max, step and pattern, as in the
// kinds file. A field without the tag input has the name of the field in snake case; input:"-" leaves a
// field out.
//
// If a field or a tag is wrong, the kind has an error, which New and Main return.
func Typed[In any](
	name string, work func(ctx context.Context, run *jobs.Run, in In) error, options ...KindOption,
) Kind {
	kind := Kind{Name: name}
	fields, err := fieldsOf(reflect.TypeFor[In]())
	if err != nil {
		kind.Err = fmt.Errorf("the kind %s: %w", name, err)
		return kind
	}
	for _, field := range fields {
		kind.Info.Inputs = append(kind.Info.Inputs, field.input)
	}
	for _, option := range options {
		option(&kind.Info)
	}
	kind.Work = func(ctx context.Context, run *jobs.Run) error {
		var in In
		for _, field := range fields {
			if err := field.set(reflect.ValueOf(&in).Elem(), run.Inputs()); err != nil {
				return jobs.Permanent(err)
			}
		}
		return work(ctx, run, in)
	}
	return kind
}

// KindOption is an option of Typed.
type KindOption func(*app.Kind)

// Title is what people read instead of the name.
func Title(text string) KindOption { return func(k *app.Kind) { k.Title = text } }

// Description says what the kind does, for people who start it.
func Description(text string) KindOption { return func(k *app.Kind) { k.Description = text } }

// Group is the heading above the kind on the page.
func Group(heading string) KindOption { return func(k *app.Kind) { k.Group = heading } }

// Confirm is a question before a start. {name} in it stands for the value of an input.
func Confirm(question string) KindOption { return func(k *app.Kind) { k.Confirm = question } }

// Timeout limits an attempt. The default is --run-timeout.
func Timeout(d time.Duration) KindOption { return func(k *app.Kind) { k.Timeout = d } }

// Attempts limits how often a run is attempted. The default is --max-attempts.
func Attempts(n int) KindOption { return func(k *app.Kind) { k.Attempts = n } }

// Concurrency limits how many runs are started at once; the others wait, oldest first. With the names of
// inputs, the runs are counted for each combination of their values.
func Concurrency(n int, inputs ...string) KindOption {
	return func(k *app.Kind) { k.Concurrency, k.ConcurrencyKey = n, inputs }
}
