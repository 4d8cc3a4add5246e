package postgres

import (
	"context"
	"time"
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

// AnnounceKinds implements app.ClusterStore.
func (s *Store) AnnounceKinds(ctx context.Context, kinds []string) error {
	kinds = append([]string{}, kinds...) // never NULL
	return s.write(ctx, func(tx *transaction) error {
		return tx.Exec(announceKinds, s.node, kinds, tx.now.UnixMilli())
	})
}
