package sqlite

import (
	"encoding/json"
	"slices"
	"sync"

	"runboard/app"
)

// orders are those that stand. Queues place and withdraw them; the writer takes them.
type orders struct {
	mu       sync.Mutex
	standing []*app.Order
}

// StandBy implements app.QueueStore.
func (s *Store) StandBy(order *app.Order) {
	o := &s.writer.orders
	o.mu.Lock()
	defer o.mu.Unlock()
	o.standing = append(o.standing, order)
}

// Withdraw implements app.QueueStore.
func (s *Store) Withdraw(order *app.Order) bool {
	return s.writer.orders.take(func(standing *app.Order) bool { return standing == order }) != nil
}

// take takes away the first order that is the right one, or returns nil.
func (o *orders) take(right func(*app.Order) bool) *app.Order {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.IndexFunc(o.standing, right)
	if i < 0 {
		return nil
	}
	order := o.standing[i]
	o.standing = slices.Delete(o.standing, i, i+1)
	return order
}

// taken is an order that a transaction fulfils as well as it can.
type taken struct {
	*app.Order
	started []app.ProcessRun
}

// left is how many runs are still wanted.
func (t *taken) left() int {
	if t == nil {
		return 0
	}
	return t.Most - len(t.started)
}

// order returns what has been ordered of a kind of runs that nobody waits before, or nil.
func (tx *transaction) order(kind string) *taken {
	of := func(order *app.Order) bool { return slices.Contains(order.Kinds, kind) }
	i := slices.IndexFunc(tx.taken, func(t *taken) bool { return of(t.Order) })
	if i < 0 {
		order := tx.orders.take(of)
		if order == nil {
			return nil
		}
		i, tx.taken = len(tx.taken), append(tx.taken, &taken{Order: order})
	}
	if order := tx.taken[i]; order.Arrived == tx.arrivedBefore && tx.arrived == 0 {
		return order
	}
	return nil // those that have arrived come first
}

// startNew takes note of the first runs of a batch, which an order has had started.
func (tx *transaction) startNew(batch app.Batch, ordered int, order *taken) error {
	if ordered == 0 {
		return nil
	}
	ids := make([]int64, ordered)
	for i := range ids {
		ids[i] = batch.First + int64(i)
		waiting := app.ProcessRun{ID: ids[i], Kind: batch.Kind, CreatedAt: batch.CreatedAt, UpdatedAt: batch.CreatedAt}
		order.started = append(order.started, tx.started(waiting, changedRow{id: ids[i], version: 2, attempt: 1, claim: 1}))
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	return tx.exec(tx.addEvents, string(list))
}

// fulfil tells of the orders that the transaction has taken, whatever became of it: they are good for one.
func (tx *transaction) fulfil(committed bool) {
	for _, order := range tx.taken {
		if !committed {
			order.started = nil
		}
		order.Fulfilled(order.started)
	}
}
