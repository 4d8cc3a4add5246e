// Package static embeds the files that pages load, and puts a hash of the content into each name. A changed
// file gets a new name, so browsers may cache a file forever. The scripts are modules; app.js imports the
// others.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/andybalholm/brotli"
	minifiers "github.com/tdewolff/minify/v2"
	"github.com/tdewolff/minify/v2/css"
	"github.com/tdewolff/minify/v2/js"
)

// Prefix is the path below which the files are served.
const Prefix = "/static/"

// "npm ci" installs the third-party files, see the Makefile. Do not edit them.
//
//go:embed *.js css favicon.svg touch-icon.png
//go:embed node_modules/@picocss/pico/css/pico.min.css
//go:embed node_modules/htmx.org/dist/htmx.min.js node_modules/htmx.org/dist/ext/hx-ws.min.js
var files embed.FS

// Notices holds the licences of the third-party software in the binary. The Makefile generates them.
//
//go:embed node_modules/NOTICES.txt
var Notices string

// sources maps the names of files that templates and scripts use to embedded files. Scripts have their own
// names. Of several files, the content is joined, which saves a request.
var sources = map[string][]string{
	"favicon.svg":    {"favicon.svg"},
	"touch-icon.png": {"touch-icon.png"},
	"htmx.js": {
		"node_modules/htmx.org/dist/htmx.min.js",
		"node_modules/htmx.org/dist/ext/hx-ws.min.js",
	},
}

// reset is the style sheet that ours build on. It becomes a layer of app.css, which makes it weaker than
// every rule of ours, whatever their selectors.
const reset = "node_modules/@picocss/pico/css/pico.min.css"

// unused matches the rules of the reset for parts that no page has: tooltips and breadcrumbs. One of them
// makes the browser compute styles anew for each label that a script or a frame changes.
var unused = regexp.MustCompile(`[^{}]*(\[data-tooltip|=breadcrumb)[^{}]*\{[^{}]*\}`)

// styles are our style sheets, in the order in which app.css has them.
var styles = []string{
	"tokens", "base", "shell", "board", "bulk", "run", "log", "kinds", "failures", "statistics", "timeline",
	"compare",
}

// styleSheet returns app.css: a single file, so that a first visit takes a single request.
func styleSheet() ([]byte, error) {
	content, err := files.ReadFile(reset)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	content = unused.ReplaceAll(bytes.TrimPrefix(content, []byte(`@charset "UTF-8";`)), nil)
	fmt.Fprintf(&out, "@layer reset{%s}\n", content)
	for _, name := range styles {
		content, err := files.ReadFile("css/" + name + ".css")
		if err != nil {
			return nil, err
		}
		out.Write(content)
	}
	return out.Bytes(), nil
}

// minify returns a script or style sheet of ours without what only readers of the source need. Third-party
// files come minified.
func minify(name string, content []byte) ([]byte, error) {
	if sources[name] != nil {
		return content, nil
	}
	minifier := minifiers.New()
	minifier.AddFunc(".js", js.Minify)
	minifier.AddFunc(".css", css.Minify)
	content, err := minifier.Bytes(path.Ext(name), content)
	if path.Ext(name) == ".css" {
		content = escape(content)
	}
	return content, err
}

// escape replaces the characters of a style sheet that are not ASCII. A browser keeps a text that has one in
// two bytes for each character, and takes longer to parse it.
func escape(content []byte) []byte {
	var out bytes.Buffer
	for _, char := range string(content) {
		if char < utf8.RuneSelf {
			out.WriteByte(byte(char))
		} else {
			fmt.Fprintf(&out, `\%x `, char)
		}
	}
	return out.Bytes()
}

// importPattern matches the import of another script.
var importPattern = regexp.MustCompile(`"\./([a-z]+\.js)"`)

var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".png": "image/png",
	".svg": "image/svg+xml",
}

