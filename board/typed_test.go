package board

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"runboard/app"
	"runboard/jobs"
)

// everyInput has a field of each type.
type everyInput struct {
	File    string     `input:"file" title:"File" help:"A picture." required:"true" pattern:"[a-z]+" min:"2" max:"9" json:"x"`
	Width   int        `input:"width" min:"1" max:"4000" default:"800"`
	Offset  int64      `step:"5"`
	Factor  float64    `default:"0.5"`
	DryRun  bool       `default:"true"`
	Day     time.Time  `min:"2026-01-01"`
	Sizes   []string   `choices:"small,large,huge" default:"small,huge"`
	Format  string     `choices:"jpg,png"`
	APIKey  string     `type:"secret"`
	Notes   string     `type:"lines"`
	Until   *time.Time `input:"until"`
	Limit   *int       `input:"limit"`
	Force   *bool      `input:"force"`
	Comment *string    `input:"comment"`
	Skipped chan int   `input:"-"`
	_       int
}

func declared(t *testing.T, kind Kind) map[string]app.Input {
	t.Helper()
	if kind.Err != nil {
		t.Fatal(kind.Err)
	}
	inputs := map[string]app.Input{}
	for _, input := range kind.Info.Inputs {
		inputs[input.Name] = input
	}
	return inputs
}

func TestTyped_DeclaresInputs(t *testing.T) {
	t.Parallel()
	kind := Typed("resize", func(context.Context, *jobs.Run, everyInput) error { return nil },
		Title("Resize"), Description("Resizes a picture."), Group("Pictures"), Confirm("Resize {file}?"),
		Timeout(time.Hour), Attempts(2), Concurrency(3, "file", "width"))
	inputs := declared(t, kind)
	types := map[string]app.InputType{
		"file": app.TextInput, "width": app.NumberInput, "offset": app.NumberInput, "factor": app.NumberInput,
		"dry_run": app.FlagInput, "day": app.DateInput, "sizes": app.ChoicesInput, "format": app.ChoiceInput,
		"api_key": app.SecretInput, "notes": app.LinesInput, "until": app.DateInput, "limit": app.NumberInput,
		"force": app.FlagInput, "comment": app.TextInput,
	}
	for name, want := range types {
		if inputs[name].Type != want {
			t.Errorf("%s is of the type %q, want %s", name, inputs[name].Type, want)
		}
	}
	if len(inputs) != len(types) {
		t.Errorf("there are %d inputs, want %d", len(inputs), len(types))
	}
	file := inputs["file"]
	if file.Title != "File" || file.Help != "A picture." || !file.Required ||
		file.PatternText() != "[a-z]+" ||
		file.Min != "2" || file.Max != "9" {
		t.Errorf("file is %+v", file)
	}
	if inputs["width"].Step != "1" || inputs["offset"].Step != "5" || inputs["factor"].Step != "" {
		t.Error("integers are not whole, or a step is lost")
	}
	if !slices.Equal(inputs["sizes"].Default, []string{"small", "huge"}) ||
		len(inputs["format"].Choices) != 2 {
		t.Errorf("the choices are %+v and %+v", inputs["sizes"], inputs["format"])
	}
	want := app.Policy{Timeout: time.Hour, Attempts: 2, Concurrency: 3,
		ConcurrencyKey: []string{"file", "width"}}
	info := kind.Info
	if info.Title != "Resize" || info.Description == "" || info.Group != "Pictures" || info.Confirm == "" ||
		!reflect.DeepEqual(info.Policy, want) {
		t.Errorf("the kind is %+v", info)
	}
	if _, err := jobs.NewRegistry(kind); err != nil {
		t.Error(err)
	}
}

func TestTyped_GivesValuesToTheWork(t *testing.T) {
	t.Parallel()
	got := make(chan everyInput, 1)
	b := runBoard(t, Typed("resize", func(_ context.Context, _ *jobs.Run, in everyInput) error {
		got <- in
		return nil
	}))
	enqueue := func(values map[string]any) everyInput {
		t.Helper()
		if _, err := b.Enqueue(t.Context(), "resize", Inputs(values)); err != nil {
			t.Fatal(err)
		}
		return <-got
	}
	day := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	limit, force, comment := -7, false, "-x"
	full := everyInput{
		File: "cat", Width: 12, Offset: -15, Factor: 1.25, DryRun: false, Day: day, Sizes: []string{"large"},
		Format: "png", APIKey: "hunter2 hunter2", Notes: "a\nb", Until: &day, Limit: &limit, Force: &force,
		Comment: &comment,
	}
	in := enqueue(map[string]any{
		"file": "cat", "width": 12, "offset": -15, "factor": 1.25, "dry_run": false, "day": day,
		"sizes": []string{"large"}, "format": "png", "api_key": "hunter2 hunter2", "notes": "a\r\nb",
		"until": "2026-11-27", "limit": -7, "force": false,
		"comment": "-x",
	})
	if !reflect.DeepEqual(in, full) {
		t.Errorf("the work gets %+v, want %+v", in, full)
	}
	least := everyInput{File: "dog", Width: 800, Factor: 0.5, DryRun: true, Sizes: []string{"small", "huge"}}
	if in := enqueue(map[string]any{"file": "dog", "limit": nil,
		"comment": ""}); !reflect.DeepEqual(in, least) {
		t.Errorf("without values the work gets %+v, want %+v", in, least)
	}
	// encoding/json writes some numbers with exponents, which an input does not have.
	for factor, want := range map[any]float64{1e-7: 1e-7, 1e21: 1e21, float32(0.1): 0.1} {
		if in := enqueue(map[string]any{"file": "dog", "factor": factor}); in.Factor != want {
			t.Errorf("for the factor %v the work gets %v", factor, in.Factor)
		}
	}
}

