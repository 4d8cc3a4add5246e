package http

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/gavv/httpexpect/v2"

	"runboard/e2e/harness"
)

const confirmKinds = `
kinds:
  backup:
    title: Back up a database
    run: [./dump.sh, "{database}"]
    env: {DUMP_DIR: "%DIR%"}
    confirm: "Back up {database} now?"
    inputs:
      - {name: database, type: choice, choices: [shop, {value: crm, title: Customers}], default: shop}
      - {name: token, type: secret}
  plain:
    run: ["true"]
`

// confirmedField is the field in which a page sends the token of a confirmation.
const confirmedField = "confirmed"

var confirmToken = regexp.MustCompile(`name="` + confirmedField + `" value="([0-9a-f]+)"`)

// fromPage sends a form as a page does: confirmed is the token, which is empty before the question.
func fromPage(e *httpexpect.Expect, confirmed string, fields map[string]string) *httpexpect.Response {
	form := url.Values{"kind": {"backup"}, confirmedField: {confirmed}}
	for name, value := range fields {
		form.Set(name, value)
	}
	return e.POST("/process_runs").WithHeader("Content-Type", formType).
		WithBytes([]byte(form.Encode())).Expect()
}

// tokenIn returns the token of a confirmation page.
func tokenIn(t *testing.T, page string) string {
	t.Helper()
	found := confirmToken.FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("the page has no token: %s", page)
	}
	return found[1]
}

func TestConfirmStart_IsAskedOnThePage(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, confirmKinds).Start(nil))
	e.GET("/kinds/backup").Expect().Status(http.StatusOK).Body().
		Contains(`name="` + confirmedField + `" value=""`)
	e.GET("/kinds/plain").Expect().Status(http.StatusOK).Body().NotContains(`name="` + confirmedField + `"`)
	crm := map[string]string{"input.database": "crm", "input.token": "hunter2", "count": "2"}
	page := fromPage(e, "", crm).Status(http.StatusOK).Body()
	page.Contains("Back up crm now?").Contains("Customers").Contains("•••").NotContains("hunter2").
		Contains("<!doctype html>").Contains(`name="input.token"`)
	if n := total(e); n != 0 {
		t.Fatalf("before the answer there are %d runs", n)
	}
	token := tokenIn(t, page.Raw())
	fromPage(e, token, crm).Status(http.StatusSeeOther)
	if n := total(e); n != 2 {
		t.Errorf("after the answer there are %d runs", n)
	}
	harness.WaitUntilDone(t, e)
}

func TestConfirmStart_IsAskedAgainAboutOtherValues(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, confirmKinds).Start(nil))
	crm := map[string]string{"input.database": "crm"}
	token := tokenIn(t, fromPage(e, "", crm).Status(http.StatusOK).Body().Raw())
	for _, fields := range []map[string]string{
		{"input.database": "shop"}, {}, {"input.database": "crm", "count": "2"},
		{"input.database": "crm", "input.token": "x"},
	} {
		page := fromPage(e, token, fields).Status(http.StatusConflict).Body()
		page.Contains("now?").Contains("has changed")
		if again := tokenIn(t, page.Raw()); again == token {
			t.Errorf("%v has the same token", fields)
		}
	}
	fromPage(e, "0123456789abcdef", crm).Status(http.StatusConflict)
	fromPage(e, token, map[string]string{"kind": "plain"}).Status(http.StatusConflict).Body().
		Contains("Start plain?")
	postForm(e, "kind=backup&confirmed=x").Status(http.StatusConflict).JSON().Object().
		HasValue("code", "conflict")
	fromPage(e, "", map[string]string{"input.database": "none"}).Status(http.StatusUnprocessableEntity)
	if n := total(e); n != 0 {
		t.Errorf("there are %d runs", n)
	}
	fromPage(e, token, crm).Status(http.StatusSeeOther)
	harness.WaitUntilDone(t, e)
}

func TestConfirmStart_ProgramsAreNotAsked(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, confirmKinds).Start(nil))
	postJSON(e, `{"kind":"backup","inputs":{"database":"crm"}}`).Status(http.StatusCreated)
	postForm(e, "kind=backup").Status(http.StatusCreated)
	postForm(e, "kind=backup&confirmed=").Status(http.StatusCreated)
	e.POST("/process_runs").WithFormField("kind", "backup").Expect().Status(http.StatusSeeOther).
		Header("Location").IsEqual("/process_runs")
	e.POST("/process_runs").WithFormField("kind", "plain").WithFormField("confirmed", "").Expect().
		Status(http.StatusSeeOther)
	harness.WaitUntilDone(t, e)
}

