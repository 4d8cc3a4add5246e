package app_test

import (
	"testing"

	"runboard/app"
)

var confirmed = app.InputValues{
	{Name: "database", Type: app.ChoiceInput, Texts: []string{"shop"}},
	{Name: "tags", Type: app.ChoicesInput, Texts: []string{"a", "b"}},
	{Name: "token", Type: app.SecretInput, Texts: []string{"hidden"}},
}

func TestKind_QuestionHasTheValues(t *testing.T) {
	t.Parallel()
	for confirm, want := range map[string]string{
		"Back up {database} now?":    "Back up shop now?",
		"{tags} of {database}{tags}": "a, b of shopa, b",
		"{{database}} is {database}": "{database} is shop",
		"{level}, {token}":           "–, –",
		"{} {Database} { database }": "{} {Database} { database }",
		"":                           "Start Backup?",
	} {
		kind := app.Kind{Name: "backup", Title: "Backup", Confirm: confirm}
		if got := kind.Question(confirmed); got != want {
			t.Errorf("%q asks %q, want %q", confirm, got, want)
		}
	}
	kind := app.Kind{Confirm: "{database}?"}
	hostile := app.InputValues{{Name: "database", Type: app.TextInput, Texts: []string{"{token}$1{{x}}"}}}
	if got := kind.Question(hostile); got != "{token}$1{{x}}?" {
		t.Errorf("a value is read as a part of the question: %q", got)
	}
}

func TestKind_ConfirmTokenCoversWhatIsShown(t *testing.T) {
	t.Parallel()
	kind := app.Kind{Name: "backup", Definition: "1", Confirm: "Now?"}
	token := kind.ConfirmToken(1, confirmed)
	if again := kind.ConfirmToken(1, confirmed); again != token {
		t.Errorf("the same start has the tokens %s and %s", token, again)
	}
	with := func(n int, texts ...string) app.InputValues {
		values := append(app.InputValues{}, confirmed...)
		values[n].Texts = texts
		return values
	}
	if kind.ConfirmToken(1, with(2, "another")) != token {
		t.Error("the token depends on a secret")
	}
	changed := func(change func(*app.Kind)) string {
		other := kind
		change(&other)
		return other.ConfirmToken(1, confirmed)
	}
	for name, other := range map[string]string{
		"another count":      kind.ConfirmToken(2, confirmed),
		"another value":      kind.ConfirmToken(1, with(0, "crm")),
		"another choice":     kind.ConfirmToken(1, with(1, "a")),
		"one joined choice":  kind.ConfirmToken(1, with(1, "a\"\n\"b")),
		"a missing value":    kind.ConfirmToken(1, confirmed[1:]),
		"a missing secret":   kind.ConfirmToken(1, confirmed[:2]),
		"another kind":       changed(func(k *app.Kind) { k.Name = "b" }),
		"another definition": changed(func(k *app.Kind) { k.Definition = "2" }),
		"another question":   changed(func(k *app.Kind) { k.Confirm = "Then?" }),
	} {
		if other == token {
			t.Errorf("%s has the same token", name)
		}
	}
}
