package app

import "context"

// Purpose is the purpose of a read. A store may keep separate connections for each purpose, so that long
// reads do not delay other reads.
type Purpose int

const (
	ForPages Purpose = iota // a page; the default
	ForLong                 // a search, an export, or another long read
	ForLive                 // frames for open pages
	ForQueue                // runs to start or to cancel
)

type purposeKey struct{}

// WithPurpose returns a context for reads with this purpose.
func WithPurpose(ctx context.Context, purpose Purpose) context.Context {
	return context.WithValue(ctx, purposeKey{}, purpose)
}

// PurposeOf returns the purpose of reads with ctx.
func PurposeOf(ctx context.Context) Purpose {
	purpose, _ := ctx.Value(purposeKey{}).(Purpose)
	return purpose
}
