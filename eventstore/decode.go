package eventstore

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Position reads the envelope's place of a message; ErrMalformed (in a
// *DecodeError) when ce-id, ce-type, ce-subject or ce-version is missing or
// wrong, or ce-subject is not the subject's aggregate. What could be read is in
// the result all the same.
func (s *Stream) Position(m Message) (Position, error) {
	p := Position{Type: first(m.Header, headerType)}
	id, err := s.aggregateOf(m.Subject)
	p.Aggregate = id
	text := first(m.Header, headerVersion)
	if version, err := strconv.ParseUint(text, 10, 64); err == nil {
		p.Version = version
	}
	switch {
	case err != nil:
	case p.Version == 0:
		err = fmt.Errorf("%s is %q, want a number from 1 on", headerVersion, text)
	case p.Type == "":
		err = fmt.Errorf("%s is missing", headerType)
	default:
		err = checkIdentity(m, id)
	}
	if err != nil {
		return p, s.decodeError(m, p, fmt.Errorf("%w: %w", ErrMalformed, err))
	}
	return p, nil
}

func checkIdentity(m Message, id uuid.UUID) error {
	text := first(m.Header, headerID)
	if err := uuid.Validate(text); err != nil {
		return fmt.Errorf("%s is %q: %w", headerID, text, err)
	}
	text = first(m.Header, headerSubject)
	if len(text) == uuidText && strings.HasSuffix(m.Subject, text) {
		return nil
	}
	if subject, err := uuid.Parse(text); err != nil || subject != id {
		return fmt.Errorf("%s is %q, want the subject's aggregate %s", headerSubject, text, id)
	}
	return nil
}

// Decode reads a whole message; *DecodeError.
func (s *Stream) Decode(m Message) (Event, error) {
	p, err := s.Position(m)
	if err != nil {
		return Event{}, err
	}
	return s.DecodeAt(m, p)
}

// DecodeAt is Decode for a caller that has read the message's Position, without
// error; *DecodeError.
func (s *Stream) DecodeAt(m Message, p Position) (Event, error) {
	e := Event{
		Aggregate:     p.Aggregate,
		Version:       p.Version,
		CorrelationID: first(m.Header, headerCorrelationID),
		CausationID:   first(m.Header, headerCausationID),
		CommandID:     first(m.Header, headerCommandID),
		CommandHash:   first(m.Header, headerCommandHash),
		Actor:         first(m.Header, headerActor),
		TraceParent:   first(m.Header, headerTraceParent),
		Type:          p.Type,
		Sequence:      m.Sequence,
		Stored:        m.Stored,
	}
	var err error
	if e.ID, err = uuid.Parse(first(m.Header, headerID)); err != nil {
		return Event{}, s.decodeError(m, p, fmt.Errorf("%w: %s: %w", ErrMalformed, headerID, err))
	}
	if text := first(m.Header, headerTime); text != "" {
		if e.Time, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return Event{}, s.decodeError(m, p, fmt.Errorf("%w: %s: %w", ErrMalformed, headerTime, err))
		}
		e.Time = e.Time.UTC()
	} else {
		e.Time = m.Stored.UTC()
	}
	if e.Payload, err = s.cfg.Registry.Decode(p.Type, m.Data); err != nil {
		return Event{}, s.decodeError(m, p, err)
	}
	return e, nil
}

func (s *Stream) decodeError(m Message, p Position, err error) error {
	var already *DecodeError
	if errors.As(err, &already) {
		return err
	}
	return &DecodeError{Stream: s.Name(), Sequence: m.Sequence, Position: p, Err: err}
}