// Assets holds the hashed and compressed files. It is immutable, and safe for concurrent use.
type Assets struct {
	paths map[string]string // by name
	files map[string]*File  // by path
}

// File is one file in all encodings.
type File struct {
	ContentType string
	identity    []byte
	gzip        []byte
	brotli      []byte
}

// Load minifies, hashes and compresses the embedded files, which takes some milliseconds.
func Load() (*Assets, error) {
	assets := &Assets{paths: map[string]string{}, files: map[string]*File{}}
	for name := range sources {
		if err := assets.add(name); err != nil {
			return nil, err
		}
	}
	// The other scripts are imports of app.js and runlog.js.
	for _, name := range []string{"app.css", logStyles, "app.js", "runlog.js", "timeline.js"} {
		if err := assets.add(name); err != nil {
			return nil, err
		}
	}
	return assets, nil
}

// add minifies, hashes and compresses a file. It first adds the scripts that the file imports and puts their
// hashed names into the content. Two scripts must not import each other.
func (a *Assets) add(name string) error {
	if _, added := a.paths[name]; added {
		return nil
	}
	content, err := read(name)
	if err != nil {
		return fmt.Errorf("static: %w", err)
	}
	if content, err = minify(name, content); err != nil {
		return fmt.Errorf("static: %s: %w", name, err)
	}
	for _, match := range importPattern.FindAllSubmatch(content, -1) {
		imported := string(match[1])
		if err := a.add(imported); err != nil {
			return err
		}
		content = bytes.ReplaceAll(content, match[0], []byte(`"`+a.paths[imported]+`"`))
	}
	extension := path.Ext(name)
	file, err := newFile(extension, content)
	if err != nil {
		return fmt.Errorf("static: %s: %w", name, err)
	}
	sum := sha256.Sum256(content)
	hashed := Prefix + strings.TrimSuffix(name, extension) + "." + hex.EncodeToString(sum[:8]) + extension
	a.paths[name] = hashed
	a.files[hashed] = file
	return nil
}

// read returns the content of the file that templates and scripts call name.
func read(name string) ([]byte, error) {
	switch name {
	case "app.css":
		return styleSheet()
	case logStyles:
		return logColors(), nil
	}
	if sources[name] == nil {
		return files.ReadFile(name)
	}
	var parts [][]byte
	for _, source := range sources[name] {
		part, err := files.ReadFile(source)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return bytes.Join(parts, []byte(";\n")), nil // two scripts are not one expression
}

func newFile(extension string, content []byte) (*File, error) {
	var zipped, brotlied bytes.Buffer
	gz, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	// Level 6 is within a few percent of the best level, which takes a second for these files.
	for _, w := range []io.WriteCloser{gz, brotli.NewWriterLevel(&brotlied, 6)} {
		if _, err := w.Write(content); err != nil {
			return nil, err
		}
		if err := w.Close(); err != nil {
			return nil, err
		}
	}
	return &File{
		ContentType: contentTypes[extension],
		identity:    content, gzip: zipped.Bytes(), brotli: brotlied.Bytes(),
	}, nil
}

// Path returns the path of the file with this name. It panics if there is no such file, which is a mistake in
// a template.
func (a *Assets) Path(name string) string {
	if hashed, known := a.paths[name]; known {
		return hashed
	}
	panic("static: no file is named " + name)
}

// Find returns the file that is served at path.
func (a *Assets) Find(path string) (file *File, found bool) {
	file, found = a.files[path]
	return file, found
}

// Encodings returns the encodings that Encoded accepts, best first.
func Encodings() []string { return []string{"br", "gzip", "identity"} }

// Encoded returns the content in one of Encodings; for any other encoding, the content unencoded. The caller
// must not modify it.
func (f *File) Encoded(encoding string) []byte {
	switch encoding {
	case "br":
		return f.brotli
	case "gzip":
		return f.gzip
	}
	return f.identity
}
