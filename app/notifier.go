package app

import "sync"

// Notifier tells subscribers that something changed, but not what. A subscriber that has not received the
// last notification receives both as one, so subscribers must read the store again. The zero Notifier is
// ready to use, by any number of goroutines.
type Notifier struct {
	mu          sync.Mutex
	subscribers map[chan struct{}]struct{}
}

// Subscribe returns a channel with room for one notification, and a function that ends the subscription. The
// function may be called more than once. The channel is never closed.
func (n *Notifier) Subscribe() (notifications <-chan struct{}, unsubscribe func()) {
	subscriber := make(chan struct{}, 1)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.subscribers == nil {
		n.subscribers = make(map[chan struct{}]struct{})
	}
	n.subscribers[subscriber] = struct{}{}
	return subscriber, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.subscribers, subscriber)
	}
}

// Notify notifies every subscriber. It never blocks.
func (n *Notifier) Notify() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for subscriber := range n.subscribers {
		select {
		case subscriber <- struct{}{}:
		default: // a notification is pending
		}
	}
}
