package sqlite

import (
	"context"

	"runboard/db/query"
)

// ApplyDefinitions implements app.QueueStore.
func (s *Store) ApplyDefinitions(ctx context.Context) error {
	if s.options.Definitions == nil {
		return nil
	}
	for _, kind := range s.options.Definitions.Kinds() {
		if len(kind.ConcurrencyKey) == 0 {
			continue
		}
		err := s.Rekey(ctx, kind, func(keys map[int64]string) error {
			return s.write(ctx, func(tx *transaction) error {
				tx.changed = true
				tx.requeued++ // these runs may be older than others
				tx.enqueued++
				return query.SetKeys(tx, keys)
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}
