package jobs

import (
	"context"
	"errors"
	"fmt"

	"runboard/app"
)

// loadInputs gives an attempt the inputs of its run. It checks them again, because the declarations may have
// changed since the run was created. Until then no part of them has been used.
func (e *Executor) loadInputs(ctx context.Context, kind Kind, handle *Run) error {
	if handle.row.InputCount == 0 && len(kind.Info.Inputs) == 0 {
		return nil
	}
	values, err := e.readInputs(ctx, handle.row)
	if err != nil {
		return err
	}
	values, err = app.RecheckInputs(kind.Info.Inputs, values)
	if err != nil {
		return Permanent(fmt.Errorf("the inputs no longer fit: %w", err))
	}
	handle.setInputs(values)
	return nil
}

// readInputs reads the inputs of a run. It repeats that until ctx ends while the database cannot be read.
func (e *Executor) readInputs(ctx context.Context, run app.ProcessRun) (app.InputValues, error) {
	if run.InputCount == 0 {
		return nil, nil
	}
	for pause := minStorePause; ; pause = min(2*pause, maxStorePause) {
		values, err := e.Store.Inputs(ctx, run)
		switch {
		case err == nil:
			return values, nil
		case errors.Is(err, app.ErrSecretUnknown):
			return nil, Permanent(errors.New("the secret is no longer known"))
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		}
		level := app.RepeatedLevel(err)
		e.Log.Log(ctx, level, "the inputs of a run cannot be read", "run", run.ID, "error", err)
		if Sleep(ctx, pause) != nil {
			return nil, context.Cause(ctx)
		}
	}
}
