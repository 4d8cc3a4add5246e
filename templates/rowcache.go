package templates

import (
	"bytes"
	"sync"
)

// rowsMark is where the rows go in the template of a list. No text of a page can contain it, because the
// templates escape its angle brackets.
const rowsMark = "<template data-rows></template>"

// maxCachedRows is the largest number of rows that are kept, about 2.5 MB.
const maxCachedRows = 1000

// rowSize is about the length of a rendered row in bytes.
const rowSize = 1200

// rowCache keeps rendered rows. A view model has all that its row shows, so equal ones render equally. Most
// rows of a page are the same as on the page before. Without the cache, rendering a page takes three to four
// times as long (BenchmarkBoard).
type rowCache struct {
	mu   sync.Mutex
	html map[row][]byte
}

func (c *rowCache) get(view row) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.html[view]
}

// put keeps a row. When there are too many, it drops all of them: the next pages render theirs again.
func (c *rowCache) put(view row, html []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.html == nil || len(c.html) >= maxCachedRows {
		c.html = make(map[row][]byte)
	}
	c.html[view] = html
}

// renderList is render for a template that contains a list, with these rows.
func (t *Templates) renderList(name string, view any, rows []row) ([]byte, error) {
	html, err := t.render(name, view)
	if err != nil {
		return nil, err
	}
	before, after, _ := bytes.Cut(html, []byte(rowsMark))
	out := bytes.NewBuffer(make([]byte, 0, len(html)+len(rows)*rowSize))
	out.Write(before)
	for i, one := range rows {
		html := t.rows.get(one)
		if html == nil {
			if html, err = t.render("row", one); err != nil {
				return nil, err
			}
			t.rows.put(one, html)
		}
		if i > 0 {
			out.WriteByte('\n')
		}
		out.Write(html)
	}
	out.Write(after)
	return out.Bytes(), nil
}
