package jobs_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"runboard/app"
	"runboard/jobs"
)

func TestRegistry_NamesTheDefaultFirst(t *testing.T) {
	t.Parallel()
	registry, err := jobs.NewRegistry(jobs.Kind{Name: "zebra", Work: nothing},
		jobs.Kind{Name: "ant", Work: nothing})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"zebra", "ant"}
	names := registry.Names()
	if !slices.Equal(names, want) {
		t.Errorf("the names are %v, want %v", names, want)
	}
	names[0] = "changed"
	if got := registry.Names(); !slices.Equal(got, want) {
		t.Errorf("after a reader changed its copy the names are %v", got)
	}
}

func TestNewRegistry_RejectsWrongKinds(t *testing.T) {
	t.Parallel()
	good := jobs.Kind{Name: "report", Work: nothing}
	for name, kinds := range map[string][]jobs.Kind{
		"when it is empty":                {},
		"when a kind has no name":         {good, {Work: nothing}},
		"when a kind has no work":         {good, {Name: "idle"}},
		"when two kinds are named alike":  {good, {Name: "other", Work: nothing}, good},
		"when there is only a blank kind": {{}},
		"when a name is no text":          {{Name: "a\x00b", Work: nothing}},
		"when a name is too long":         {{Name: strings.Repeat("k", app.MaxKind+1), Work: nothing}},
		"when a name is a part of paths":  {{Name: "..", Work: nothing}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := jobs.NewRegistry(kinds...); err == nil {
				t.Error("it is accepted")
			}
		})
	}
}

// In a bubble, time passes only while all goroutines are blocked, and only until the first timer fires.
func TestSimulated_SaysHowToOfferOtherWork(t *testing.T) {
	t.Parallel()
	if text := jobs.Simulated(0, 0, 0).Info.Description; !strings.Contains(text, "--kinds") {
		t.Errorf("its description is %q", text)
	}
}

func TestSimulated_WithoutDelaysDoesNotSleep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		kind, began := jobs.Simulated(0, 0, 0), time.Now()
		for range 1000 {
			if err := kind.Work(t.Context(),
				jobs.NewRun(app.ProcessRun{}, func(app.ProgressUpdate) {})); err != nil {
				t.Fatal(err)
			}
		}
		if slept := time.Since(began); slept != 0 {
			t.Errorf("it slept for %s", slept)
		}
	})
}

func TestSimulated_SleepsAndStartsWithinItsRange(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		shortest := time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(rt, "shortest"))
		longest := shortest + time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(rt, "more"))
		kind := jobs.Simulated(shortest, longest, 0)
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			if err := kind.Work(t.Context(),
				jobs.NewRun(app.ProcessRun{}, func(app.ProgressUpdate) {})); err != nil {
				t.Error(err)
			}
			if slept := time.Since(began); slept < shortest || slept > longest {
				t.Errorf("it slept for %s, want %s to %s", slept, shortest, longest)
			}
			delay := jobs.SimulatedDelay(shortest, longest)
			if got := delay(app.SimulatedKind); got < shortest || got > longest {
				t.Errorf("its start is delayed by %s, want %s to %s", got, shortest, longest)
			}
			if got := delay("report"); got != 0 {
				t.Errorf("the start of another kind is delayed by %s", got)
			}
		})
	})
}

func TestSimulated_FailsAtItsRate(t *testing.T) {
	t.Parallel()
	const times = 2000
	for _, test := range []struct {
		rate      float64
		low, high int
	}{
		{0, 0, 0},
		{1, times, times},
		{0.5, times * 4 / 10, times * 6 / 10}, // nine standard deviations to either side
	} {
		kind, failures := jobs.Simulated(0, 0, test.rate), 0
		for range times {
			if kind.Work(t.Context(), jobs.NewRun(app.ProcessRun{}, func(app.ProgressUpdate) {})) != nil {
				failures++
			}
		}
		if failures < test.low || failures > test.high {
			t.Errorf("with a rate of %v it failed %d of %d times", test.rate, failures, times)
		}
	}
}

func TestSimulated_ReturnsTheCause(t *testing.T) {
	t.Parallel()
	for name, delay := range map[string]time.Duration{"while it sleeps": time.Hour,
		"when it would not sleep": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(jobs.ErrShutdown)
			kind := jobs.Simulated(delay, delay, 0)
			if err := kind.Work(ctx,
				jobs.NewRun(app.ProcessRun{},
					func(app.ProgressUpdate) {})); !errors.Is(err, jobs.ErrShutdown) {
				t.Errorf("it returns %v", err)
			}
		})
	}
}

func TestRegistry_ReplacesAllKindsOrNone(t *testing.T) {
	t.Parallel()
	registry, err := jobs.NewRegistry(jobs.Kind{Name: "old", Work: nothing})
	if err != nil {
		t.Fatal(err)
	}
	wrong := app.Kind{Inputs: []app.Input{{Name: "level", Type: "color"}}}
	if err := registry.Replace(jobs.Kind{Name: "new", Work: nothing, Info: wrong}); err == nil {
		t.Error("a wrong input is accepted")
	}
	if _, known := registry.Kind("old"); !known {
		t.Error("the old kinds are gone after an error")
	}
	info := app.Kind{Title: "New", Name: "ignored"}
	if err := registry.Replace(jobs.Kind{Name: "new", Work: nothing, Info: info}); err != nil {
		t.Fatal(err)
	}
	if kind, known := registry.Kind("new"); !known || kind.Name != "new" || kind.Title != "New" {
		t.Errorf("the new kind is %+v", kind)
	}
	if _, known := registry.Kind("old"); known || len(registry.Kinds()) != 1 {
		t.Error("an old kind is still offered")
	}
}

func TestRegistry_RefusesWrongKinds(t *testing.T) {
	t.Parallel()
	broken := errors.New("the tag of a field is wrong")
	for name, kinds := range map[string][]jobs.Kind{
		"no kinds": nil,
		"a wrong input": {{Name: "a", Work: nothing,
			Info: app.Kind{Inputs: []app.Input{{Name: "level", Type: "color"}}}}},
		"an error": {{Name: "a", Work: nothing}, {Name: "b", Work: nothing, Err: broken}},
	} {
		if _, err := jobs.NewRegistry(kinds...); err == nil || name == "an error" && !errors.Is(err, broken) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

func TestRegistry_DefinitionFollowsTheInputs(t *testing.T) {
	t.Parallel()
	definition := func(info app.Kind) string {
		registry, err := jobs.NewRegistry(jobs.Kind{Name: "a", Work: nothing, Info: info})
		if err != nil {
			t.Fatal(err)
		}
		return registry.Kinds()[0].Definition
	}
	level := app.Input{Name: "level", Type: app.NumberInput}
	plain, asked := definition(app.Kind{Title: "A"}), definition(app.Kind{Confirm: "Now?"})
	if plain != definition(app.Kind{Title: "B"}) || plain == asked ||
		plain == definition(app.Kind{Inputs: []app.Input{level}}) {
		t.Error("the definition is not that of the inputs and the question")
	}
}
