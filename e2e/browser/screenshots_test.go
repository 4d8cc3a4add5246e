package browser

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"runboard/e2e/harness"
)

// The pictures in docs are screenshots of the real page. UPDATE_SCREENSHOTS=1 rewrites them.
func TestBoard_LooksLikeItsPictures(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, "--delay-min", "400ms", "--delay-max", "2s", "--failure-rate", "0")
	b.Post(3)
	b.WaitUntilDone(3)
	b.Kill()
	b.Args = []string{"--delay-min", "400ms", "--delay-max", "2s", "--failure-rate", "1"}
	b.Restart()
	b.Post(2)
	b.WaitUntilDone(5)
	b.Kill()
	b.Args = []string{"--delay-min", "0s", "--delay-max", "12s"} // so that some runs are far ahead
	b.Restart()
	b.Post(9)
	b.UntilStarted(3)
	takePictures(t, b.URL, "start", "/process_runs", 760)
}

// picture is one of the pictures in docs.
type picture struct {
	name, path, scheme string
	width, height      int
}

// takePictures takes the pictures of a page: on a wide screen, light and dark, and on a phone.
func takePictures(t *testing.T, url, name, path string, height int) {
	t.Helper()
	for _, one := range []picture{
		{name + ".png", path, "light", 1600, height},
		{name + "-dark.png", path, "dark", 1600, height},
		{name + "-narrow.png", path, "light", 360, 780},
	} {
		t.Run(one.name, func(t *testing.T) { takePicture(t, url, one) })
	}
}

// takePicture checks the screenshot of a page, and saves it if UPDATE_SCREENSHOTS is set.
func takePicture(t *testing.T, url string, one picture) {
	t.Helper()
	taken := photograph(t, url+one.path, one.scheme, one.width, one.height)
	checkPicture(t, taken, image.Pt(one.width, one.height), one.scheme == "dark")
	if os.Getenv("UPDATE_SCREENSHOTS") == "" {
		return
	}
	if err := os.WriteFile(filepath.Join("docs", one.name), taken, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestRunPage_LooksLikeItsPictures(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.Commands(t, `backup=sh -c 'echo "reading /srv/data"; for i in $(seq 1 12); do
		echo "packed part $i of 20"; done; echo "tar: socket ignored: /srv/data/run/agent" >&2; echo "progress: 60% packing part 13"; exec sleep 1000'`)...)
	e := harness.NewExpect(t, p)
	path := harness.StartRun(e, "backup")
	harness.Eventually(t, "it has written", func() error {
		if text := e.GET(path + "/log").Expect().Body().Raw(); !strings.Contains(text, "part 13") {
			return fmt.Errorf("there is %q", text)
		}
		return nil
	})
	takePictures(t, p.URL, "run", path, 800)
	e.POST(path + "/cancel").Expect().Status(http.StatusSeeOther)
}

func TestFailures_LookLikeTheirPictures(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "no customer 42 in /data/7.csv"),
		harness.WorkThat("mail", "dial tcp 10.0.0.7:25: connection refused"))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "import", 300)
	harness.StartRunsOf(e, "mail", 45)
	harness.CountsAre(t, e, map[string]any{"failed": 345})
	takePictures(t, p.URL, "failures", harness.FailuresPath, 420)
	takePictures(t, p.URL, "action", harness.BulkPath+"?operation=retry&scope=all&failure=1", 420)
	takePictures(t, p.URL, "error", missingRun, 420)
}

// missingRun is the path of a run that does not exist, whose page is an error page.
const missingRun = "/process_runs/999"

// photograph takes a screenshot of a page. If the page has a socket, it first waits until the page is live.
func photograph(t *testing.T, url, scheme string, width, height int) []byte {
	t.Helper()
	p := newWindow(t)
	if strings.HasSuffix(url, missingRun) {
		p.expectProblems("status of 404")
	}
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	p.do(chromedp.EmulateViewport(int64(width), int64(height)), chromedp.Navigate(url))
	if evaluate[bool](p, `document.getElementById("live") !== null`) {
		p.untilLive()
	}
	if overflow := evaluate[int](p, "document.documentElement.scrollWidth - innerWidth"); overflow > 0 {
		t.Errorf("at a width of %d the page is %d pixels too wide", width, overflow)
	}
	picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

// checkPicture checks that a screenshot is not empty and has the right size and background.
func checkPicture(t *testing.T, picture []byte, size image.Point, dark bool) {
	t.Helper()
	decoded, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	if is := decoded.Bounds().Size(); is != size {
		t.Errorf("the picture's size is %v instead of %v", is, size)
	}
	pixels := image.NewNRGBA(decoded.Bounds())
	draw.Draw(pixels, pixels.Bounds(), decoded, decoded.Bounds().Min, draw.Src)
	colours := map[color.NRGBA]int{}
	for pixel := range slices.Chunk(pixels.Pix, 4) {
		colours[color.NRGBA{pixel[0], pixel[1], pixel[2], pixel[3]}]++
	}
	if len(colours) < 100 {
		t.Errorf("the picture has only %d colours", len(colours))
	}
	var background color.NRGBA // the most frequent colour
	for c, n := range colours {
		if n > colours[background] {
			background = c
		}
	}
	if grey, _ := color.GrayModel.Convert(background).(color.Gray); (grey.Y < 128) != dark {
		t.Errorf("the background is %v", background)
	}
}

// The columns of the table and the left edges of the page are aligned, also with an empty list.
func TestBoard_EdgesAreAligned(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, harness.AtOnce...)
	for _, width := range []int64{360, 1000} {
		p := openTab(t, b.URL+"/process_runs", chromedp.EmulateViewport(width, 800))
		edges := evaluate[[]float64](p,
			`[...document.querySelectorAll("h1, .toolbar, .listhead, table")].
				map((e) => e.getBoundingClientRect().left)`)
		if len(edges) != 4 || len(slices.Compact(edges)) != 1 {
			t.Errorf("at a width of %d the left edges are at %v", width, edges)
		}
		ends := evaluate[[]float64](p,
			`[...document.querySelectorAll(".toolbar, .listhead, table")].
				map((e) => e.getBoundingClientRect().right)`)
		if len(slices.Compact(ends)) != 1 {
			t.Errorf("at a width of %d the right edges of an empty list are at %v", width, ends)
		}
		if gap := evaluate[float64](p, `(([row, table]) => table.right - row.right)([...
			document.querySelectorAll("#process_runs tr, table")].reverse().
			map((e) => e.getBoundingClientRect()))`); gap > 1 {
			t.Errorf("at a width of %d the row ends %v pixels before the table", width, gap)
		}
	}
}

func TestCounts_AreGrouped(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, append(harness.AtOnce, "--failure-rate", "0")...)
	b.Post(1000)
	b.WaitUntilDone(1000)
	p := openTab(t, b.URL+"/process_runs")
	p.untilTrue(b, "/process_runs")
	for _, id := range []string{"count_all", "count_completed"} {
		if is := evaluate[string](p,
			fmt.Sprintf("document.getElementById(%q).textContent", id)); is != "1,000" {
			t.Errorf("%s is %q", id, is)
		}
	}
}
