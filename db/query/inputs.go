package query

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"runboard/app"
)

// InputPart is the part number of the inputs of a run in the search index.
const InputPart = -1

// InputRows returns the rows of run_inputs for the inputs of a run, as a JSON array in their order. Each is
// an array of name, type, value and match_key, which is null for secrets.
func (n NewRuns) InputRows() string {
	var rows [][]any
	for _, input := range n.Inputs {
		if input.Type == app.SecretInput {
			rows = append(rows, []any{input.Name, input.Type, "", nil})
			continue
		}
		for _, text := range input.Texts {
			rows = append(rows, []any{input.Name, input.Type, text, app.InputKey(input.Type, text)})
		}
	}
	encoded, _ := json.Marshal(rows) // texts never fail
	return string(encoded)
}

// InputTerms are the search terms of the inputs of consecutive runs.
type InputTerms struct {
	First, Last int64
	Terms       []string
}

// maxBatchTerms is about how many terms of inputs a batch adds to the search index: a thousand runs with 64
// KB of different words each would take longer than a write may take. With fewer runs all words are indexed.
const maxBatchTerms = 1_000_000

// InputTerms returns the search terms of the inputs of a batch, for each block of runs. Secrets have none,
// nor have flags: a search for true should not find every run with one.
func (n NewRuns) InputTerms(batch app.Batch) (blocks []InputTerms) {
	var texts []string
	for _, input := range n.Inputs {
		if input.Type != app.SecretInput && input.Type != app.FlagInput {
			texts = append(texts, input.Texts...)
		}
	}
	if len(texts) == 0 {
		return nil
	}
	text := strings.Join(texts, "\n")
	for first := batch.First; first <= batch.Last(); {
		last := min(batch.Last(), firstOfBlock(first/BlockSize+1)-1)
		terms := Terms(first, text)
		terms = terms[:min(len(terms), maxBatchTerms/n.Count)]
		blocks = append(blocks, InputTerms{First: first, Last: last, Terms: terms})
		first = last + 1
	}
	return blocks
}

// sealedInput is the encrypted value of a secret input.
type sealedInput struct {
	name  string
	value []byte
}

func sealInputs(request app.CreateRequest, secrets *app.SecretBox) (sealed []sealedInput) {
	for _, input := range request.Inputs {
		if input.Type == app.SecretInput {
			value := secrets.Seal(request.Kind, input.Name, input.Texts[0])
			sealed = append(sealed, sealedInput{name: input.Name, value: value})
		}
	}
	return sealed
}

// fingerprint returns a hash of inputs. If there are secrets among them, it needs the key of the secrets, so
// that they cannot be guessed from the database.
func fingerprint(inputs app.InputValues, secrets *app.SecretBox) string {
	if len(inputs) == 0 {
		return ""
	}
	encoded, _ := json.Marshal([]app.InputValue(inputs)) // with secrets; texts never fail
	if inputs.HasSecrets() {
		return secrets.Fingerprint(encoded)
	}
	hash := sha256.Sum256(encoded)
	return hex.EncodeToString(hash[:])
}

const addSecretSQL = `INSERT INTO run_secrets (run_id, name, value)
	SELECT id, $1, CAST($2 AS blob) FROM process_runs WHERE id >= $3 AND id <= $4`

// SaveSecrets stores the secrets of the runs of a batch.
func (n NewRuns) SaveSecrets(w Writer, batch app.Batch) error {
	for _, secret := range n.secrets {
		if err := w.Exec(addSecretSQL, secret.name, secret.value, batch.First, batch.Last()); err != nil {
			return err
		}
	}
	return nil
}

const hadSecretSQL = `SELECT true FROM run_inputs WHERE run_id = $1 AND type = 'secret' LIMIT 1`

// CheckRetry fails with CodeConflict if a finished run cannot be retried because it had a secret.
func CheckRetry(w Writer, run app.ProcessRun) error {
	if run.InputCount == 0 {
		return nil
	}
	var had bool
	if _, err := w.Find(&had, hadSecretSQL, run.ID); err != nil || !had {
		return err
	}
	return app.Errorf(app.CodeConflict, "Run #%d cannot be retried, because the secret is no longer known. "+
		"Run it again and enter the secret anew.", run.ID)
}