func TestEnqueue_ChecksInputs(t *testing.T) {
	t.Parallel()
	b := runBoard(t, Typed("resize", func(context.Context, *jobs.Run, everyInput) error { return nil }))
	for want, values := range map[string]map[string]any{
		"The input file is required.":          nil,
		"width must be between 1 and 4000":     {"file": "cat", "width": 4001},
		"width must be 1 plus a multiple of 1": {"file": "cat", "width": 1.5},
		"width must be a JSON number":          {"file": "cat", "width": "12"},
		"color is not an input of this kind":   {"file": "cat", "color": "red"},
		"format must be one of jpg, png":       {"file": "cat", "format": "gif"},
		"The inputs cannot be encoded as JSON": {"file": make(chan int)},
		"day must be at least 2026-01-01": {"file": "cat",
			"day": time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)},
		"file must match [a-z]+":                    {"file": "CAT"},
		"dry_run must be true or false":             {"file": "cat", "dry_run": "yes"},
		"sizes must be any of small, large, huge":   {"file": "cat", "sizes": []string{"tiny"}},
		"notes must not contain control characters": {"file": "cat", "notes": "\x00"},
		"notes must be valid UTF-8":                 {"file": "cat", "notes": "a\xff"},
		"sizes must be valid UTF-8":                 {"file": "cat", "sizes": []string{"\xff"}},
	} {
		_, err := b.Enqueue(t.Context(), "resize", Inputs(values))
		if app.CodeOf(err) != app.CodeInvalid || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
}

func TestEnqueue_KeyCoversInputs(t *testing.T) {
	t.Parallel()
	b := runBoard(t, Typed("resize", func(context.Context, *jobs.Run, everyInput) error { return nil }))
	enqueue := func(file string) (app.Batch, error) {
		return b.Enqueue(t.Context(), "resize", IdempotencyKey("once"), Inputs(map[string]any{"file": file}))
	}
	first, err := enqueue("cat")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := enqueue("cat"); err != nil || again.First != first.First {
		t.Errorf("the same inputs give %+v, %v", again, err)
	}
	if _, err := enqueue("dog"); app.CodeOf(err) != app.CodeInvalid {
		t.Errorf("other inputs give %v", err)
	}
}

// wrongField returns the error of a kind whose struct has one field.
func wrongField(t *testing.T, field reflect.StructField) error {
	t.Helper()
	_, err := fieldsOf(reflect.StructOf([]reflect.StructField{field}))
	return err
}

