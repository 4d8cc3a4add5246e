package handlers

import (
	"context"
	"time"

	"runboard/app"
	"runboard/handlers/live"
	"runboard/templates"
)

// overviewView is the live view of pages that show nothing live but their header. It implements
// live.PageView.
type overviewView struct{}

func (overviewView) Load(ctx context.Context, store app.Store) (any, error) {
	page, err := store.Page(ctx, app.Query{})
	return page.Overview, err
}

func (overviewView) Render(t *templates.Templates, loaded any) ([]byte, error) {
	return t.OverviewFrame(loaded.(app.Overview))
}

func (overviewView) MinInterval() time.Duration { return time.Second }

var _ live.PageView = overviewView{}
