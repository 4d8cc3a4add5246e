package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"runboard/e2e/harness"
)

func TestExport_DownloadsAFile(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", "a \"quoted\" error,\nof two lines"))
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 700)
	harness.CountsAre(t, e, map[string]any{"failed": 700})
	tab := openTab(t, p.URL+"/process_runs")
	tab.untilLive()
	dir := t.TempDir()
	call(tab, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: "allow", DownloadPath: dir, BrowserContextID: chromedp.FromContext(tab.ctx).
				BrowserContextID,
	})
	for kind, lines := range map[string]int{"ndjson": 700, "csv": 1 + 2*700} {
		tab.click(fmt.Sprintf(`.downloads a[href*="%s"]`, kind))
		harness.Eventually(t, kind+" is downloaded", func() error {
			files, err := filepath.Glob(filepath.Join(dir, "*."+kind))
			if err != nil || len(files) != 1 {
				return fmt.Errorf("the files are %v, %v", files, err)
			}
			content, err := os.ReadFile(files[0])
			if err != nil {
				return err
			}
			if n := countLines(content); n != lines {
				return fmt.Errorf("%d lines have come of %d", n, lines)
			}
			return nil
		})
	}
}

func countLines(content []byte) (n int) {
	for _, b := range content {
		if b == '\n' {
			n++
		}
	}
	return n
}
