package eventstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
)

// MaxBatch is the most events that one Append can hold: the server's limit of an
// atomic batch.
const MaxBatch = 1000

// attemptTimeout is how long one attempt waits before its outcome counts as unknown.
const attemptTimeout = 5 * time.Second

// Append is the new events of one aggregate, and what its subject must look like.
type Append struct {
	Aggregate        uuid.UUID
	ExpectedSequence uint64  // stream sequence of the subject's last message; 0: it must be empty
	Events           []Event // at least one; ids, versions (in order, without a hole) and times set by the caller
}

// Append stores the events of one or more aggregates, all or nothing, and
// returns for each Append the stream sequence of its last event. One event is
// one publish; more are one atomic batch (ADR-50), at most MaxBatch events, each
// aggregate once. It resolves an unknown outcome itself by looking for its own
// event ids, and blocks until it knows or ctx ends, so give ctx a deadline.
// Idempotent for the same event ids and expectation.
//
// ErrConflict, ErrStreamFull and ErrUnavailable mean that nothing was stored;
// ErrUnknownOutcome that it may have been. ErrMalformed and ErrUnknownType are
// faults of the caller.
func (s *Stream) Append(ctx context.Context, appends ...Append) ([]uint64, error) {
	began := time.Now()
	sequences, err := s.append(ctx, appends)
	if s.cfg.Observe != nil {
		events := 0
		for i := range appends {
			events += len(appends[i].Events)
		}
		s.cfg.Observe(AppendObservation{Stream: s.cfg.Name, Events: events, Duration: time.Since(began), Err: err})
	}
	return sequences, err
}

func (s *Stream) append(ctx context.Context, appends []Append) ([]uint64, error) {
	w, err := s.prepare(appends)
	if err != nil {
		return nil, fmt.Errorf("eventstore: append to %s: %w", s.cfg.Name, err)
	}
	if ctx.Err() != nil {
		return nil, s.gaveUp(false, errNotSent, ctx.Err())
	}
	if s.group != nil {
		return s.group.append(ctx, w)
	}
	return s.settle(ctx, w)
}

// write is one Append call, ready to be sent as often as it takes.
type write struct {
	parts    []part
	messages []*nats.Msg // of all parts, in order
	size     int         // bytes of all bodies and headers, about

	unsure   bool // an attempt may have been stored, or may yet be
	inFlight int  // attempts refused because another write was in flight
}

// part is the share of one aggregate.
type part struct {
	aggregate uuid.UUID
	subject   string
	expected  uint64
	ids       []string
}

func (s *Stream) prepare(appends []Append) (*write, error) {
	w := &write{parts: make([]part, len(appends))}
	for i := range appends {
		a := &appends[i]
		if err := a.validate(); err != nil {
			return nil, fmt.Errorf("%w: aggregate %s: %w", ErrMalformed, a.Aggregate, err)
		}
		for j := range i {
			if appends[j].Aggregate == a.Aggregate {
				return nil, fmt.Errorf("%w: aggregate %s appears twice", ErrMalformed, a.Aggregate)
			}
		}
		p := part{aggregate: a.Aggregate, subject: s.Subject(a.Aggregate), expected: a.ExpectedSequence, ids: make([]string, len(a.Events))}
		for j := range a.Events {
			m, err := s.message(p.subject, a.Aggregate, &a.Events[j])
			if err != nil {
				return nil, err
			}
			p.ids[j] = first(m.Header, headerID)
			if j == 0 {
				m.Header[nats.ExpectedLastSubjSeqHdr] = []string{formatSequence(a.ExpectedSequence)}
			}
			w.messages = append(w.messages, m)
			w.size += m.Size()
		}
		w.parts[i] = p
	}
	if n := len(w.messages); n == 0 || n > MaxBatch {
		return nil, fmt.Errorf("%w: %d events, want 1 to %d", ErrMalformed, n, MaxBatch)
	}
	return w, nil
}

func (a *Append) validate() error {
	switch {
	case len(a.Events) == 0:
		return errors.New("no events")
	case a.Aggregate == uuid.Nil:
		return errors.New("no aggregate's id")
	}
	for i := range a.Events {
		e := &a.Events[i]
		switch {
		case e.ID == uuid.Nil:
			return fmt.Errorf("event %d has no id", i)
		case e.Aggregate != a.Aggregate:
			return fmt.Errorf("event %d is of aggregate %s", i, e.Aggregate)
		case e.Version != a.Events[0].Version+uint64(i) || e.Version == 0:
			return fmt.Errorf("event %d has version %d after %d", i, e.Version, a.Events[max(i-1, 0)].Version)
		case e.Time.IsZero():
			return fmt.Errorf("event %d has no time", i)
		}
	}
	if first := a.Events[0].Version; a.ExpectedSequence == 0 && first != 1 {
		return fmt.Errorf("the first event has version %d; a new aggregate begins at 1", first)
	}
	return nil
}