// inputRow is a row of run_inputs.
type inputRow struct {
	Run   int64         `db:"run_id"`
	Name  string        `db:"name"`
	Type  app.InputType `db:"type"`
	Value string        `db:"value"`
}

// inputsSQL returns the query for the inputs of runs. Its argument is the JSONArray of the ids.
func (d Dialect) inputsSQL() string {
	return "SELECT run_id, name, type, value FROM run_inputs WHERE run_id IN " + d.IntArray +
		" ORDER BY run_id, ordinal"
}

// inputsOf returns the inputs of runs, without the values of secrets.
func (d Dialect) inputsOf(ctx context.Context, q Queryer, runs ...int64) (map[int64]app.InputValues, error) {
	var rows []inputRow
	if err := Select(ctx, q, &rows, d.inputsSQL(), JSONArray(runs)); err != nil {
		return nil, err
	}
	inputs := make(map[int64]app.InputValues, len(runs))
	for _, row := range rows {
		values := inputs[row.Run]
		if n := len(values); n > 0 && values[n-1].Name == row.Name {
			values[n-1].Texts = append(values[n-1].Texts, row.Value)
			continue
		}
		value := app.InputValue{Name: row.Name, Type: row.Type, Texts: []string{row.Value}}
		inputs[row.Run] = append(values, value)
	}
	return inputs, nil
}

// FillInputs reads the Inputs of those runs that have any.
func (d Dialect) FillInputs(ctx context.Context, q Queryer, runs []app.ProcessRun) error {
	var ids []int64
	for _, run := range runs {
		if run.InputCount > 0 {
			ids = append(ids, run.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	inputs, err := d.inputsOf(ctx, q, ids...)
	for i, run := range runs {
		runs[i].Inputs = app.NewRunInputs(inputs[run.ID])
	}
	return err
}

// fillInputs reads the Inputs of those runs that have any.
func (s *snapshot) fillInputs(runs []app.ProcessRun) {
	if s.err == nil {
		s.err = s.dialect.FillInputs(s.ctx, s.q, runs)
	}
}

const (
	// fillBatch is how many runs fillSome fills at once.
	fillBatch = 25
	// maxFilled is about how many bytes of inputs one batch of an export has.
	maxFilled = 4 << 20
)

// fillSome reads the Inputs of the first runs, and returns those that it has filled: all, or as many as have
// maxFilled bytes.
func (s *snapshot) fillSome(runs []app.ProcessRun) (filled []app.ProcessRun) {
	size := 0
	for some := range slices.Chunk(runs, fillBatch) {
		s.fillInputs(some)
		for _, run := range some {
			size += len(run.Inputs)
		}
		filled = runs[:len(filled)+len(some)]
		if size >= maxFilled {
			break
		}
	}
	return filled
}

// Inputs implements app.WorkStore.
func (r *Reader) Inputs(ctx context.Context, run app.ProcessRun) (values app.InputValues, err error) {
	if run.InputCount == 0 {
		return nil, nil
	}
	sealed := map[string][]byte{}
	err = r.read(ctx, func(s *snapshot) {
		inputs, err := s.dialect.inputsOf(s.ctx, s.q, run.ID)
		s.fail(err)
		values = inputs[run.ID]
		if !values.HasSecrets() {
			return
		}
		var secrets []struct {
			Name  string
			Value []byte
		}
		s.all(&secrets, "SELECT name, value FROM run_secrets WHERE run_id = ?", run.ID)
		for _, secret := range secrets {
			sealed[secret.Name] = secret.Value
		}
	})
	if err != nil {
		return nil, err
	}
	return openSecrets(r.db.Secrets(), run, values, sealed)
}

// openSecrets returns the inputs of a run with their secrets. It fails with app.ErrSecretUnknown.
func openSecrets(
	box *app.SecretBox, run app.ProcessRun, values app.InputValues, sealed map[string][]byte,
) (app.InputValues, error) {
	for i, value := range values {
		if value.Type != app.SecretInput {
			continue
		}
		content, known := sealed[value.Name]
		if !known || box == nil {
			return nil, app.ErrSecretUnknown
		}
		secret, err := box.Open(run.Kind, value.Name, content)
		if err != nil {
			return nil, app.ErrSecretUnknown
		}
		values[i].Texts = []string{secret}
	}
	return values, nil
}
