package eventstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
)

// Aggregate reads the aggregate's id out of a subject; uuid.Nil where the subject
// is no aggregate's.
func (s *Stream) Aggregate(subject string) uuid.UUID {
	id, err := s.aggregateOf(subject)
	if err != nil {
		return uuid.Nil
	}
	return id
}

// StoredAfter is when the first event of a partition beyond a sequence was
// stored, by the broker's clock; the zero time when there is none.
func (s *Stream) StoredAfter(ctx context.Context, partition int, sequence uint64) (time.Time, error) {
	stream, err := s.js.Stream(ctx, s.cfg.Name)
	if err != nil {
		return time.Time{}, fmt.Errorf("eventstore: look up stream %s: %w: %w", s.cfg.Name, ErrUnavailable, err)
	}
	m, err := stream.GetMsg(ctx, sequence+1, jetstream.WithGetMsgSubject(s.prefix+strconv.Itoa(partition)+".*"))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("eventstore: read %s behind sequence %d: %w: %w", s.cfg.Name, sequence, ErrUnavailable, err)
	}
	return m.Time, nil
}
