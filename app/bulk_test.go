package app_test

import (
	"encoding/json"
	"testing"
	"time"

	"runboard/app"
)

func TestParseBulkOperation_AcceptsThree(t *testing.T) {
	t.Parallel()
	for _, operation := range app.BulkOperations() {
		if got, err := app.ParseBulkOperation(string(operation)); err != nil || got != operation {
			t.Errorf("%s is read as %s: %v", operation, got, err)
		}
	}
	for _, text := range []string{"", "Cancel", "start", "delete runs", " retry"} {
		if operation, err := app.ParseBulkOperation(text); app.CodeOf(err) != app.CodeMalformed {
			t.Errorf("%q is read as %s: %v", text, operation, err)
		}
	}
}

func TestBulkOperation_AppliesToChangeableRuns(t *testing.T) {
	t.Parallel()
	for _, status := range app.BulkCancel.AppliesTo() {
		if !status.CanBecome(app.Cancelled) {
			t.Errorf("a run that is %s cannot be cancelled", status)
		}
	}
	for _, status := range app.BulkRetry.AppliesTo() {
		if !status.Final() || !status.CanBecome(app.Created) {
			t.Errorf("a run that is %s cannot be tried again", status)
		}
	}
	for _, status := range app.Statuses() {
		deletable := false
		for _, fits := range app.BulkDelete.AppliesTo() {
			deletable = deletable || fits == status
		}
		if deletable != status.Final() {
			t.Errorf("a run that is %s can be deleted: %v", status, deletable)
		}
	}
	if fits := app.BulkOperation("").AppliesTo(); fits != nil {
		t.Errorf("nothing is for %v", fits)
	}
}

// A bulk run is stored as JSON, and the form of a preview has the times as texts.
func TestBulkAction_ResolvedTimesCanBeRead(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, text := range []string{"1ms", "24h", "20440d", "20000d", "36500d", "2026-11-23",
		"9999-12-31T23:59Z"} {
		since, err := app.ParseTimeBound(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		fixed := app.BulkAction{Operation: app.BulkDelete, Filter: app.Filter{Since: since}}.Resolve(now)
		encoded, err := json.Marshal(fixed)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		var read app.BulkAction
		if err := json.Unmarshal(encoded, &read); err != nil || read.Filter != fixed.Filter {
			t.Errorf("%s is written as %s and read as %+v: %v", text, encoded, read.Filter, err)
		}
		first := time.UnixMilli(1).UTC() // that can be written
		want := since.Time(now)
		if want.Before(first) {
			want = first
		}
		if got := fixed.Filter.Since; got.Relative() || !got.Time(now).Equal(want) {
			t.Errorf("%s is resolved to %v, want %v", text, got, want)
		}
	}
}

func TestBulkAction_JSONRoundTrip(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	dayAgo, err := app.ParseTimeBound("24h")
	if err != nil {
		t.Fatal(err)
	}
	action := app.BulkAction{Operation: app.BulkRetry, Filter: app.Filter{
		Filtered: true, Status: app.Failed, Kind: "report", Since: dayAgo, Text: "out of ink",
	}}
	fixed := action.Resolve(now)
	text, err := json.Marshal(fixed)
	if err != nil {
		t.Fatal(err)
	}
	var read app.BulkAction
	if err := json.Unmarshal(text, &read); err != nil || read.Filter != fixed.Filter ||
		read.Operation != fixed.Operation {
		t.Errorf("%s is read as %+v: %v", text, read, err)
	}
	if at := read.Filter.Since.Time(now.Add(time.Hour)); !at.Equal(now.Add(-24 * time.Hour)) {
		t.Errorf("an hour later it begins at %v", at)
	}
	if !read.Filter.Until.IsZero() {
		t.Errorf("it ends at %v", read.Filter.Until)
	}
	const want = "all failed runs of kind report, created since 2026-11-22T12:00:00Z, containing “out of ink”"
	if got := read.String(); got != want {
		t.Errorf("in words it is %q", got)
	}
	if got := (app.BulkAction{IDs: []int64{4, 5}}).String(); got != "the selected runs" {
		t.Errorf("in words it is %q", got)
	}
}
