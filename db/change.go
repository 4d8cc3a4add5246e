package db

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"runboard/app"
)

// Every change says in its WHERE what it expects, so that whoever is late changes nothing.
const (
	startRun = `UPDATE process_runs
		SET status = 1, version = version + 1, attempt = attempt + 1, claim = claim + 1, error = '',
			started_at = ?1, updated_at = ?1, due_at = 0
		WHERE id = ?2 AND status = 0
		RETURNING ` + columns
	finishRun = `UPDATE process_runs
		SET status = ?1, version = version + 1, error = ?2, updated_at = ?3, finished_at = ?4, due_at = ?5
		WHERE id = ?6 AND status = 1 AND claim = ?7`
	giveBackRun = `UPDATE process_runs
		SET status = 0, version = version + 1, attempt = attempt - 1, updated_at = ?1
		WHERE id = ?2 AND status = 1 AND claim = ?3`
)

// Start implements app.Backlog.
func (s *Store) Start(ctx context.Context, run app.ProcessRun) (app.ProcessRun, error) {
	var row runRow // the writer's until do succeeds: it may be set again, or later than ctx ends
	err := s.writer.do(ctx, func(tx *transaction) error {
		found, err := tx.find(tx.start, &row, tx.now.UnixMilli(), run.ID)
		if err != nil {
			return err
		}
		if !found {
			return conflict(run)
		}
		tx.moved(app.Created, app.Started)
		return nil
	})
	if err != nil {
		return app.ProcessRun{}, err
	}
	return row.run(), nil
}

// Finish implements app.Backlog.
func (s *Store) Finish(ctx context.Context, run app.ProcessRun, outcome app.Outcome) error {
	if !app.Started.CanBecome(outcome.Status) {
		return fmt.Errorf("run %d cannot finish as %s", run.ID, outcome.Status)
	}
	return s.writer.do(ctx, func(tx *transaction) error {
		now, finished, due := tx.now.UnixMilli(), int64(0), int64(0)
		if outcome.Status.Final() {
			finished = now
		} else if !outcome.RetryAt.IsZero() {
			due = outcome.RetryAt.UnixMilli()
		}
		found, err := tx.changesOne(tx.finish, int64(outcome.Status), clean(outcome.Error), now, finished, due, run.ID, run.Claim)
		return tx.leaves(run, outcome.Status, found, err)
	})
}

// GiveBack implements app.Backlog.
func (s *Store) GiveBack(ctx context.Context, run app.ProcessRun) error {
	return s.writer.do(ctx, func(tx *transaction) error {
		found, err := tx.changesOne(tx.giveBack, tx.now.UnixMilli(), run.ID, run.Claim)
		return tx.leaves(run, app.Created, found, err)
	})
}

// leaves takes note that a started run has gone to another status, if it has.
func (tx *transaction) leaves(run app.ProcessRun, to app.Status, found bool, err error) error {
	if err != nil {
		return err
	}
	if !found {
		return conflict(run)
	}
	tx.moved(app.Started, to)
	return nil
}

func conflict(run app.ProcessRun) error {
	return app.Errorf(app.CodeConflict, "Run %d is no longer %s.", run.ID, run.Status)
}

// clean makes a text of any bytes, of bounded length and without the control characters that
// would garble a page or a terminal.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if len(text) > app.MaxError {
		text = strings.ToValidUTF8(text[:app.MaxError], "") // the cut may go through a character
	}
	return text
}
