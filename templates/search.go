package templates

import (
	"slices"
	"strings"
	"time"

	"runboard/app"
)

// filterControls is the view model of the controls that filter the list. They belong to the search form of
// the header.
type filterControls struct {
	Hidden  []field  // the filters without a control
	Kinds   []option // empty if there is only one, and no filter by it
	Created []option
	Range   timeRange
	Rows    []option
}

// timeRange is the view model of the fields for a span of time, in UTC.
type timeRange struct {
	Since, Until string
	Current      bool // the list has such a span
}

// option is the view model of an option of a select element.
type option struct {
	Value, Text string
	Selected    bool
}

func (t *Templates) filterControls(query app.Query, now time.Time) filterControls {
	filter := query.Filter
	view := filterControls{Range: newTimeRange(filter, now), Rows: rowOptions(query.PageSize())}
	if filter.Filtered {
		view.Hidden = append(view.Hidden, field{"status", filter.Status.String()})
	}
	if filter.Failure > 0 {
		view.Hidden = append(view.Hidden, field{"failure", decimal(filter.Failure)})
	}
	for _, match := range filter.Inputs.Matches() {
		view.Hidden = append(view.Hidden, field{InputPrefix + match.Name, match.Value})
	}
	if len(t.kinds.Kinds()) > 1 || filter.Kind != "" {
		view.Kinds = t.kindOptions(filter.Kind)
	}
	view.Created = createdOptions(filter, view.Range.Current)
	return view
}

// kindOptions returns the kinds to filter by. It includes the kind of the current filter even if that kind is
// no longer offered.
func (t *Templates) kindOptions(selected string) []option {
	options := []option{{Text: "All kinds"}}
	for _, kind := range t.kinds.Kinds() {
		options = append(options, option{kind.Name, visible(kind.Label()), kind.Name == selected})
	}
	isSelected := func(o option) bool { return o.Selected }
	if selected != "" && !slices.ContainsFunc(options, isSelected) {
		options = append(options, option{selected, visible(selected), true})
	}
	return options
}

// CustomRange is the value of the parameter "created" for a span of time that since and until give.
const CustomRange = "custom"

// createdOptions returns the spans of time to choose from. If the filter has another one that ends now, it is
// among them.
func createdOptions(filter app.Filter, custom bool) []option {
	options := append([]option{{Text: "Any time"}}, presets...)
	options = append(options, option{Value: CustomRange, Text: "Custom range…"})
	selected := filter.Since.String()
	if custom {
		selected = CustomRange
	}
	for i := range options {
		options[i].Selected = options[i].Value == selected
	}
	isSelected := func(o option) bool { return o.Selected }
	if !slices.ContainsFunc(options, isSelected) {
		other := option{selected, sinceText(filter.Since), true}
		options = slices.Insert(options, len(options)-1, other)
	}
	return options
}

// newTimeRange returns the fields for a span of time. A span that ends now has no fields.
func newTimeRange(filter app.Filter, now time.Time) (view timeRange) {
	if filter.Until.IsZero() && (filter.Since.IsZero() || filter.Since.Relative()) {
		return view
	}
	view.Current = true
	if !filter.Since.IsZero() {
		view.Since = rangeTime(filter.Since.Time(now))
	}
	if !filter.Until.IsZero() {
		view.Until = rangeTime(filter.Until.Time(now))
	}
	return view
}

// rangeTime formats t for a field of the type datetime-local.
func rangeTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05") }

// presets are the spans of time to choose from.
var presets = []option{
	{Value: "1h", Text: "Last hour"}, {Value: "24h", Text: "Last 24 hours"},
	{Value: "168h", Text: "Last 7 days"},
}

// sinceText says what a relative bound means: "Last 7 days", or "Last 1 h 30 min".
func sinceText(bound app.TimeBound) string {
	for _, preset := range presets {
		if preset.Value == bound.String() {
			return preset.Text
		}
	}
	return "Last " + lasting(time.Time{}.Sub(bound.Time(time.Time{})))
}

func rowOptions(selected int) (options []option) {
	for _, size := range app.PageSizes() {
		text := decimal(int64(size))
		options = append(options, option{text, text + " per page", size == selected})
	}
	return options
}

// found is the view model of what a list says about its filter: the number of matching runs, and a chip for
// each condition. It is empty if the filter has at most a status.
type found struct {
	Matches   matches
	Chips     []chip
	ClearPath string
}

func (t *Templates) found(page app.Page) found {
	view := found{Matches: newMatches(page)}
	if page.Query.StatusOnly() {
		return view
	}
	view.Chips, view.ClearPath = t.chips(page), clearPath(page.Query)
	return view
}

// chip is the view model of a condition of the filter, with a link to the list without it.
type chip struct {
	Text        string
	From, Until boundTime // after the text
	Pattern     bool      // the text is that of an error
	RemovePath  string
}

// boundTime is the view model of a point in time after a word. The zero boundTime is none.
type boundTime struct{ Word, At, Text string }

func newBoundTime(word string, bound app.TimeBound, now time.Time) boundTime {
	if bound.IsZero() {
		return boundTime{}
	}
	at := bound.Time(now)
	return boundTime{word, second(at), exact(at)}
}

