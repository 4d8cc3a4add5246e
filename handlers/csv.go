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

// columns are the names of what record returns.
func columns() []string {
	names := []string{
		"id", "kind", "status", "version", "attempt", "crashes", "error", "created_at", "updated_at", "started_at", "finished_at",
		"scheduled_at", "cancel_requested_at", "percent", "message",
	}
	for i, name := range names {
		names[i] = quoted(name)
	}
	return names
}

// record is a run in CSV. Numbers stand as they are, and everything else in quotes.
func record(run app.ProcessRun) []string {
	percent := ""
	if run.Percent.Known() {
		percent = strconv.Itoa(int(run.Percent))
	}
	return []string{
		strconv.FormatInt(run.ID, 10), quoted(escapeFormula(run.Kind)), quoted(run.Status.String()), strconv.FormatInt(run.Version, 10),
		strconv.Itoa(run.Attempt), strconv.Itoa(run.Crashes), quoted(escapeFormula(run.Error)),
		stamp(run.CreatedAt), stamp(run.UpdatedAt), stamp(run.StartedAt), stamp(run.FinishedAt), stamp(run.ScheduledAt), stamp(run.CancelRequestedAt),
		percent, quoted(escapeFormula(run.Message)),
	}
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

// quoted is a text as a field, whatever separator a spreadsheet goes by.
func quoted(text string) string { return `"` + strings.ReplaceAll(text, `"`, `""`) + `"` }

const formulaStart = `=+\-@＝＋－＠`

var (
	// formula is how a cell begins that a spreadsheet calculates, after blanks that some of them leave out.
	formula = regexp.MustCompile(`^[\p{Z}\p{Cf}"']*;?[\p{Z}\p{Cf}"']*[` + formulaStart + `]`)
	// laterFormula is the same in the middle of a text, for spreadsheets that take semicolons, tabs or ends of lines for the
	// end of a cell although they are quoted.
	laterFormula = regexp.MustCompile(`([;\t\r\n][\p{Z}\p{Cf}"']*)([` + formulaStart + `])`)
)

// harmless keeps a spreadsheet from taking what some work has said for a formula. Other texts are left as they are.
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
