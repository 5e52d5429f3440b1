package eventstore

import (
	"context"

	"github.com/google/uuid"
)

// LoadSome is Load for a long aggregate: it returns at most limit events (1 or more),
// and holds no more than those and one page of the broker's in memory. For a log in
// order of version that is one request to the broker, or more where the events are
// large or limit is above 1,000.
//
// LastSequence says where to go on: pass it, and the version of the last event, for
// the events that follow. It is afterSequence where nothing does. Fewer events than
// limit are the last ones that there are, and only then Missing can be set: what lies
// beyond the hole is given from there on too, once it is filled.
func (s *Stream) LoadSome(ctx context.Context, id uuid.UUID, afterVersion, afterSequence uint64, limit int) (History, error) {
	w := window{after: afterVersion, read: afterSequence, found: make([]*placed, max(limit, 1))}
	for page, err := range s.directPages(ctx, s.Subject(id), afterSequence+1, min(len(w.found), pageMessages)) {
		if err != nil {
			return History{}, err
		}
		for _, m := range page {
			p, err := s.Position(m)
			if err != nil {
				return History{}, err
			}
			if w.take(placed{m, p}) {
				return s.fromWindow(w)
			}
		}
	}
	return s.fromWindow(w)
}

// window looks for the versions that follow one, in a log of any order. What lies
// beyond it is not kept but read again later.
type window struct {
	after uint64    // the version before the first one wanted
	found []*placed // by version, nil: not found yet
	next  int       // the first that is not found yet
	read  uint64    // the sequence of the last message seen

	beyond uint64 // the sequence of the first message beyond the window, 0: none
}

// take adds the next message of the stream, and says whether all is found.
func (w *window) take(m placed) (complete bool) {
	w.read = m.Sequence
	switch i := m.Version - w.after - 1; {
	case m.Version <= w.after:
	case i >= uint64(len(w.found)):
		if w.beyond == 0 {
			w.beyond = m.Sequence
		}
	case w.found[i] == nil: // of two with one version the first in the stream counts
		w.found[i] = &m
	}
	for w.next < len(w.found) && w.found[w.next] != nil {
		w.next++
	}
	return w.next == len(w.found)
}

// goOn is the sequence up to which nothing follows the last version that is given.
func (w *window) goOn() (sequence uint64, more bool) {
	first := w.beyond
	for _, m := range w.found[w.next:] {
		if m != nil && (first == 0 || m.Sequence < first) {
			first = m.Sequence
		}
	}
	if first == 0 {
		return w.read, false
	}
	return first - 1, true
}

func (s *Stream) fromWindow(w window) (History, error) {
	var h History
	var more bool
	h.LastSequence, more = w.goOn()
	if w.next < len(w.found) && more {
		h.Missing = w.after + uint64(w.next) + 1
	}
	h.Events = make([]Event, w.next)
	for i, m := range w.found[:w.next] {
		var err error
		if h.Events[i], err = s.DecodeAt(m.Message, m.Position); err != nil {
			return History{}, err
		}
	}
	return h, nil
}
