package handlers

import (
	"bufio"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"runboard/app"
)

// columns returns the header of the CSV file, in the order of record.
func columns() []string {
	names := []string{
		"id", "kind", "status", "version", "attempt", "crashes", "error", "created_at", "updated_at",
		"started_at", "finished_at",
		"scheduled_at", "cancel_requested_at", "percent", "message", "inputs",
	}
	for i, name := range names {
		names[i] = quoted(name)
	}
	return names
}

// record returns a run as CSV fields. All fields except numbers are quoted.
func record(run app.ProcessRun) []string {
	percent := ""
	if run.Percent.Known() {
		percent = strconv.Itoa(int(run.Percent))
	}
	return []string{
		strconv.FormatInt(run.ID, 10), quoted(escapeFormula(run.Kind)), quoted(run.Status.String()),
		strconv.FormatInt(run.Version, 10),
		strconv.Itoa(run.Attempt), strconv.Itoa(run.Crashes), quoted(escapeFormula(run.Error)),
		stamp(run.CreatedAt), stamp(run.UpdatedAt), stamp(run.StartedAt), stamp(run.FinishedAt),
		stamp(run.ScheduledAt), stamp(run.CancelRequestedAt),
		percent, quoted(escapeFormula(run.Message)), quoted(inputsCell(run.Inputs)),
	}
}

// inputsCell returns the inputs as JSON that no spreadsheet evaluates: it begins with a brace, and
// semicolons, after which some spreadsheets begin a cell, are escaped as JSON allows.
func inputsCell(inputs app.RunInputs) string {
	encoded, _ := inputs.MarshalJSON() // never fails
	return strings.ReplaceAll(string(encoded), ";", `\u003b`)
}

func writeRecord(w *bufio.Writer, fields []string) error {
	_, err := w.WriteString(strings.Join(fields, ",") + "\n")
	return err
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return quoted("")
	}
	return quoted(t.Format(time.RFC3339Nano))
}

// quoted returns a text as a quoted CSV field, which is valid for any separator.
func quoted(text string) string { return `"` + strings.ReplaceAll(text, `"`, `""`) + `"` }

const formulaStart = `=+\-@＝＋－＠`

var (
	// formula matches the start of a cell that a spreadsheet evaluates, after blanks that some of them skip.
	formula = regexp.MustCompile(`^[\p{Z}\p{Cf}"']*;?[\p{Z}\p{Cf}"']*[` + formulaStart + `]`)
	// laterFormula matches a formula inside a text: some spreadsheets end a cell at a semicolon, tab or line
	// end in spite of the quotes.
	laterFormula = regexp.MustCompile(`([;\t\r\n][\p{Z}\p{Cf}"']*)([` + formulaStart + `])`)
)

// escapeFormula keeps a spreadsheet from evaluating a text as a formula (CSV injection). Other texts are not
// changed.
func escapeFormula(text string) string {
	if text == "" {
		return text
	}
	first := []rune(text[:min(len(text), 4)])[0]
	starts := unicode.IsControl(first) || formula.MatchString(text)
	if text = laterFormula.ReplaceAllString(text, "$1'$2"); starts {
		return "'" + text
	}
	return text
}
