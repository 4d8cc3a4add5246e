package board

import (
	"fmt"
	"math"

	"github.com/dustin/go-humanize"
)

// Bytes is a size in bytes. Its text may have a unit: kB, KiB, MB, MiB, GB, GiB.
type Bytes int64

// UnmarshalText parses a size such as 500KiB.
func (b *Bytes) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil || n > math.MaxInt64 {
		return fmt.Errorf("%q is not a size like 500KiB or 1MiB", text)
	}
	*b = Bytes(n)
	return nil
}

// String returns the size in the largest unit that fits, rounded.
func (b Bytes) String() string { return humanize.IBytes(uint64(max(0, b))) }
