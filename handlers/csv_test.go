package handlers

import (
	"encoding/csv"
	"strings"
	"testing"

	"runboard/app"
)

func TestHarmless_FormulasAreTexts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                           "",
		"out of ink":                 "out of ink",
		"exit status 1; see a+b = c": "exit status 1; see a+b = c",
		"a -1, b=2":                  "a -1, b=2",
		"日本語":                        "日本語",
		"=1+1":                       "'=1+1",
		"+1":                         "'+1",
		"-1":                         "'-1",
		"@SUM(A1)":                   "'@SUM(A1)",
		"＝1+1":                       "'＝1+1",
		"＋1":                         "'＋1",
		"－1":                         "'－1",
		"＠SUM":                       "'＠SUM",
		"\t=1":                       "'\t'=1",
		"\r=1":                       "'\r'=1",
		"\n=1":                       "'\n'=1",
		"\x00=1":                     "'\x00=1",
		"\x7fa":                      "'\x7fa",
		"\u0085a":                    "'\u0085a",
		"  =1":                       "'  =1",
		"\u00a0=1":                   "'\u00a0=1",
		"\ufeff=1":                   "'\ufeff=1",
		"\u200b=1":                   "'\u200b=1",
		";=1":                        "';'=1",
		"; =1":                       "'; '=1",
		"\"=1":                       "'\"=1",
		"failed;=cmd|' /C calc'!A0":  "failed;'=cmd|' /C calc'!A0",
		"failed\n=HYPERLINK(1)":      "failed\n'=HYPERLINK(1)",
		"failed\t＝1":                 "failed\t'＝1",
		"a;\"=1":                     "a;\"'=1",
	} {
		if got := escapeFormula(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestRecord_QuotesEveryText(t *testing.T) {
	t.Parallel()
	run := app.ProcessRun{ID: 7, Kind: "job", Status: app.Failed, Version: 3, Attempt: 1,
		Error: "a \"b\",\nc", Progress: app.Progress{Percent: 40}}
	line := strings.Join(record(run), ",")
	if want := `7,"job","failed",3,1,0,"a ""b"",` + "\n" + `c","","","","","","",40,"","{}"`; line != want {
		t.Errorf("it is %s, want %s", line, want)
	}
	fields, err := csv.NewReader(strings.NewReader(strings.Join(columns(), ",") + "\n" + line)).ReadAll()
	if err != nil || len(fields) != 2 || len(fields[0]) != len(fields[1]) || fields[1][6] != run.Error {
		t.Errorf("it is read as %q: %v", fields, err)
	}
}
