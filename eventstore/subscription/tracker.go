package subscription

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// tracker knows which delivered messages are not dealt with yet, and from that up
// to which stream sequence everything is.
//
// The messages that this copy was given form a queue whose front is the oldest:
// first deliveries come in rising order of sequence. What others were given shows
// as a hole in the consumer's own delivery numbers, and from then on until the
// broker's acknowledgement floor has passed that place, the floor counts too.
type tracker struct {
	mu      sync.Mutex
	queue   []*slot // by rising sequence; done ones are popped from the front
	open    map[uint64]*slot
	mark    uint64 // everything up to here is dealt with
	highest uint64 // the highest sequence delivered to this copy, or mark

	next     uint64 // the delivery number expected next
	hole     bool   // others were given something, perhaps beyond highest
	others   bool   // somebody was given something, ever
	distrust uint64 // up to here the floor counts too
}

type slot struct {
	sequence uint64
	since    time.Time
	d        *Delivery // nil while the broker holds it
	done     bool
	aside    bool // acknowledged, but not dealt with
	batched  bool
}

// newTracker begins behind mark, at the delivery after number.
func newTracker(mark, number uint64) *tracker {
	return &tracker{open: map[uint64]*slot{}, mark: mark, highest: mark, next: number + 1}
}

func (t *tracker) delivered(d *Delivery, number uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer func() { d.Shared = t.others }()
	if number != t.next {
		t.hole, t.others = true, true
		t.distrust = max(t.distrust, t.highest)
	}
	t.next = number + 1
	now := time.Now()
	if s := t.open[d.Sequence]; s != nil {
		s.d, s.since = d, now
		return
	}
	if d.Sequence <= t.highest {
		t.late(d, now)
		return
	}
	if t.hole {
		// What others were given lies below this, if this is the first delivery.
		t.distrust, t.hole = d.Sequence-1, d.Deliveries > 1
	}
	t.highest = d.Sequence
	t.enqueue(len(t.queue), d, now)
}

// late is a message that is delivered again, or whose first delivery went elsewhere.
func (t *tracker) late(d *Delivery, now time.Time) {
	at, dealt := slices.BinarySearchFunc(t.queue, d.Sequence, func(s *slot, sequence uint64) int { return cmp.Compare(s.sequence, sequence) })
	if dealt || d.Sequence <= t.mark {
		return
	}
	t.distrust, t.others = max(t.distrust, t.highest), true
	t.enqueue(at, d, now)
}

func (t *tracker) enqueue(at int, d *Delivery, now time.Time) {
	s := &slot{sequence: d.Sequence, since: now, d: d}
	t.queue = slices.Insert(t.queue, at, s)
	t.open[d.Sequence] = s
}

// unsure: the consumer may be another one by now, whose delivery numbers begin
// anew. The next delivery's then proves nothing, whatever it is.
func (t *tracker) unsure() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next = 0
}

func (t *tracker) done(sequence uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.open[sequence]; s != nil {
		s.done, s.d = true, nil
		delete(t.open, sequence)
	}
	t.advance()
}

func (t *tracker) advance() {
	for len(t.queue) > 0 && t.queue[0].done {
		t.queue = t.queue[1:]
	}
	if t.distrust > t.mark {
		return
	}
	if len(t.queue) == 0 {
		t.mark = max(t.mark, t.highest)
		return
	}
	t.mark = max(t.mark, t.queue[0].sequence-1)
}

// setAside: the broker is done with the message, the slot stays open.
func (t *tracker) setAside(sequence uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.open[sequence]; s != nil {
		s.d, s.aside = nil, true
	}
}

// returned: the broker holds the message again, the slot stays open.
func (t *tracker) returned(sequence uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.open[sequence]; s != nil {
		s.d = nil
	}
}

func (t *tracker) watermark() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mark
}

func (t *tracker) watermarkWith(batch []*Delivery) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.distrust > t.mark {
		return t.mark
	}
	for _, d := range batch {
		if s := t.open[d.Sequence]; s != nil {
			s.batched = true
		}
	}
	mark := max(t.mark, t.highest)
	for _, s := range t.queue {
		if !s.done && !s.batched {
			mark = max(t.mark, s.sequence-1)
			break
		}
	}
	for _, d := range batch {
		if s := t.open[d.Sequence]; s != nil {
			s.batched = false
		}
	}
	return mark
}

// working lists the deliveries that this copy has held since before.
func (t *tracker) working(before time.Time) []*Delivery {
	t.mu.Lock()
	defer t.mu.Unlock()
	var held []*Delivery
	for _, s := range t.queue {
		if s.d != nil && s.since.Before(before) {
			held = append(held, s.d)
		}
	}
	return held
}

// needsFloor says whether the broker's acknowledgement floor would help: in
// distrust, or while something that was given back may be with another copy.
func (t *tracker) needsFloor() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.distrust > t.mark || len(t.queue) > 0 && t.queue[0].d == nil
}

// floorAt: the broker has an acknowledgement for everything up to floor. What
// was set aside here is acknowledged but not dealt with, so the mark stops at it.
func (t *tracker) floorAt(floor uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.queue {
		if s.sequence > floor {
			break
		}
		if s.d == nil && !s.aside {
			s.done = true
			delete(t.open, s.sequence)
		}
	}
	t.advance()
	if t.distrust > t.mark {
		limit := floor
		for _, s := range t.queue {
			if !s.done {
				limit = min(limit, s.sequence-1)
				break
			}
		}
		t.mark = max(t.mark, limit)
		t.advance()
	}
}
