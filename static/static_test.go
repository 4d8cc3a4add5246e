package static_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/andybalholm/brotli"

	"runboard/static"
)

// sources maps the names that templates use to the files in this directory, without the modules and app.css.
var sources = map[string][]string{
	"favicon.svg":    {"favicon.svg"},
	"touch-icon.png": {"touch-icon.png"},
	"htmx.js": {
		"node_modules/htmx.org/dist/htmx.min.js",
		"node_modules/htmx.org/dist/ext/hx-ws.min.js",
	},
}

// joined returns the content that is made of these files.
func joined(t *testing.T, files []string) []byte {
	t.Helper()
	var parts [][]byte
	for _, file := range files {
		parts = append(parts, content(t, file))
	}
	return bytes.Join(parts, []byte(";\n"))
}

func load(t *testing.T) *static.Assets {
	t.Helper()
	assets, err := static.Load()
	if err != nil {
		t.Fatal(err)
	}
	return assets
}

// find returns the file with this name by way of its path.
func find(t *testing.T, assets *static.Assets, name string) *static.File {
	t.Helper()
	file, found := assets.Find(assets.Path(name))
	if !found {
		t.Fatalf("nothing is served at %s", assets.Path(name))
	}
	return file
}

func content(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Browsers cache these files forever, so other content needs another name.
func TestAssets_PathHasContentHash(t *testing.T) {
	t.Parallel()
	assets := load(t)
	for name, source := range sources {
		sum := sha256.Sum256(joined(t, source))
		extension := path.Ext(name)
		want := "/static/" + strings.TrimSuffix(name, extension) + "." + hex.EncodeToString(sum[:8]) +
			extension
		if got := assets.Path(name); got != want {
			t.Errorf("%s is at %s, want %s", name, got, want)
		}
	}
}

func TestFile_EncodingsDecodeToContent(t *testing.T) {
	t.Parallel()
	assets := load(t)
	decoders := map[string]func(io.Reader) (io.Reader, error){
		"br":       func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil },
		"gzip":     func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"identity": func(r io.Reader) (io.Reader, error) { return r, nil },
	}
	if len(static.Encodings()) != len(decoders) {
		t.Errorf("the encodings are %v", static.Encodings())
	}
	for name, source := range sources {
		file, want := find(t, assets, name), joined(t, source)
		for _, encoding := range static.Encodings() {
			reader, err := decoders[encoding](bytes.NewReader(file.Encoded(encoding)))
			if err != nil {
				t.Fatalf("%s, %s: %v", name, encoding, err)
			}
			if got, err := io.ReadAll(reader); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, %s: %d bytes, %v, want %d bytes", name, encoding, len(got), err, len(want))
			}
		}
	}
}

func TestEncodings_SmallestFirst(t *testing.T) {
	t.Parallel()
	if got := static.Encodings(); !slices.Equal(got, []string{"br", "gzip", "identity"}) {
		t.Errorf("the encodings are %v", got)
	}
	assets := load(t)
	for _, name := range []string{"app.css", "favicon.svg", "htmx.js"} {
		file := find(t, assets, name)
		if br, gz := len(file.Encoded("br")), len(file.Encoded("gzip")); br >= gz ||
			gz >= len(file.Encoded("identity")) {
			t.Errorf("%s is %d bytes in brotli, %d in gzip and %d as it is", name, br, gz,
				len(file.Encoded("identity")))
		}
	}
}

// With nosniff, browsers reject scripts and styles of the wrong type.
func TestFile_ContentType(t *testing.T) {
	t.Parallel()
	assets := load(t)
	for name := range sources {
		want := map[string]string{
			".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
			".svg": "image/svg+xml", ".png": "image/png",
		}[path.Ext(name)]
		if got := find(t, assets, name).ContentType; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestAssets_FindExactPathOnly(t *testing.T) {
	t.Parallel()
	assets := load(t)
	good := assets.Path("app.js")
	for _, wrong := range []string{
		"", "/", "/static/", "/static/app.js", "app.js", good + "/", good + "?", strings.ToUpper(good),
		strings.TrimPrefix(good, "/"),
		"/static/../static.go", "/static/node_modules/htmx.org/dist/htmx.min.js",
		strings.Replace(good, "app", "app2", 1),
	} {
		if file, found := assets.Find(wrong); found || file != nil {
			t.Errorf("%q is found", wrong)
		}
	}
}

func TestAssets_PathPanicsOnUnknownName(t *testing.T) {
	t.Parallel()
	assets := load(t)
	for _, name := range []string{"", "app", "no-such.js", "node_modules/htmx.org/dist/htmx.min.js"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q has a path", name)
				}
			}()
			assets.Path(name)
		}()
	}
}

