package browser

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"runboard/board"
	"runboard/e2e/harness"
	"runboard/jobs"
)

// maxAnimation is the size of the animation in bytes that the README can bear.
const maxAnimation = 500_000

// The animation in the README shows two windows of the real page beside each other: a click on Start in the
// left one, and the runs in both. UPDATE_SCREENSHOTS=1 rewrites it.
func TestTwoWindows_LookLikeTheirAnimation(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	work := newStagedWork()
	p := harness.StartProgram(t, func(c *board.Config) { c.Workers, c.DrainTimeout = 4, 0 }, work.kind())
	f := &film{left: openWindow(t, p.URL), right: openWindow(t, p.URL)}
	f.left.setCount(10)
	button := evaluate[[2]float64](f.left, `((box) => [box.x + box.width / 2, box.y + box.height / 2])(
		document.querySelector("#start button").getBoundingClientRect())`)
	from, to := image.Pt(380, 640), image.Pt(int(button[0]), int(button[1]))
	f.shoot()
	f.addFrame(from, 60)
	for step := 1; step <= 12; step++ {
		f.addFrame(glide(from, to, float64(step)/12), 6)
	}
	f.addFrame(to, 30)
	f.press(to)
	f.left.click("#start button")
	for _, window := range []*tab{f.left, f.right} {
		window.untilRows(10)
	}
	f.shoot()
	f.addFrame(to, 30)
	for steps := 0; !f.isDone(); steps++ {
		if steps > 60 {
			t.Fatal("the runs do not end")
		}
		before := f.state(f.left)
		work.step()
		f.untilChanged(before)
		f.shoot()
		f.addFrame(to, 28)
	}
	f.frames[len(f.frames)-1].delay = 250

	animation := encodeGIF(t, f.frames)
	if len(animation) > maxAnimation || len(f.frames) < 20 {
		t.Errorf("the animation has %d frames and %d bytes", len(f.frames), len(animation))
	}
	if os.Getenv("UPDATE_SCREENSHOTS") == "" {
		return
	}
	if err := os.WriteFile(filepath.Join("docs", "live.gif"), animation, 0o644); err != nil {
		t.Fatal(err)
	}
}

// stagedWork is work whose progress the test controls.
type stagedWork struct {
	mu   sync.Mutex
	next chan struct{} // closed by the next step
}

func newStagedWork() *stagedWork { return &stagedWork{next: make(chan struct{})} }

// step lets each running run make some progress.
func (w *stagedWork) step() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.next)
	w.next = make(chan struct{})
}

func (w *stagedWork) wait(ctx context.Context) error {
	w.mu.Lock()
	next := w.next
	w.mu.Unlock()
	select {
	case <-next:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// kind returns a kind whose runs differ in speed. One of them fails.
func (w *stagedWork) kind() jobs.Kind {
	return jobs.Kind{Name: "backup", Work: func(ctx context.Context, run *jobs.Run) error {
		speed := []int{17, 26, 34, 21, 29}[run.ID%5]
		for percent := 0; percent < 100; percent += speed {
			run.Progress(percent, "")
			if run.ID == 4 && percent > 50 {
				return errors.New("connection refused by 10.0.0.7")
			}
			if err := w.wait(ctx); err != nil {
				return err
			}
		}
		return nil
	}}
}

// Sizes in pixels. The windows show the board without its narrow layout, down to the tenth run.
const (
	windowWidth, windowHeight = 672, 786
	titleBar, margin          = 28, 16
)

// openWindow opens the board in the size of the animation's windows.
func openWindow(t *testing.T, url string) *tab {
	t.Helper()
	p := newWindow(t)
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "light"}},
	})
	p.do(chromedp.EmulateViewport(windowWidth, windowHeight), chromedp.Navigate(url+"/process_runs"))
	p.untilLive()
	p.untilSocket("/process_runs/live")
	return p
}

// film takes pictures of two windows.
type film struct {
	left, right *tab
	backdrop    *image.RGBA // both windows as they were last shot, without the pointer
	frames      []frame
}

// frame is one picture of an animation.
type frame struct {
	picture *image.RGBA
	delay   int // in hundredths of a second
}

// shoot takes a picture of both windows while they show the same.
func (f *film) shoot() {
	f.left.t.Helper()
	var pictures []image.Image
	harness.Eventually(f.left.t, "both windows show the same", func() error {
		before := f.state(f.left)
		pictures = []image.Image{screenshot(f.left), screenshot(f.right)}
		if before != f.state(f.left) || before != f.state(f.right) {
			return errors.New("they differ or change")
		}
		return nil
	})
	size := pictures[0].Bounds().Size()
	f.backdrop = image.NewRGBA(image.Rect(0, 0, 2*size.X+3*margin, size.Y+titleBar+2*margin))
	fillArea(f.backdrop, f.backdrop.Bounds(), color.RGBA{0xdb, 0xe3, 0xec, 0xff})
	for i, picture := range pictures {
		drawWindow(f.backdrop, image.Pt(margin+i*(size.X+margin), margin), picture)
	}
}

func screenshot(window *tab) image.Image {
	window.t.Helper()
	shot, err := chromedp.Run(window.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		window.t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		window.t.Fatal(err)
	}
	return picture
}

// addFrame adds what was shot last, with the pointer at a place in the left window.
func (f *film) addFrame(pointer image.Point, delay int) {
	picture := image.NewRGBA(f.backdrop.Bounds())
	draw.Draw(picture, picture.Bounds(), f.backdrop, image.Point{}, draw.Src)
	drawPointer(picture, pointer.Add(image.Pt(margin, margin+titleBar)))
	f.frames = append(f.frames, frame{picture, delay})
}

// press adds frames in which a ring around the pointer shows a click.
func (f *film) press(pointer image.Point) {
	for _, radius := range []float64{9, 15, 21} {
		f.addFrame(pointer, 7)
		drawRing(f.frames[len(f.frames)-1].picture, pointer.Add(image.Pt(margin, margin+titleBar)), radius)
	}
}

// state describes what a window shows of the runs.
func (f *film) state(window *tab) string {
	return evaluate[string](window, `[...document.querySelectorAll("td[data-status]")].map((cell) =>
		cell.dataset.version + cell.dataset.status + (cell.querySelector("progress")?.value ?? "")).join()`)
}

func (f *film) isDone() bool {
	return evaluate[bool](f.left,
		`document.querySelectorAll("td:is([data-status=created], [data-status=started])").length === 0`)
}

// untilChanged waits until both windows show something else than before.
func (f *film) untilChanged(before string) {
	f.left.t.Helper()
	harness.Eventually(f.left.t, "both windows change", func() error {
		if now := f.state(f.left); now == before || f.state(f.right) == before {
			return errors.New("they have not")
		}
		return nil
	})
}

// glide returns the place of the pointer after a part of its way, which it begins and ends slowly.
func glide(from, to image.Point, part float64) image.Point {
	part = part * part * (3 - 2*part)
	way := to.Sub(from)
	return from.Add(image.Pt(int(float64(way.X)*part), int(float64(way.Y)*part)))
}
