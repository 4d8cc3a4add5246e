package browser

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/chromedp/cdproto/input"

	"runboard/e2e/harness"
)

// openSockets returns the paths of the open sockets of the page.
func (p *tab) openSockets() (paths []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.sockets {
		if s.open && !s.closed {
			paths = append(paths, s.path)
		}
	}
	return paths
}

// untilSocket waits until the page has exactly one socket, at this path, which has received a frame.
func (p *tab) untilSocket(path string) {
	p.t.Helper()
	harness.Eventually(p.t, "the page's one socket is "+path, func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		var open []string
		var frames int
		for _, s := range p.sockets {
			if !s.closed { // including those that are still connecting
				open, frames = append(open, s.path), s.frames
			}
		}
		if !slices.Equal(open, []string{path}) || frames == 0 {
			return fmt.Errorf("the sockets are %v, with %d frames", open, frames)
		}
		return nil
	})
}

// requestsSoFar returns the requests that the page has made, without those for assets.
func (p *tab) requestsSoFar() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// checkRequests checks that the page has not been reloaded and has made only these requests.
func (p *tab) checkRequests(wanted ...string) {
	p.t.Helper()
	if made := p.requestsSoFar(); !slices.Equal(made, wanted) {
		p.t.Errorf("the page made the requests %q instead of %q", made, wanted)
	}
	if !evaluate[bool](p, "window.notReloaded === true") {
		p.t.Error("the page was reloaded")
	}
}

func (p *tab) socketsSoFar() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.sockets)
}

// shownBoard is the content of a page of the list.
type shownBoard struct {
	Runs   []harness.RunJSON `json:"runs"`
	Counts map[string]int64  `json:"counts"`
	Words  []string          `json:"words"` // the texts of the cells
	Total  int64             `json:"total"`
}

const readBoard = `(() => {
	const number = (id) => Number(document.getElementById(id).textContent.replace(/\D/g, ""));
	const cells = [...document.querySelectorAll("#process_runs tr[id] td[data-status]")];
	return {
		runs: cells.map((cell) => ({
			id: Number(cell.closest("tr").id.replace("process_run_", "")),
			status: cell.dataset.status,
			version: cell.id === cell.closest("tr").id + "_status" ? Number(cell.dataset.version) : -1,
		})),
		words: cells.map((cell) => cell.textContent.trim().split(/\s/)[0]),
		counts: Object.fromEntries(["created", "started", "completed", "failed", "cancelled"].
		map((s) => [s, number("count_" + s)])),
		total: number("count_all"),
	};
})()`

// untilTrue waits until the page shows what the server answers in JSON for the same path.
func (p *tab) untilTrue(b *harness.Process, path string) {
	p.t.Helper()
	harness.Eventually(p.t, "the page shows what is in the database", func() error {
		shown, err := tryEvaluate[shownBoard](p, readBoard)
		if err != nil {
			return err
		}
		var real harness.ListJSON
		if err := b.Get(path, &real); err != nil {
			return err
		}
		var words []string
		var total int64
		for _, run := range real.ProcessRuns {
			words = append(words, run.Status)
		}
		for _, n := range real.Counts {
			total += n
		}
		if !slices.Equal(shown.Runs, real.ProcessRuns) || !reflect.DeepEqual(shown.Counts, real.Counts) ||
			!slices.Equal(shown.Words, words) || shown.Total != total {
			return fmt.Errorf("it shows %+v instead of %+v", shown, real)
		}
		return nil
	})
}

// statesSeen returns the states that each status cell has shown, by its ID, such as "2 started".
func (p *tab) statesSeen() map[string][]string {
	p.t.Helper()
	return evaluate[map[string][]string](p, "window.seen")
}

// middle returns the position of the middle of an element, for the mouse.
func (p *tab) middle(selector string) (x, y float64) {
	p.t.Helper()
	at := evaluate[[]float64](p, fmt.Sprintf(`(() => {
		const box = document.querySelector(%q).getBoundingClientRect();
		return [box.x + box.width / 2, box.y + box.height / 2];
	})()`, selector))
	return at[0], at[1]
}

// hold holds a key down: after the first event it sends repeated ones, as a keyboard does.
func (p *tab) hold(key, code string, virtual int64, text string, lasting time.Duration) {
	p.t.Helper()
	send := func(kind input.DispatchKeyEventType, repeated bool) {
		call(p, input.DispatchKeyEvent, input.DispatchKeyEventParams{
			Type: kind, Key: key, Code: code, WindowsVirtualKeyCode: virtual, Text: text,
			AutoRepeat: &repeated,
		})
	}
	send(input.DispatchKeyEventTypeKeyDown, false)
	for end := time.Now().Add(lasting); time.Now().Before(end); time.Sleep(40 * time.Millisecond) {
		send(input.DispatchKeyEventTypeKeyDown, true)
	}
	send(input.DispatchKeyEventTypeKeyUp, false)
}

func (p *tab) holdEnter(lasting time.Duration) {
	p.t.Helper()
	p.hold("Enter", "Enter", 13, "\r", lasting)
}
