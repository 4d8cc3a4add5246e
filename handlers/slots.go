package handlers

import (
	"sync"
	"time"

	"runboard/app"
)

// confirmTimeout is how long an unconfirmed slot stays acquired. A WebSocket confirms its slot right after
// the upgrade, and never if its client has disconnected meanwhile.
const confirmTimeout = 10 * time.Second

// slots limits the number of open WebSockets, exports and followed logs, in all and for each address.
type slots struct {
	max, maxPerAddress int

	mu         sync.Mutex
	open       int
	perAddress map[string]int
	closed     bool
	empty      chan struct{} // closed when slots is closed and no slot is acquired
}

func newSlots(limits Limits) *slots {
	return &slots{
		max: limits.MaxSockets, maxPerAddress: limits.MaxSocketsPerAddress,
		perAddress: map[string]int{}, empty: make(chan struct{}),
	}
}

var errNoSlot = app.Errorf(app.CodeUnavailable,
	"Too many pages, exports and followed logs are open. Please try again in a moment.")

// slot is an acquired slot.
type slot struct {
	slots   *slots
	address string
	expiry  *time.Timer
	once    sync.Once
}

// acquire acquires a slot for an address. The caller must call confirm within confirmTimeout and release at
// the end; an unconfirmed slot is released by itself. acquire fails at the limits and after close.
func (s *slots) acquire(address string) (*slot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed: // the request was admitted just before
		return nil, errStopping
	case s.open >= s.max:
		return nil, errNoSlot
	case s.perAddress[address] >= s.maxPerAddress:
		return nil, app.Errorf(app.CodeTooMany,
			"Too many pages, exports and followed logs are open from your address.")
	}
	s.open++
	s.perAddress[address]++
	taken := &slot{slots: s, address: address}
	taken.expiry = time.AfterFunc(confirmTimeout, taken.release)
	return taken, nil
}

// confirm keeps the slot until release. It returns false if the slot has already been released.
func (t *slot) confirm() bool { return t.expiry.Stop() }

// release frees the slot. It may be called more than once.
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

// count returns the number of acquired slots.
func (s *slots) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// close refuses further slots. It may be called more than once.
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
