package app

import "context"

// Purpose is what a store is read for. A store may keep connections for each, so that readers with much to read do not
// hold up the others.
type Purpose int

const (
	ForPages Purpose = iota // what a page shows; when a context does not say otherwise
	ForLong                 // a search, an export, or another read that may take long
	ForLive                 // what open pages are sent
	ForQueue                // which runs are to be started or stopped
)

type purposeKey struct{}

// WithPurpose returns a context for reads of this purpose.
func WithPurpose(ctx context.Context, purpose Purpose) context.Context {
	return context.WithValue(ctx, purposeKey{}, purpose)
}

// PurposeOf returns what reads with this context are for.
func PurposeOf(ctx context.Context) Purpose {
	purpose, _ := ctx.Value(purposeKey{}).(Purpose)
	return purpose
}
