package kindsfile

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"runboard/app"
)

var update = flag.Bool("update", false, "write docs/kinds.schema.json")

const schemaPath = "../../docs/kinds.schema.json"

func TestSchema_IsDocumented(t *testing.T) {
	if *update {
		if err := os.WriteFile(schemaPath, Schema(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	documented, err := os.ReadFile(schemaPath)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(documented, Schema()) {
		t.Error("docs/kinds.schema.json is not what the types say; run go test ./board/kindsfile -update")
	}
}

// accepts reports whether the schema accepts a kinds file.
func accepts(t *testing.T, content []byte) bool {
	t.Helper()
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("kinds.json", schema); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("kinds.json")
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.YAMLToJSON(content)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		t.Fatal(err)
	}
	return compiled.Validate(document) == nil
}

func TestSchema_AcceptsTheExamples(t *testing.T) {
	examples, err := filepath.Glob("../../docs/examples/*.yaml")
	if err != nil || len(examples) < 3 {
		t.Fatalf("examples are %v, %v", examples, err)
	}
	for _, path := range examples {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !accepts(t, content) {
			t.Errorf("the schema refuses %s", path)
		}
		if _, err := Read(path); err != nil {
			t.Errorf("the reader refuses it: %v", err)
		}
	}
	if !accepts(t, []byte(backup)) {
		t.Error("the schema refuses the file of the tests")
	}
}

// The limits of the schema are in the tags of the types, and those of the reader in app.
func TestSchema_AcceptsWhatTheReaderAccepts(t *testing.T) {
	for _, test := range atLimits {
		if test.good && !accepts(t, []byte(test.content)) {
			t.Errorf("the schema refuses %s", test.content)
		}
	}
}

func TestSchema_RefusesWhatTheReaderRefuses(t *testing.T) {
	for _, content := range []string{
		"kindz: {}",
		"defaults: {titel: x}\nkinds: {a: {run: [ls]}}",
		"kinds: {a: {run: [ls], timout: 5m}}",
		"kinds: {a: {run: [ls], timeout: 30}}",
		"kinds: {}", "kinds: {A: {run: [ls]}}", "kinds: {a: {run: []}}",
		"kinds: {a: {run: [ls], attempts: 0}}", "kinds: {a: {run: [ls], attempts: 1001}}",
		"kinds: {a: {run: [ls], concurrency: 1000001}}",
		"kinds: {a: {run: [ls], inputs: [" + textInputs(app.MaxInputs+1) + "]}}",
		"kinds: {" + as(64) + ": {run: [ls]}}",
		"kinds: {a: {run: [ls], inputs: [{type: text, name: " + as(33) + "}]}}",
		"kinds: {a: {run: [ls], env: {1A: x}}}",
		"kinds: {a: {run: [ls], inputs: [{name: A, type: text}]}}",
		"kinds: {a: {run: [ls], inputs: [{name: a, type: choice, choices: []}]}}",
		"kinds: {a: {run: [ls], inputs: [{name: a, type: choice, choices: [{value: ''}]}]}}",
		"kinds: {a: {run: [ls], attempts: two}}",
		"kinds: {a: {run: [ls], title: [x]}}",
		"kinds: {a: {run: ls}}",
		"kinds: {a: {title: x}}",
		"kinds: {a: {run: [ls], env: {A: {file: a, env: b}}}}",
		"kinds: {a: {run: [ls], env: {A: {}}}}",
		"kinds: {a: {run: [ls], inputs: [{name: a}]}}",
		"kinds: {a: {run: [ls], inputs: [{name: a, type: txt}]}}",
		"kinds: {a: {run: [ls], inputs: [{name: a, type: text, requird: true}]}}",
		"kinds: {a: {run: [ls], inputs: [{name: a, type: text, required: 1}]}}",
		"kinds: {a: {run: [ls], inputs: [{name: a, type: choice, choices: [{title: x}]}]}}",
	} {
		if accepts(t, []byte(content)) {
			t.Errorf("the schema accepts %s", content)
		}
		if _, err := Parse("kinds.yaml", []byte(content)); err == nil {
			t.Errorf("the reader accepts %s", content)
		}
	}
}
