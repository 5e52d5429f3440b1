package eventstore

import "context"

// ownEvents is what the leader holds of a write's own events.
type ownEvents struct {
	all, some bool
	sequences []uint64 // of each part's last event, when all are there
	moved     int      // a part whose subject goes on with somebody else's event
}

// findOwn looks for a write's events in the tails of its aggregates, at the
// leader. Each was sent with the expectation that it follows one message of its
// subject, so either the next message is the write's, or it never will be.
func (s *Stream) findOwn(ctx context.Context, w *write) (ownEvents, error) {
	found, count := ownEvents{all: true}, 0
	for i := range w.parts {
		sequences, moved, err := s.findPart(ctx, &w.parts[i])
		if err != nil {
			return ownEvents{}, err
		}
		if moved {
			found.moved = i
		}
		count += len(sequences)
		if len(sequences) < len(w.parts[i].ids) {
			found.all = false
			continue
		}
		found.sequences = append(found.sequences, sequences[len(sequences)-1])
	}
	found.some = count > 0 && !found.all
	return found, nil
}

// findPart returns the sequences of the part's events that are stored, and
// whether something else is where the next one should be.
func (s *Stream) findPart(ctx context.Context, p *part) (sequences []uint64, moved bool, err error) {
	last := p.expected
	for _, id := range p.ids {
		m, err := s.fromLeader(ctx, messageRequest{Sequence: last + 1, NextFor: p.subject})
		if err != nil || m == nil {
			return sequences, false, err
		}
		msg, err := m.message()
		if err != nil {
			return nil, false, err
		}
		if first(msg.Header, headerID) != id {
			return sequences, true, nil
		}
		last = m.Sequence
		sequences = append(sequences, last)
	}
	return sequences, false, nil
}
