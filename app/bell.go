package app

import "sync"

// Notifier tells listeners that something changed, and nothing about what. A ring costs nobody a
// wait: a listener that has not yet heard the last one hears both as one. So whoever hears it must
// look for itself, and losing a ring to another that is still pending loses nothing.
//
// The zero Notifier is ready to use, by any number of goroutines.
type Notifier struct {
	mu        sync.Mutex
	listeners map[chan struct{}]struct{}
}

// Listen returns a channel that holds at most one ring, and a function that ends the listening; it
// may be called more than once. The channel is never closed.
func (b *Notifier) Subscribe() (rings <-chan struct{}, stop func()) {
	ring := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listeners == nil {
		b.listeners = make(map[chan struct{}]struct{})
	}
	b.listeners[ring] = struct{}{}
	return ring, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.listeners, ring)
	}
}

// Ring wakes every listener. It never blocks.
func (b *Notifier) Notify() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ring := range b.listeners {
		select {
		case ring <- struct{}{}:
		default: // the listener has one waiting
		}
	}
}
