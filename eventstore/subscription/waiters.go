package subscription

import (
	"sync"
	"sync/atomic"
)

// Waiters are those in this process who wait until a version of something is
// there: a row that is written, an event that is stored. A signal is a hint, and
// whoever gets one looks for himself. Safe for concurrent use.
type Waiters[K comparable] struct {
	waiting atomic.Int64
	mu      sync.Mutex
	byKey   map[K]map[chan struct{}]uint64
}

// NewWaiters returns an empty set.
func NewWaiters[K comparable]() *Waiters[K] {
	return &Waiters[K]{byKey: map[K]map[chan struct{}]uint64{}}
}

// Wait returns a channel that is closed when version is reached, and a function to
// call when the caller is done with it.
func (w *Waiters[K]) Wait(key K, version uint64) (reached <-chan struct{}, forget func()) {
	ch := make(chan struct{})
	w.waiting.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byKey[key] == nil {
		w.byKey[key] = map[chan struct{}]uint64{}
	}
	w.byKey[key][ch] = version
	return ch, func() { w.forget(key, ch) }
}

func (w *Waiters[K]) forget(key K, ch chan struct{}) {
	w.waiting.Add(-1)
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.byKey[key], ch)
	if len(w.byKey[key]) == 0 {
		delete(w.byKey, key)
	}
}

// Reached wakes those who wait for version or an earlier one.
func (w *Waiters[K]) Reached(key K, version uint64) {
	if w.waiting.Load() == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wake(key, version)
}

// WakeAll wakes everybody: something may have been missed.
func (w *Waiters[K]) WakeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key := range w.byKey {
		w.wake(key, ^uint64(0))
	}
}

func (w *Waiters[K]) wake(key K, version uint64) {
	for ch, wanted := range w.byKey[key] {
		if version >= wanted {
			close(ch)
			delete(w.byKey[key], ch)
		}
	}
}
