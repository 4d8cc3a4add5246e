package postgres

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

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
