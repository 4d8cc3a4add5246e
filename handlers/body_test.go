package handlers

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseObject_RefusesTextsThatAreNoUnicode(t *testing.T) {
	for body, valid := range map[string]bool{
		`{"a":"\u00e4\ud83d\ude00\\ud800\\\\ud800"}`: true,
		`{"a":"\uD83D\uDE00"}`:                       true,
		`{"a":"\ufffd` + "\ufffd" + `"}`:             true,
		`{"a":"\ud83d"}`:                             false,
		`{"a":"\ud83dx"}`:                            false,
		`{"a":"\ud83d\n"}`:                           false,
		`{"a":"\ud83d\u0041"}`:                       false,
		`{"a":"\ude00\ud83d"}`:                       false,
		`{"a":"\ud83d\ud83d\ude00"}`:                 false,
		`{"a":"\\\ud800"}`:                           false,
		`{"\ud800":1}`:                               false,
		"{\"a\":\"\xff\"}":                           false,
		"{\"a\xc3\":1}":                              false,
		`{"a":1,}`:                                   false,
		`{"a" 1}`:                                    false,
		`{a:1}`:                                      false,
		`{"a":01}`:                                   false,
		"{\"a\":\"\n\"}":                             false,
		`[]`:                                         false,
		`null`:                                       false,
		``:                                           false,
		strings.Repeat("[", 1<<15):                   false,
	} {
		if _, err := parseObject([]byte(body)); (err == nil) != valid {
			t.Errorf("%.60s: the error is %v", body, err)
		}
	}
}

func TestParseObject_KeepsRepeatedNames(t *testing.T) {
	object, err := parseObject([]byte(`{"a":1,"b":{"a":[2]},"a":null}`))
	if err != nil || len(object) != 2 || len(object["a"]) != 2 || string(object["a"][0]) != "1" ||
		string(object["a"][1]) != "null" || string(object["b"][0]) != `{"a":[2]}` {
		t.Errorf("the object is %s: %v", object, err)
	}
}

// What is accepted is decoded without loss.
func FuzzParseObject(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":"\ud83d\ude00"}`, `{"a":"\ud800"}`, `{"a":"\\u"}`, `{"a":[1,{"b":null}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		object, err := parseObject(body)
		if err != nil {
			return
		}
		replaced := func(text string) int { return strings.Count(text, string(utf8.RuneError)) }
		for _, values := range object {
			for _, value := range values {
				var text string
				if json.Unmarshal(value, &text) != nil {
					continue
				}
				written := replaced(string(value)) + strings.Count(strings.ToLower(string(value)), `\ufffd`)
				if replaced(text) > written {
					t.Fatalf("%s becomes %q", value, text)
				}
			}
		}
	})
}
