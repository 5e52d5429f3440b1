package eventstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"
)

// Load reads an aggregate's events with a version above afterVersion whose
// sequence is above afterSequence (0, 0: all), by batch direct get (ADR-31). It
// may be answered by a replica that lags. A *DecodeError for one it cannot read,
// ErrUnavailable when the broker stays away until ctx ends.
func (s *Stream) Load(ctx context.Context, id uuid.UUID, afterVersion, afterSequence uint64) (History, error) {
	var messages []Message
	for page, err := range s.directPages(ctx, s.Subject(id), afterSequence+1, pageMessages) {
		if err != nil {
			return History{}, err
		}
		messages = append(messages, page...)
	}
	return s.history(messages, afterVersion)
}

// placed is a message with its position.
type placed struct {
	Message
	Position
}

// history puts messages, which are in stream order, in order of version.
func (s *Stream) history(messages []Message, afterVersion uint64) (History, error) {
	var h History
	byVersion := make([]placed, 0, len(messages))
	for _, m := range messages {
		h.LastSequence = m.Sequence
		p, err := s.Position(m)
		if err != nil {
			return History{}, err
		}
		if p.Version > afterVersion {
			byVersion = append(byVersion, placed{m, p})
		}
	}
	// Stable, so that of two with one version the first in the stream stays first.
	slices.SortStableFunc(byVersion, func(a, b placed) int { return cmp.Compare(a.Version, b.Version) })
	h.Events = make([]Event, 0, len(byVersion))
	next := afterVersion + 1
	for _, m := range byVersion {
		switch {
		case m.Version < next:
			continue
		case m.Version > next:
			h.Missing = next
			return h, nil
		}
		e, err := s.DecodeAt(m.Message, m.Position)
		if err != nil {
			return History{}, err
		}
		h.Events = append(h.Events, e)
		next++
	}
	return h, nil
}

// Read calls fn for each message of the aggregate in stream order, from
// sequence from on, undecoded; it sees at least all up to the leader's last
// message at the time of the call. An error of fn ends it and is returned.
func (s *Stream) Read(ctx context.Context, id uuid.UUID, from uint64, fn func(Message) error) error {
	last, err := s.LastSequence(ctx, id)
	if err != nil {
		return err
	}
	next := max(from, 1)
	for page, err := range s.directPages(ctx, s.Subject(id), next, pageMessages) {
		if err != nil {
			return err
		}
		for _, m := range page {
			if err := fn(m); err != nil {
				return err
			}
			next = m.Sequence + 1
		}
	}
	return s.readFromLeader(ctx, id, next, last, fn)
}

// readFromLeader goes on where a replica that lags has stopped.
func (s *Stream) readFromLeader(ctx context.Context, id uuid.UUID, next, last uint64, fn func(Message) error) error {
	for next <= last {
		stored, err := s.fromLeader(ctx, messageRequest{Sequence: next, NextFor: s.Subject(id)})
		if err != nil || stored == nil {
			return err
		}
		m, err := stored.message()
		if err != nil {
			return err
		}
		if err := fn(m); err != nil {
			return err
		}
		next = m.Sequence + 1
	}
	return nil
}
