package handlers

import (
	"sync"
	"time"

	"runboard/app"
)

// confirmTimeout is how long a slot is kept for a WebSocket whose upgrade was answered. The WebSocket usually
// confirms it at once, and never if its client has disconnected meanwhile.
const confirmTimeout = 10 * time.Second

// slots limits how many WebSockets, exports and followed logs are open, in all and for each address.
type slots struct {
	max, maxPerAddress int

	mu         sync.Mutex
	open       int
	perAddress map[string]int
	closed     bool
	empty      chan struct{} // closed when slots is closed and none is taken
}

func newSlots(config app.Config) *slots {
	return &slots{
		max: config.MaxSockets, maxPerAddress: config.MaxSocketsPerAddress,
		perAddress: map[string]int{}, empty: make(chan struct{}),
	}
}

// slot is one that is taken.
type slot struct {
	slots   *slots
	address string
	expiry  *time.Timer
	once    sync.Once
}

// acquire takes a slot for an address. It is released after confirmTimeout unless confirm is called before.
func (s *slots) acquire(address string) (*slot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed: // the request was admitted just before
		return nil, errStopping
	case s.open >= s.max:
		return nil, app.Errorf(app.CodeUnavailable, "Too many pages are watching. Please try again in a moment.")
	case s.perAddress[address] >= s.maxPerAddress:
		return nil, app.Errorf(app.CodeTooMany, "Too many pages are watching from your address.")
	}
	s.open++
	s.perAddress[address]++
	taken := &slot{slots: s, address: address}
	taken.expiry = time.AfterFunc(confirmTimeout, taken.release)
	return taken, nil
}

// confirm keeps the slot until release is called. It returns false if the slot has been released.
func (t *slot) confirm() bool { return t.expiry.Stop() }

// release gives the slot back. It may be called more than once.
func (t *slot) release() {
	t.once.Do(func() {
		s := t.slots
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open--
		s.perAddress[t.address]--
		if s.perAddress[t.address] == 0 {
			delete(s.perAddress, t.address)
		}
		if s.closed && s.open == 0 {
			close(s.empty)
		}
	})
}

// count returns how many slots are taken.
func (s *slots) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// close refuses new slots. It may be called more than once.
func (s *slots) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	if s.open == 0 {
		close(s.empty)
	}
}
