package eventstore

import (
	"cmp"
	"context"
	"errors"

	"github.com/google/uuid"
)

const (
	// near is how many events before those that are wanted may as well be read.
	near = 200
	// seekAttempts: the log may be written to while it is looked at.
	seekAttempts = 2
)

// errDisorder: at a place that was looked at, the events are not in order of version.
var errDisorder = errors.New("not in order of version")

// Seek finds out from where LoadSome should read what follows a version, for whoever does
// not know: a sequence to give as afterSequence. It looks at few events, however long the
// aggregate is. It is 0, which is right for any, where less than a few hundred events
// stand before, and where the events that it looks at are not as many as their versions
// say: a log that is not in order. A disorder elsewhere it does not see; should LoadSome
// then find that a version is Missing, read again from 0. ErrUnavailable as for Load.
func (s *Stream) Seek(ctx context.Context, id uuid.UUID, version uint64) (sequence uint64, err error) {
	if version <= near {
		return 0, nil
	}
	for range seekAttempts {
		sequence, err = s.seek(ctx, id, version)
		if !errors.Is(err, errDisorder) {
			return sequence, err
		}
	}
	return 0, nil
}

func (s *Stream) seek(ctx context.Context, id uuid.UUID, version uint64) (uint64, error) {
	stored, err := s.fromLeader(ctx, messageRequest{LastFor: s.Subject(id)})
	if err != nil || stored == nil {
		return 0, err
	}
	last, err := stored.message()
	if err != nil {
		return 0, err
	}
	newest, err := s.Position(last)
	if err != nil || newest.Version <= version {
		return 0, errDisorder
	}
	// The first one tells whether any is missing, or there twice.
	found, err := s.nextFrom(ctx, id, 1, newest.Version)
	if err != nil || found.Version != 1 {
		return 0, cmp.Or(err, errDisorder)
	}
	// From end on, all have a version above.
	for end := last.Sequence; version-found.Version > near && found.sequence+1 < end; {
		middle := found.sequence + (end-found.sequence)/2
		p, err := s.nextFrom(ctx, id, middle, newest.Version)
		if err != nil {
			return 0, err
		}
		if p.Version <= version {
			found = p
		} else {
			end = middle
		}
	}
	return found.sequence, nil
}

// seen is an event that was looked at.
type seen struct {
	Position
	sequence uint64
}

// nextFrom looks at an aggregate's first event at a sequence or behind it. errDisorder
// where the number of events behind it is not what the newest one's version lets expect.
func (s *Stream) nextFrom(ctx context.Context, id uuid.UUID, sequence, newest uint64) (e seen, err error) {
	var p page
	err = s.persist(ctx, "read "+s.Subject(id), func(ctx context.Context) error {
		p, err = s.directPage(ctx, s.Subject(id), sequence, 1)
		return err
	})
	if err != nil {
		return e, err
	}
	if len(p.messages) == 0 {
		return e, errDisorder // the replica lags
	}
	e.sequence = p.messages[0].Sequence
	e.Position, err = s.Position(p.messages[0])
	if err != nil || e.Version+p.pending != newest {
		return e, errDisorder
	}
	return e, nil
}
