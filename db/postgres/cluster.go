package postgres

import (
	"context"
	"time"

	"runboard/app"
	"runboard/db/query"
)

// kindsTTL is how long after AnnounceKinds a node counts as handling its kinds.
const kindsTTL = 2 * time.Minute

const (
	announceKinds = `WITH gone AS (DELETE FROM worker_kinds WHERE node = $1 AND kind <> ALL($2::text[]))
		INSERT INTO worker_kinds (node, kind, seen_at) SELECT $1, unnest($2::text[]), $3
		ON CONFLICT (node, kind) DO UPDATE SET seen_at = excluded.seen_at`
	announcedKinds = `SELECT DISTINCT kind FROM worker_kinds WHERE seen_at > $1`
	dropKinds      = `DELETE FROM worker_kinds WHERE seen_at < $1`
)

const findJob = `SELECT ` + query.Columns + `, job FROM process_runs WHERE id = ?`

// RunForJob implements app.ClusterStore.
func (s *Store) RunForJob(ctx context.Context, run, job int64) (app.ProcessRun, error) {
	var row struct {
		query.Run
		Job int64 `db:"job"`
	}
	err := s.readOne(ctx, func(ctx context.Context, q query.Queryer) error {
		found, err := query.Find(ctx, q, &row, findJob, run)
		if err == nil && !found {
			err = query.NotFound(run)
		}
		return err
	})
	switch {
	case err != nil:
		return app.ProcessRun{}, err
	case row.Job != job || app.Status(row.Status).Final():
		return app.ProcessRun{}, app.Errorf(app.CodeConflict, "Run #%d does not wait for job %d.", run, job)
	}
	return row.App(), nil
}

var adoptRun = query.SQL(`UPDATE process_runs SET node = $1
	WHERE id = $2 AND status = :started AND fencing_token = $3 AND job = $4 RETURNING true`)

// Adopt implements app.ClusterStore.
func (s *Store) Adopt(ctx context.Context, run app.ProcessRun, job int64) error {
	return s.write(ctx, func(tx *transaction) error {
		tx.noNotify = true
		var mine bool
		found, err := tx.Find(&mine, adoptRun, s.node, run.ID, run.FencingToken, job)
		if err == nil && !found {
			err = query.Conflict(run)
		}
		return err
	})
}

// AnnounceKinds implements app.ClusterStore.
func (s *Store) AnnounceKinds(ctx context.Context, kinds []string) error {
	kinds = append([]string{}, kinds...) // never NULL
	return s.write(ctx, func(tx *transaction) error {
		return tx.Exec(announceKinds, s.node, kinds, tx.now.UnixMilli())
	})
}
