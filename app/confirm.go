package app

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"
)

// placeholder matches {{name}}, which stands for the text {name}, and {name}, which stands for a value. Only
// the latter has a submatch: the name.
var placeholder = regexp.MustCompile(`\{\{[a-z][a-z0-9_]*\}\}|\{([a-z][a-z0-9_]*)\}`)

// Question returns the question that confirms a start with these values. A kind without a question, which it
// may have lost while a page was open, gets a plain one.
func (k Kind) Question(values InputValues) string {
	if k.Confirm == "" {
		return "Start " + k.Label() + "?"
	}
	return placeholder.ReplaceAllStringFunc(k.Confirm, func(part string) string {
		if strings.HasPrefix(part, "{{") {
			return part[1 : len(part)-1]
		}
		texts := values.Public().Texts(strings.Trim(part, "{}"))
		if len(texts) == 0 {
			return "–"
		}
		return strings.Join(texts, ", ")
	})
}

// ConfirmToken returns a token for what a page shows before it starts count runs with these values. It
// changes whenever the definition of the kind or a shown value changes, and is the same on all nodes with the
// same definition. It tells nothing of secrets but which are given.
func (k Kind) ConfirmToken(count int, values InputValues) string {
	hash := sha256.New()
	add := func(text string) { hash.Write([]byte(strconv.Quote(text) + "\n")) }
	add(k.Name)
	add(k.Definition)
	add(k.Confirm)
	add(strconv.Itoa(count))
	for _, value := range values {
		add(value.Name)
		if value.Type == SecretInput {
			continue
		}
		add(strconv.Itoa(len(value.Texts)))
		for _, text := range value.Texts {
			add(text)
		}
	}
	return hex.EncodeToString(hash.Sum(nil))
}
