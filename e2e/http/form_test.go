package http

import (
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// formFields returns the fields that a browser without scripts sends for the form with this action: the
// values in the page, and those of the user.
func formFields(t *testing.T, page, action string, user url.Values) url.Values {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for node := range root.Descendants() {
		if node.Data == "form" && attribute(node, "action") == action && attribute(node, "method") == "post" {
			sent := url.Values{}
			for control := range node.Descendants() {
				addField(sent, control, user)
			}
			return sent
		}
	}
	t.Fatalf("there is no form for %s: %s", action, page)
	return nil
}

// addField adds what a control of a form sends. A value of the user replaces that of the page.
func addField(sent url.Values, control *html.Node, user url.Values) {
	name, kind := attribute(control, "name"), attribute(control, "type")
	value := attribute(control, "value")
	switch {
	case name == "" || control.Data != "input" && control.Data != "textarea":
		return
	case kind == "radio" || kind == "checkbox":
		_, checked := attributes(control)["checked"]
		if typed, ok := user[name]; ok {
			checked = false
			for _, text := range typed {
				checked = checked || text == value
			}
		}
		if !checked {
			return
		}
	case control.Data == "textarea":
		if value = ""; control.FirstChild != nil {
			value = control.FirstChild.Data
		}
		fallthrough
	default:
		if typed, ok := user[name]; ok && kind != "hidden" {
			value = typed[0]
		}
	}
	sent.Add(name, strings.ReplaceAll(value, "\n", "\r\n"))
}

func attributes(node *html.Node) map[string]string {
	all := map[string]string{}
	for _, attribute := range node.Attr {
		all[attribute.Key] = attribute.Val
	}
	return all
}

func attribute(node *html.Node, name string) string { return attributes(node)[name] }