// The test counts what a browser loads on its first visit of a page with a log. Over plain HTTP, browsers
// accept no better encoding than gzip. They load the touch icon only for a home screen, and the colors of
// terminals only if the log has some.
func TestAssets_FirstVisitIsSmall(t *testing.T) {
	t.Parallel()
	const limit = 68 << 10 // bytes; and 2 KiB for the page
	assets, total := load(t), 0
	names := slices.DeleteFunc(slices.Collect(maps.Keys(sources)), func(name string) bool {
		return name == "touch-icon.png"
	})
	for _, name := range slices.Concat(names, []string{"app.css"}, scripts(t)) {
		file := find(t, assets, name)
		t.Logf("%-13s %6d bytes in brotli, %6d in gzip, %6d as it is",
			name, len(file.Encoded("br")), len(file.Encoded("gzip")), len(file.Encoded("identity")))
		total += len(file.Encoded("gzip"))
	}
	t.Logf("%d bytes in all", total)
	if total >= limit {
		t.Errorf("the first visit loads %d bytes, want less than %d", total, limit)
	}
}

// A browser parses text of ASCII characters faster. The texts are the same.
func TestStyles_AreASCII(t *testing.T) {
	t.Parallel()
	text := find(t, load(t), "app.css").Encoded("identity")
	for i, char := range text {
		if char >= utf8.RuneSelf {
			t.Fatalf("app.css is not ASCII at %.20q", text[i:])
		}
	}
	if !bytes.Contains(content(t, "css/log.css"), []byte(`content: "✓"`)) ||
		!bytes.Contains(text, []byte(`content:"\2713 "`)) {
		t.Error("the check mark of copied lines is not escaped")
	}
}

// Icons are data: URLs, which the content security policy allows. Any other URL would be a request to another
// site.
func TestStyles_LoadNothingElse(t *testing.T) {
	t.Parallel()
	text := string(find(t, load(t), "app.css").Encoded("identity"))
	if strings.Contains(text, "@import") {
		t.Error("app.css imports")
	}
	for i, rest := range strings.Split(text, "url(") {
		if i > 0 && !strings.HasPrefix(strings.TrimLeft(rest, `"'`), "data:") {
			t.Errorf("app.css loads %.60s", rest)
		}
	}
}

func TestStyles_ResetHasNoUnusedParts(t *testing.T) {
	t.Parallel()
	text := string(find(t, load(t), "app.css").Encoded("identity"))
	for _, part := range []string{"[data-tooltip", "=breadcrumb"} {
		if strings.Contains(text, part) {
			t.Errorf("app.css has rules for %s", part)
		}
	}
	if opened, closed := strings.Count(text, "{"), strings.Count(text, "}"); opened != closed {
		t.Errorf("app.css has %d opening braces and %d closing ones", opened, closed)
	}
}

// The reset is weaker than every rule of ours only inside a layer, and it comes first.
func TestStyles_EveryFileIsInTheStyleSheet(t *testing.T) {
	t.Parallel()
	text := find(t, load(t), "app.css").Encoded("identity")
	if !bytes.HasPrefix(text, []byte("@layer reset{")) {
		t.Errorf("app.css begins with %.40s", text)
	}
	files, err := filepath.Glob("css/*.css")
	if err != nil || len(files) < 5 {
		t.Fatalf("there are %d files, %v", len(files), err)
	}
	class := regexp.MustCompile(`(?m)^\.[a-z][a-z-]*`)
	for _, file := range files {
		for _, name := range class.FindAll(content(t, file), -1) {
			if !bytes.Contains(text, name) {
				t.Errorf("%s of %s is not in app.css", name, file)
			}
		}
	}
	ours := text[bytes.Index(text, []byte("--accent:")):]
	if bytes.Contains(ours, []byte("/*")) || bytes.Contains(ours, []byte("\n\n")) {
		t.Error("app.css is not minified")
	}
}

// Colours, sizes of text and radii are tokens, so that the pages look alike and dark colours are not
// forgotten.
func TestStyles_ColoursAreTokens(t *testing.T) {
	t.Parallel()
	literal := regexp.MustCompile(`#[0-9a-fA-F]{3,8}\b[^{]*;|\b(rgb|hsl|oklch)a?\(`)
	files, err := filepath.Glob("css/*.css")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if file == "css/tokens.css" {
			continue
		}
		for i, line := range strings.Split(string(content(t, file)), "\n") {
			_, rules, _ := strings.Cut(line, "{")
			if literal.MatchString(rules) {
				t.Errorf("%s:%d has a colour that is no token: %.80s", file, i+1, line)
			}
		}
	}
}

func TestStyles_TokensAreUsed(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("css/*.css")
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, file := range files {
		all = append(all, content(t, file)...)
	}
	for _, token := range regexp.MustCompile(`--[a-z0-9-]+:`).FindAll(all, -1) {
		name := string(bytes.TrimSuffix(token, []byte(":")))
		if !strings.HasPrefix(name, "--pico-") && !bytes.Contains(all, []byte("var("+name)) {
			t.Errorf("no style uses %s", name)
		}
	}
}