func TestTyped_RefusesWrongFields(t *testing.T) {
	t.Parallel()
	text, whole, float := reflect.TypeFor[string](), reflect.TypeFor[int](), reflect.TypeFor[float64]()
	for _, test := range []struct {
		typ  reflect.Type
		tag  reflect.StructTag
		want string
	}{
		{text, `input:"Width"`, `the tag input: "Width" is not a name`},
		{text, `input:width`, "the tag `input:width` is not like key:\"value\""},
		{text, `input:"a" min`, "the tag `min` is not like"},
		{text, `min:"1" min:"2"`, "the tag min is there twice"},
		{text, `type:"color"`, `the tag type: "color" is not for a field of the type string`},
		{text, `type:"number"`, `the tag type: "number" is not for`},
		{whole, `type:"secret"`, `the tag type: "secret" is not for a field of the type int`},
		{text, `min:"x"`, "the tag min: min must be a number of characters"},
		{text, `min:"5" max:"4"`, "the tag min: min is above max"},
		{text, `step:"2"`, "the tag step: step is not for the type text"},
		{text, `pattern:"("`, "the tag pattern: error parsing regexp"},
		{text, `required:"yes"`, `the tag required: "yes" is neither true nor false`},
		{text, `choices:""`, "the tag choices: a choice must not be empty"},
		{text, `choices:"a,a"`, "the tag choices: the choice a is listed twice"},
		{text, `choices:"a" default:"b"`, "the tag default: the default must be one of a"},
		{text, `type:"secret" default:"x"`, "the tag default: default is not for the type secret"},
		{whole, `choices:"1,2"`, "the tag choices: choices is not for the type number"},
		{whole, `min:"x"`, `the tag min: min must be a number, not "x"`},
		{whole, `min:"0.5"`, `the tag min: "0.5" is not whole`},
		{whole, `step:"0.1"`, `the tag step: "0.1" is not whole`},
		{whole, `default:"1.5"`, "the tag default: the default must be a multiple of 1"},
		{whole, `min:"1" default:"0"`, "the tag default: the default must be at least 1"},
		{float, `step:"0"`, "the tag step: step must be a number above 0"},
		{reflect.TypeFor[bool](), `default:"yes"`, "the tag default: the default must be true or false"},
		{reflect.TypeFor[time.Time](), `min:"today"`, "the tag min: min must be a date"},
		{reflect.TypeFor[[]string](), ``, "the tag choices: there are no choices"},
		{reflect.TypeFor[uint8](), ``, "the type uint8 cannot be an input; use string"},
		{reflect.TypeFor[[]int](), ``, "the type []int cannot be an input"},
		{reflect.TypeFor[map[string]string](), ``, "the type map[string]string cannot be an input"},
		{reflect.TypeFor[struct{ A int }](), ``, "the type struct { A int } cannot be an input"},
		{reflect.TypeFor[**int](), ``, "the type *int cannot be an input"},
		{reflect.TypeFor[any](), ``, "the type interface {} cannot be an input"},
	} {
		err := wrongField(t, reflect.StructField{Name: "Field", Type: test.typ, Tag: test.tag})
		if err == nil || !strings.HasPrefix(err.Error(), ".Field: "+test.want) {
			t.Errorf("%s `%s`: the error is %v, want %s", test.typ, test.tag, err, test.want)
		}
	}
}

func TestTyped_ErrorReachesNew(t *testing.T) {
	t.Parallel()
	type unexported struct {
		width int `input:"width"`
	}
	_ = unexported{width: 0} // a field that is never set would be reported as unused
	type twice struct {
		A string `input:"a"`
		B string `input:"a"`
	}
	type embedded struct{ twice }
	type many struct{ everyInput }
	for want, kind := range map[string]Kind{
		"the kind a: unexported.width: it has the tag input, but is not exported": typedOf[unexported](),
		"the kind a: twice.B: two inputs are named a":                             typedOf[twice](),
		"the kind a: the inputs must be a struct, not string":                     typedOf[string](),
		"the kind a: concurrency_key: {b} is not one of its inputs":               typedOf[struct{ A string }](Concurrency(1, "b")),
		"the kind a: concurrency_key: it needs concurrency":                       typedOf[struct{ A string }](Concurrency(0, "a")),
		"the kind a: concurrency_key: {a} is a secret": typedOf[struct {
			A string `type:"secret"`
		}](Concurrency(1, "a")),
		"the kind a: confirm: {b} is not one of its inputs":       typedOf[struct{ A string }](Confirm("{a} to {b}?")),
		"the kind a: attempts must be between 1 and 1000":         typedOf[struct{ A string }](Attempts(1001)),
		"the kind a: timeout must be above 0 and at most 30 days": typedOf[struct{ A string }](Timeout(-time.Second)),
	} {
		if _, err := New(newConfig(t), kind); err == nil || err.Error() != want {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
	for _, kind := range []Kind{typedOf[embedded](), typedOf[many]()} {
		if kind.Err != nil {
			t.Errorf("an unexported embedded field is no input, but the error is %v", kind.Err)
		}
	}
	if kind := typedOf[struct {
		everyInput `input:"x"`
	}](); kind.Err == nil {
		t.Error("an embedded field with a tag is accepted")
	}
	if err := fmt.Sprint(typedOf[struct{ time.Time }]().Err); !strings.Contains(err,
		"an embedded field cannot be an input") {
		t.Errorf("an embedded field gives %s", err)
	}
}

func typedOf[In any](options ...KindOption) Kind {
	return Typed("a", func(context.Context, *jobs.Run, In) error { return nil }, options...)
}

func TestTyped_LargeNumbersFailTheRun(t *testing.T) {
	t.Parallel()
	b := runBoard(t, typedOf[struct{ N int }]())
	batch, err := b.Enqueue(t.Context(), "a", Inputs(map[string]any{"n": uint64(1) << 63}))
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the run has failed", func() bool {
		page, err := b.Store().Run(t.Context(), batch.First)
		return err == nil && page.Run.Status == app.Failed &&
			page.Run.Error == "the input n does not fit in int"
	})
}

func TestSnakeCase_IsTheNameOfAnInput(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Width": "width", "DryRun": "dry_run", "APIKey": "api_key", "ID": "id", "UserID": "user_id", "X": "x",
		"Size2":          "size2",
		"HTTPServerName": "http_server_name",
	} {
		if got := snakeCase(name); got != want {
			t.Errorf("%s becomes %s, want %s", name, got, want)
		}
	}
}
