package eventstore

import (
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
)

// Sentinels to branch on with errors.Is.
var (
	// ErrConflict: the subject moved on since it was read. Always a *ConflictError.
	ErrConflict = errors.New("version conflict")
	// ErrUnknownOutcome: the broker may or may not have stored the events, and
	// could not be asked in time. Sending the same events again is safe.
	ErrUnknownOutcome = errors.New("outcome unknown")
	// ErrUnavailable: the broker cannot be reached, or did not answer in time.
	ErrUnavailable = errors.New("broker unavailable")
	// ErrStreamFull: the stream reached its byte limit; nothing was stored.
	ErrStreamFull = errors.New("stream full")
	// ErrUnknownType: no registered type or upcaster for a type name.
	ErrUnknownType = errors.New("unknown event type")
	// ErrMalformed: a message lacks a required header or its payload does not decode.
	ErrMalformed = errors.New("malformed event")
	// ErrLogChanged: the stream is gone, was created anew, or lost its tail,
	// against what this installation has recorded.
	ErrLogChanged = errors.New("event log changed")
	// ErrMisconfigured: a stream or server does not fit the configuration.
	ErrMisconfigured = errors.New("misconfigured")
)

// ConflictError says which aggregate moved on. It matches ErrConflict.
type ConflictError struct {
	Aggregate uuid.UUID
	Expected  uint64 // the stream sequence that the caller had seen last
	Actual    uint64 // the subject's last stream sequence, 0 when not known
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("eventstore: append to %s: expected last sequence %d, found %d", e.Aggregate, e.Expected, e.Actual)
}

// Is makes errors.Is(err, ErrConflict) true.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// DecodeError is an event that cannot be read. It wraps ErrUnknownType or ErrMalformed.
type DecodeError struct {
	Stream   string
	Sequence uint64
	Position Position // as far as it could be read
	Err      error
}

func (e *DecodeError) Error() string {
	return fmt.Sprintf("eventstore: %s@%d (%s, aggregate %s, version %d): %v",
		e.Stream, e.Sequence, e.Position.Type, e.Position.Aggregate, e.Position.Version, e.Err)
}

func (e *DecodeError) Unwrap() error { return e.Err }

// Overtaken says of a write to a key-value bucket that expected a revision, or no
// key, that somebody else wrote the key first.
func Overtaken(err error) bool {
	var api *jetstream.APIError
	if errors.Is(err, jetstream.ErrKeyExists) {
		return true
	}
	return errors.As(err, &api) && (api.ErrorCode == codeWrongLast || api.ErrorCode == codeWrongLastConstant)
}