func (t *Templates) chips(page app.Page) (chips []chip) {
	query, filter, now := page.Query, page.Query.Filter, t.now()
	add := func(text string, without app.Filter) *chip {
		chips = append(chips, chip{Text: text, RemovePath: QueryPath(query.WithFilter(without))})
		return &chips[len(chips)-1]
	}
	if filter.Failure > 0 {
		without := filter
		without.Failure = 0
		add(visible(patternText(page.Failure.Pattern)), without).Pattern = true
	}
	if filter.Text != "" {
		without := filter
		without.Text = ""
		add("“"+visible(filter.Text)+"”", without)
	}
	if filter.Kind != "" {
		without := filter
		without.Kind = ""
		add("Kind: "+t.kindLabel(filter.Kind), without)
	}
	without := filter
	without.Since, without.Until = app.TimeBound{}, app.TimeBound{}
	switch {
	case filter == without:
	case filter.Until.IsZero() && filter.Since.Relative():
		add(sinceText(filter.Since), without)
	default:
		span := add("Created", without)
		span.From = newBoundTime("from", filter.Since, now)
		span.Until = newBoundTime("until", filter.Until, now)
	}
	kind, _ := t.kinds.Kind(filter.Kind)
	for _, match := range filter.Inputs.Matches() {
		add(conditionText(kind, match), withoutInput(filter, match.Name))
	}
	return chips
}

// withoutInput returns a filter without the value of an input.
func withoutInput(filter app.Filter, name string) app.Filter {
	others := map[string]string{}
	for _, match := range filter.Inputs.Matches() {
		if match.Name != name {
			others[match.Name] = match.Value
		}
	}
	filter.Inputs = app.NewInputFilter(others)
	return filter
}

// conditionText says which value an input of a kind must have.
func conditionText(kind app.Kind, match app.InputMatch) string {
	for _, input := range kind.Inputs {
		if input.Name == match.Name {
			return clip(input.Label() + ": " + strings.Join(shownTexts(input, []string{match.Value}), " "))
		}
	}
	return clip(match.Name + ": " + match.Value)
}

// matches is the view model of the number of matching runs. It is empty if the filter has at most a status.
type matches struct {
	Count    string // as far as the store counted
	Capped   bool   // there are more
	Text     string // "12 runs match"
	Continue listLink
}

func newMatches(page app.Page) (view matches) {
	query, count := page.Query, int64(page.MatchCount)
	if query.StatusOnly() {
		return matches{}
	}
	view.Count, view.Capped = decimal(count), page.MatchCountCapped
	one, many := "run matches", "runs match"
	if query.Failure > 0 {
		one, many = "run with this error", "runs with this error"
	}
	switch {
	case view.Capped && count == 0:
		view.Text = "No match so far"
	case view.Capped:
		view.Text = grouped(count) + "+ " + many
	default:
		view.Text = plural(count, one, many)
	}
	if page.SearchCursor > 0 {
		view.Text += ". Searched " + searchedTo(page) + "."
		view.Continue = listLink{Path: QueryPath(page.Older()), Text: "Search older"}
		if query.Direction == app.After {
			view.Continue = listLink{Path: QueryPath(page.Newer()), Text: "Search newer"}
		}
	}
	return view
}

// searchedTo says where a search stopped: "back to #5000" or, if it looked for newer runs, "up to #5000".
func searchedTo(page app.Page) string {
	way := "back"
	if page.Query.Direction == app.After {
		way = "up"
	}
	return way + " to #" + decimal(page.SearchCursor)
}

// patternText returns the pattern of a failure, or what to say if the failure no longer exists.
func patternText(pattern string) string {
	if pattern == "" {
		return "an error that no longer occurs"
	}
	return pattern
}

// offer is the view model of a link to what the words of a search are the name of.
type offer struct {
	Path, Text, Status string
	Swaps              bool // it is another list
}

// maxOffers is the largest number of kinds that a search offers.
const maxOffers = 3

// offers returns the run and the kinds that the words of a search name. run has ID 0 if there is none.
func (t *Templates) offers(query app.Query, run app.ProcessRun) (offers []offer) {
	if run.ID > 0 {
		offers = append(offers, offer{
			Path: RunPath(run.ID), Text: "Run #" + decimal(run.ID), Status: run.Status.String(),
		})
	}
	if query.Text == "" {
		return offers
	}
	wanted := strings.ToLower(query.Text)
	kinds := 0
	for _, kind := range t.kinds.Kinds() {
		named := strings.Contains(strings.ToLower(kind.Name), wanted) ||
			strings.Contains(strings.ToLower(kind.Label()), wanted)
		if !named || kind.Name == query.Kind || kinds == maxOffers {
			continue
		}
		kinds++
		filter := query.Filter
		filter.Text, filter.Kind = "", kind.Name
		offers = append(offers, offer{
			Path: QueryPath(query.WithFilter(filter)), Text: "Kind: " + visible(kind.Label()), Swaps: true,
		})
	}
	return offers
}
