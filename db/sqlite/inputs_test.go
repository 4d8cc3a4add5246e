package sqlite

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

	"runboard/app"
	"runboard/db/query"
)

const (
	publicText = "a-text-that-all-may-read"
	secretText = "quokka-wombat-numbat"
)

// withSecret are inputs of which the second is secret.
var withSecret = app.InputValues{
	{Name: "public", Type: app.TextInput, Texts: []string{publicText}},
	{Name: "token", Type: app.SecretInput, Texts: []string{secretText}},
}

// newBox returns an Options.Secrets with a random key.
func newBox(t testing.TB) func() *app.SecretBox {
	t.Helper()
	box, err := app.NewSecretBox(app.NewSecretKey())
	if err != nil {
		t.Fatal(err)
	}
	return func() *app.SecretBox { return box }
}

func createWith(t testing.TB, store *Store, n int, inputs app.InputValues) []app.ProcessRun {
	t.Helper()
	request := app.CreateRequest{Kind: kind, Count: n, Inputs: inputs}
	batch, err := store.Create(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	return batch.Runs()
}

// filesOf returns the content of a database file and of the files beside it.
func filesOf(t *testing.T, path string) (content []byte) {
	t.Helper()
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		part, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		content = append(content, part...)
	}
	return content
}

func TestSecret_IsNotInFileInClear(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "runs.db")
	store := openStore(t, Options{Path: path, Secrets: newBox(t)})
	check := func(when string) {
		t.Helper()
		content := filesOf(t, path)
		if !bytes.Contains(content, []byte(publicText)) {
			t.Errorf("%s, the files do not even have the public text", when)
		}
		for _, word := range append(strings.Split(secretText, "-"), secretText) {
			if bytes.Contains(content, []byte(word)) {
				t.Errorf("%s, the files contain %q", when, word)
			}
		}
	}
	request := app.CreateRequest{Kind: kind, Count: 3, Inputs: withSecret, IdempotencyKey: "the key"}
	batch, err := store.Create(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	run := batch.Runs()[0]
	check("when the run is created")
	started := start(t, store, run)
	check("when it is started")
	if err := store.Finish(ctx, started, app.Outcome{Status: app.Failed, Error: "no"}); err != nil {
		t.Fatal(err)
	}
	check("when it has failed")
	closeStore(t, store)
	check("when the store is closed")
}

// SQLite only marks what it deletes as free. The ciphertext must not stay in the file, beside its key.
func TestSecret_IsOverwrittenInFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "runs.db")
	store := openStore(t, Options{Path: path, Secrets: newBox(t)})
	inputs := append(app.InputValues{}, withSecret...)
	inputs = append(inputs, app.InputValue{ // on pages of its own
		Name: "long", Type: app.SecretInput, Texts: []string{strings.Repeat("x", 20_000)},
	})
	runs := createWith(t, store, 3, inputs)
	var sealed [][]byte
	const statement = "SELECT DISTINCT value FROM run_secrets"
	if err := store.writer.conn.SelectContext(ctx, &sealed, statement); err != nil {
		t.Fatal(err)
	}
	for _, run := range runs {
		finish(t, store, run, app.Completed)
	}
	closeStore(t, store) // empties the write-ahead log
	content := filesOf(t, path)
	for _, value := range sealed {
		for part := range chunks(value, 1000) {
			if bytes.Contains(content, part) {
				t.Errorf("the file still has %d bytes of a secret of %d bytes", len(part), len(value))
			}
		}
	}
	if len(sealed) != 2 {
		t.Errorf("there were %d secrets", len(sealed))
	}
}

// chunks returns the parts of a value, at most size bytes each.
func chunks(value []byte, size int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(value) > 0 {
			n := min(size, len(value))
			if !yield(value[:n]) {
				return
			}
			value = value[n:]
		}
	}
}

