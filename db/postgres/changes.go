package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"runboard/db/query"
)

// checkInterval is how often a node checks for changes that it was not notified of, because their node was
// lost before it notified, or because the notification was. A view waits up to live.MinInterval for its next
// frame. Together they stay below the second within which every page must be right.
const checkInterval = 700 * time.Millisecond

// readTransactions reads which transactions have written, and which of them changed nothing that a page
// shows: the last heartbeat of each node, the last election of River's leader, and failed ones among the
// first 20 since $1, such as the elections of the other nodes. Rows have the lower 32 bits of an ID.
const readTransactions = `SELECT pg_current_snapshot()::text AS snapshot, coalesce((
	SELECT string_agg(id, ',') FROM
		(SELECT xmin::text AS id FROM nodes UNION ALL SELECT xmin::text FROM river_leader
		UNION ALL SELECT (id % 4294967296)::text FROM generate_series($1::bigint,
			least($1 + 20, pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1)) AS id
			WHERE pg_xact_status(id::text::xid8) = 'aborted') AS unseen), '') AS unseen`

// checkLoop notifies the subscribers of this node when the database may have changed, until ctx ends.
// Subscribers must read again after too many notifications rather than too few: transactions of other
// databases on the server count as changes, too.
func (s *Store) checkLoop(ctx context.Context) {
	ticker := time.NewTicker(s.options.checkEvery)
	defer ticker.Stop()
	var before transactions
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now, unseen, err := s.readTransactions(ctx, before.next)
		if err != nil {
			continue // the next check compares with the same transactions
		}
		if now.differ(before, unseen) {
			s.changes.Notify()
		}
		before = now
	}
}

// readTransactions returns the transactions of now, and the lower 32 bits of the IDs of those that changed
// nothing that a page shows. before is the next one at the last call.
func (s *Store) readTransactions(
	ctx context.Context, before uint64,
) (_ transactions, unseen []uint64, err error) {
	var row struct{ Snapshot, Unseen string }
	err = s.readOne(ctx, func(ctx context.Context, q query.Queryer) error {
		return query.Get(ctx, q, &row, readTransactions, int64(before))
	})
	if err != nil {
		return transactions{}, nil, err
	}
	now, err := parseTransactions(row.Snapshot)
	if err != nil {
		return transactions{}, nil, err
	}
	unseen, err = parseNumbers(row.Unseen)
	return now, unseen, err
}

// transactions are the transactions that a snapshot of the database server sees. Only transactions that write
// have an ID.
type transactions struct {
	next    uint64   // the ID of the first transaction that had not begun
	running []uint64 // the IDs below next of those that had not ended
}

// parseTransactions parses a snapshot of PostgreSQL: XMIN:XMAX:RUNNING,RUNNING,…
func parseTransactions(snapshot string) (transactions, error) {
	parts := strings.Split(snapshot, ":")
	if len(parts) != 3 {
		return transactions{}, fmt.Errorf("the snapshot is %q", snapshot)
	}
	next, err := strconv.ParseUint(parts[1], 10, 64)
	if err != nil {
		return transactions{}, err
	}
	running, err := parseNumbers(parts[2])
	return transactions{next: next, running: running}, err
}

// parseNumbers parses numbers separated by commas.
func parseNumbers(text string) (numbers []uint64, err error) {
	if text == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		number, err := strconv.ParseUint(part, 10, 64)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, number)
	}
	return numbers, nil
}

// differ reports whether any transaction has ended since before that is not in unseen, which has the lower 32
// bits of IDs. It is true if the server has another history, after a failover.
func (now transactions) differ(before transactions, unseen []uint64) bool {
	if now.next < before.next {
		return true
	}
	isNews := func(id uint64) bool {
		return !slices.Contains(now.running, id) && !slices.Contains(unseen, uint64(uint32(id)))
	}
	if slices.ContainsFunc(before.running, isNews) {
		return true
	}
	for id := before.next; id < now.next; id++ { // the first few IDs tell, if pages are to change
		if isNews(id) {
			return true
		}
	}
	return false
}