// errAgain asks for another attempt after a while; see again.
var errAgain = errors.New("another attempt is worth it")

type againError struct{ cause error }

func (e *againError) Error() string        { return e.cause.Error() }
func (e *againError) Unwrap() error        { return e.cause }
func (e *againError) Is(target error) bool { return target == errAgain }

func again(cause error) error { return &againError{cause: cause} }

func retryPolicy() retrypolicy.RetryPolicy[[]uint64] {
	return retrypolicy.NewBuilder[[]uint64]().
		HandleErrors(errAgain).
		WithBackoff(2*time.Millisecond, 250*time.Millisecond).
		WithJitterFactor(0.25).
		WithMaxRetries(-1).
		Build()
}

// settle sends w until its outcome is known or ctx ends.
func (s *Stream) settle(ctx context.Context, w *write) ([]uint64, error) {
	begin := s.attempt
	if w.unsure {
		begin = s.lookFirst
	}
	sequences, err := begin(ctx, w)
	if !errors.Is(err, errAgain) {
		return sequences, err
	}
	cause := err
	sequences, err = s.retry.WithContext(ctx).GetWithExecution(func(failsafe.Execution[[]uint64]) ([]uint64, error) {
		sequences, err := s.attempt(ctx, w)
		if errors.Is(err, errAgain) {
			cause = err
		}
		return sequences, err
	})
	if err != nil && ctx.Err() != nil && !isFinal(err) {
		return nil, s.gaveUp(w.unsure, cause, ctx.Err())
	}
	return sequences, err
}

func isFinal(err error) bool {
	return !errors.Is(err, errAgain) && (errors.Is(err, ErrConflict) || errors.Is(err, ErrStreamFull) || errors.Is(err, errRefused))
}

// gaveUp says honestly whether anything may have been stored.
func (s *Stream) gaveUp(unsure bool, cause, ended error) error {
	// The cause is only told: its kind is not the answer's.
	if unsure {
		return fmt.Errorf("eventstore: append to %s: %w: the broker could not be asked in time; sending the same events again is safe: %w (%s)",
			s.cfg.Name, ErrUnknownOutcome, ended, cause.Error())
	}
	return fmt.Errorf("eventstore: append to %s: %w: nothing was stored: %w (%s)", s.cfg.Name, ErrUnavailable, ended, cause.Error())
}

// attempt sends w once and weighs the answer. errAgain asks for another attempt.
func (s *Stream) attempt(ctx context.Context, w *write) ([]uint64, error) {
	a := s.transmit(ctx, w)
	switch a.verdict {
	case stored:
		return w.sequencesFrom(a.first), nil
	case notStored:
		return nil, again(a.err)
	case refused, full:
		if !w.unsure {
			return nil, fmt.Errorf("eventstore: append to %s: %w", s.cfg.Name, a.err)
		}
	case unknown, duplicate:
		w.unsure = true
	case inFlight:
		w.inFlight++
	}
	return s.resolve(ctx, w, a)
}

// lookFirst takes up a write whose earlier outcome is unknown.
func (s *Stream) lookFirst(ctx context.Context, w *write) ([]uint64, error) {
	return s.resolve(ctx, w, answer{verdict: unknown, err: errCut})
}

var errTorn = errors.New("only a part of the batch is stored")

// maxInFlight is how often an append that never was unsure is tried while the
// broker says that another write of the subject is in flight.
const maxInFlight = 5

// resolve looks for w's own events after an answer that leaves it open whether
// they are stored: an unknown outcome, and every conflict, which may be with
// oneself.
func (s *Stream) resolve(ctx context.Context, w *write, a answer) ([]uint64, error) {
	found, err := s.findOwn(ctx, w)
	switch {
	case err != nil:
		w.unsure = true
		return nil, again(err)
	case found.all:
		return found.sequences, nil
	case found.some:
		// A batch that a crash tore; the broker completes it when it restarts.
		w.unsure = true
		return nil, again(errTorn)
	case a.verdict == conflict, a.verdict == inFlight && !w.unsure && w.inFlight >= maxInFlight:
		return nil, s.conflictOf(ctx, w, found, a)
	}
	return nil, again(a.err)
}

// conflictOf names the aggregate that moved on, and how far as well as is known.
func (s *Stream) conflictOf(ctx context.Context, w *write, found ownEvents, a answer) error {
	p := w.parts[found.moved]
	actual := a.actual
	if actual == 0 || len(w.parts) > 1 {
		// An unknown Actual is no reason to hide the conflict.
		actual, _ = s.LastSequence(ctx, p.aggregate)
	}
	return &ConflictError{Aggregate: p.aggregate, Expected: p.expected, Actual: actual}
}

// sequencesFrom numbers a contiguous write whose first message has the sequence first.
func (w *write) sequencesFrom(first uint64) []uint64 {
	sequences := make([]uint64, len(w.parts))
	next := first
	for i := range w.parts {
		next += uint64(len(w.parts[i].ids))
		sequences[i] = next - 1
	}
	return sequences
}