func TestConfirmStart_AsFragment(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t, harness.NewDumper(t, confirmKinds).Start(nil))
	request := e.POST("/process_runs").WithTransformer(fragmentHeaders).WithFormField("kind", "backup").
		WithFormField("confirmed", "").WithFormField("input.token", "hunter2")
	answer := request.Expect().Status(http.StatusOK)
	answer.Header("HX-Retarget").IsEqual("#confirm")
	answer.Body().Contains("Back up shop now?").Contains("•••").NotContains("hunter2").
		NotContains("<!doctype")
	token := tokenIn(t, answer.Body().Raw())
	// The button of the dialog sends the form, which has an empty field of its own.
	body := "kind=backup&confirmed=&input.token=hunter2&confirmed=" + token
	e.POST("/process_runs").WithTransformer(fragmentHeaders).WithHeader("Content-Type", formType).
		WithBytes([]byte(body)).Expect().Status(http.StatusOK).Body().Contains("#1")
	harness.WaitUntilDone(t, e)
}

// A question that was asked about another definition does not start anything.
func TestConfirmStart_IsAskedAgainAboutAnotherDefinition(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	d := harness.NewDumper(t, confirmKinds)
	b := d.NewProcess()
	b.Start("127.0.0.1:0")
	e := harness.NewExpect(t, &harness.Program{URL: b.URL})
	token := tokenIn(t, fromPage(e, "", nil).Status(http.StatusOK).Body().Raw())
	d.WriteKinds(strings.Replace(confirmKinds, `"{database}"]`, `"{database}", --force]`, 1))
	b.Signal(syscall.SIGHUP)
	harness.Eventually(t, "the definition has changed", func() error {
		page := fromPage(e, "", nil).Status(http.StatusOK).Body().Raw()
		if tokenIn(t, page) == token {
			return errors.New("the token is the same")
		}
		return nil
	})
	fromPage(e, token, nil).Status(http.StatusConflict).Body().Contains("Back up shop now?").
		Contains("has changed")
	if n := total(e); n != 0 {
		t.Errorf("there are %d runs", n)
	}
}

// Without scripts, a user fills in the form, is asked, types the secret again and presses the button. What
// starts is what was typed.
func TestConfirmStart_WorksWithoutScripts(t *testing.T) {
	t.Parallel()
	d := harness.NewDumper(t, `
kinds:
  backup:
    run: [./dump.sh, "--text={text}", "{tags}", "{compress}"]
    env: {DUMP_DIR: "%DIR%"}
    confirm: "Back up {text}?"
    inputs:
      - {name: text, type: text}
      - {name: lines, type: lines}
      - {name: tags, type: choices, choices: [a, b, c], default: [c]}
      - {name: compress, type: flag, flag: --gzip, default: true}
      - {name: on, type: flag}
      - {name: number, type: number}
      - {name: token, type: secret, required: true}
`)
	e := harness.NewExpect(t, d.Start(nil))
	const text = `  "<b>" & 'c' {text} $(x)  `
	user := url.Values{"input.text": {text}, "input.lines": {"\n\none\n  two\n"}, "input.tags": {"a", "b"},
		"input.compress": {}, "input.on": {"true"}, "input.number": {"1.50"}, "input.token": {"hunter2"}}
	page := e.GET("/kinds/backup").Expect().Status(http.StatusOK).Body().Raw()
	question := sendAs(e, formFields(t, page, "/process_runs", user), false).Status(http.StatusOK).Body()
	question.Contains("•••").NotContains("hunter2").NotContains("<b>")
	if n := total(e); n != 0 {
		t.Fatalf("before the answer there are %d runs", n)
	}
	secret := url.Values{"input.token": {"hunter2"}}
	answer := formFields(t, question.Raw(), "/process_runs", secret)
	sendAs(e, answer, false).Status(http.StatusSeeOther).Header("Location").IsEqual("/kinds/backup")
	harness.WaitUntilDone(t, e)
	got := d.Given(1)
	if want := []string{"--text=" + text, "a", "b"}; !slices.Equal(got.Words, want) {
		t.Errorf("the words are %q, want %q", got.Words, want)
	}
	for name, want := range map[string]string{
		"INPUT_TEXT": text, "INPUT_LINES": "\n\none\n  two\n", "INPUT_TAGS": "a\nb",
		"INPUT_COMPRESS": "false", "INPUT_ON": "true", "INPUT_NUMBER": "1.50", "INPUT_TOKEN": "hunter2",
	} {
		if got.Env[name] != want {
			t.Errorf("%s is %q, want %q", name, got.Env[name], want)
		}
	}
}