func TestSecret_OfAnotherKeyIsUnknown(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "runs.db")
	store := openStore(t, Options{Path: path, Secrets: newBox(t)})
	run := createWith(t, store, 1, withSecret)[0]
	closeStore(t, store)
	for _, box := range []func() *app.SecretBox{newBox(t), nil} {
		store := openStore(t, Options{Path: path, Secrets: box})
		if _, err := store.Inputs(ctx, run); !errors.Is(err, app.ErrSecretUnknown) {
			t.Errorf("the inputs are returned: %v", err)
		}
		closeStore(t, store)
	}
}

// explaining is a Queryer that records the plan of each statement.
type explaining struct {
	query.Queryer
	plan  func(text string, args ...any) string
	plans []string
}

func (e *explaining) QueryxContext(ctx context.Context, text string, args ...any) (*sqlx.Rows, error) {
	e.plans = append(e.plans, text+"\n\t"+e.plan(text, args...))
	return e.Queryer.QueryxContext(ctx, text, args...)
}

func (e *explaining) QueryRowxContext(ctx context.Context, text string, args ...any) *sqlx.Row {
	e.plans = append(e.plans, text+"\n\t"+e.plan(text, args...))
	return e.Queryer.QueryRowxContext(ctx, text, args...)
}

type explainingDatabase struct {
	database
	explaining *explaining
}

func (db explainingDatabase) Read(ctx context.Context, f func(context.Context, query.Queryer) error) error {
	return db.read(ctx, func(ctx context.Context, q query.Queryer) error {
		db.explaining.Queryer = q
		return f(ctx, db.explaining)
	})
}

// TestPlan_InputsUseIndexes checks each statement that reads by inputs and kinds: none goes through all rows
// of a table.
func TestPlan_InputsUseIndexes(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{Secrets: newBox(t)})
	createWith(t, store, 40, withSecret)
	e := &explaining{plan: func(text string, args ...any) string { return plan(t, store, text, args...) }}
	reader := query.NewReader(explainingDatabase{database{store}, e}, dialect, 0)
	inputs := app.NewInputFilter(map[string]string{"public": publicText})
	for _, filter := range []app.Filter{
		{Inputs: inputs}, {Inputs: inputs, Kind: kind}, {Inputs: inputs, Filtered: true, Status: app.Created},
		{Inputs: inputs, Text: "read"}, {Inputs: inputs, Kind: kind, Filtered: true, Status: app.Created},
		{Inputs: app.NewInputFilter(map[string]string{"public": publicText, "none": "7"})},
		{Inputs: inputs, Failure: 7}, {Inputs: inputs, Since: app.At(store.options.Now())},
	} {
		newest := app.Query{Filter: filter}
		for _, asked := range []app.Query{newest, newest.WithCursor(app.After, 0)} {
			if _, err := reader.Page(ctx, asked); err != nil && store.options.searchable {
				t.Fatal(err)
			}
		}
		action := app.BulkAction{Operation: app.BulkCancel, Filter: filter}
		if _, err := reader.PreviewBulk(ctx, action); err != nil && store.options.searchable {
			t.Fatal(err)
		}
	}
	if _, err := reader.KindOverviews(ctx, []string{kind, "none"}); err != nil {
		t.Fatal(err)
	}
	limited := app.Kind{Name: kind, Policy: app.Policy{Concurrency: 1}}
	if _, err := reader.QueueAhead(ctx, limited, ""); err != nil {
		t.Fatal(err)
	}
	for _, got := range e.plans {
		subquery := strings.Contains(got, "CO-ROUTINE process_runs") ||
			strings.Contains(got, "MATERIALIZE process_runs")
		if strings.Contains(got, "SCAN process_runs") && !subquery && !isNewest(got) ||
			strings.Contains(got, "SCAN run_inputs") || strings.Contains(got, "SCAN run_secrets") {
			t.Errorf("it reads a table:\n%s", got)
		}
	}
	if len(e.plans) < 100 {
		t.Errorf("only %d plans were checked", len(e.plans))
	}
}

// isNewest reports whether a statement goes through runs by id, from one on and at most as many as it
// returns.
func isNewest(plan string) bool {
	return strings.Contains(plan, "FROM process_runs ORDER BY id DESC LIMIT ?") ||
		strings.Contains(plan, "max(id), 0) FROM process_runs")
}
