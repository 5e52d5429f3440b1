package eventstore

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// StreamConfig describes one bounded context's event stream.
type StreamConfig struct {
	Name       string // "TICKETS"; subjects are tickets.<partition>.<uuid>
	Partitions int    // a power of two, 1 to 64; fixed when the stream is created. 0: follow the stream, 1 when it is new
	Replicas   int    // default 1; an existing stream is raised to it, and never lowered
	MaxBytes   int64  // the stream refuses appends beyond it; 0: what the stream has, -1: the server's limit alone
	Shared     bool   // the stream also holds subjects that are no aggregates (accounts.email.…)
	// DefaultMaxBytes is the limit of a stream that is new or has none; 0: none. It is
	// left out where the broker cannot reserve as much, and for a stream that holds over
	// half of it, or that exists in a cluster. Stream.MaxBytes tells.
	DefaultMaxBytes int64
	DuplicateWindow time.Duration
	GroupCommit     bool // append waiting commands of many aggregates as one atomic batch, under load
	// Expect is what an earlier start recorded of the stream, nil where nothing
	// is known. A stream that is gone, was created anew or lost its tail is then
	// refused with ErrLogChanged, instead of being created or used.
	Expect   *LogRecord
	Registry *Registry
	// Observe is called after each Append, from its goroutine; nil: nobody looks.
	Observe func(AppendObservation)
}

// AppendObservation is what one call of Append took.
type AppendObservation struct {
	Stream   string
	Events   int
	Duration time.Duration
	Err      error // as Append returned it; errors.Is(Err, ErrConflict) for a conflict
}

var streamName = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)

func (c *StreamConfig) validate() error {
	var faults []error
	if !streamName.MatchString(c.Name) {
		faults = append(faults, fmt.Errorf("stream name %q must be upper-case letters, digits and underscores", c.Name))
	}
	if p := c.Partitions; p < 0 || p > 64 || p&(p-1) != 0 {
		faults = append(faults, fmt.Errorf("partitions are %d; want a power of two from 1 to 64, or 0 to follow the stream", p))
	}
	if c.Replicas < 0 || c.Replicas > 5 {
		faults = append(faults, fmt.Errorf("replicas are %d; want 1 to 5", c.Replicas))
	}
	if c.MaxBytes < -1 || c.DefaultMaxBytes < 0 {
		faults = append(faults, fmt.Errorf("byte limit is %d, by default %d; want -1 (none) or more, by default 0 or more", c.MaxBytes, c.DefaultMaxBytes))
	}
	if c.Registry == nil {
		faults = append(faults, errors.New("a registry of event types is required"))
	} else if err := c.Registry.Validate(); err != nil {
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("eventstore: configuration of stream %s: %w: %w", c.Name, ErrMisconfigured, err)
	}
	return nil
}

// Stream appends to and reads one event stream. Safe for concurrent use. It lives
// as long as its connection.
type Stream struct {
	cfg        StreamConfig
	nc         *nats.Conn
	js         jetstream.JetStream
	created    time.Time
	partitions int
	maxBytes   int64
	prefix     string // "tickets."
	source     string // "/tickets"
	replies    *replies
	retry      failsafe.Executor[[]uint64]
	batches    chan struct{} // slots for open atomic batches
	group      *groupCommit  // nil unless configured
}

// OpenStream creates the stream, or checks one that exists against cfg:
// ErrMisconfigured when its partitions or settings differ, with what to do;
// ErrLogChanged against cfg.Expect. Byte limit, replicas and duplicate window of
// an existing stream are brought to what cfg names.
func OpenStream(ctx context.Context, nc *nats.Conn, cfg StreamConfig) (*Stream, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("eventstore: open stream %s: %w", cfg.Name, err)
	}
	info, err := findOrCreate(ctx, js, &cfg)
	if err != nil {
		return nil, err
	}
	lower := strings.ToLower(cfg.Name)
	s := &Stream{
		cfg:        cfg,
		nc:         nc,
		js:         js,
		created:    info.Created,
		partitions: partitionsOf(info.Config),
		maxBytes:   max(info.Config.MaxBytes, 0),
		prefix:     lower + ".",
		source:     "/" + lower,
		retry:      failsafe.With(retryPolicy()),
		batches:    make(chan struct{}, maxOpenBatches),
	}
	if s.replies, err = newReplies(nc); err != nil {
		return nil, fmt.Errorf("eventstore: open stream %s: %w", cfg.Name, err)
	}
	if cfg.GroupCommit {
		s.group = newGroupCommit(s)
	}
	return s, nil
}

// Name is the stream's name, such as TICKETS.
func (s *Stream) Name() string { return s.cfg.Name }

// Partitions is into how many the stream's aggregates are divided.
func (s *Stream) Partitions() int { return s.partitions }

// MaxBytes is the stream's byte limit as it was opened; 0: none.
func (s *Stream) MaxBytes() int64 { return s.maxBytes }

// Created is when the broker created the stream; with the name it is the
// stream's identity.
func (s *Stream) Created() time.Time { return s.created }

// Registry is the configured one.
func (s *Stream) Registry() *Registry { return s.cfg.Registry }

// JetStream is for the stream's consumers.
func (s *Stream) JetStream() jetstream.JetStream { return s.js }

// Conn is the connection that the stream was opened on.
func (s *Stream) Conn() *nats.Conn { return s.nc }

// StreamState is a stream at one moment.
type StreamState struct {
	Created       time.Time
	FirstSequence uint64
	LastSequence  uint64
	Messages      uint64
	Bytes         uint64
	Subjects      uint64
}

// State asks the leader. ErrUnavailable, or ErrLogChanged when the stream is gone.
func (s *Stream) State(ctx context.Context) (StreamState, error) {
	h, err := s.js.Stream(ctx, s.cfg.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return StreamState{}, fmt.Errorf("eventstore: state of %s: %w: the stream is gone", s.cfg.Name, ErrLogChanged)
	}
	if err != nil {
		return StreamState{}, fmt.Errorf("eventstore: state of %s: %w: %w", s.cfg.Name, ErrUnavailable, err)
	}
	info := h.CachedInfo()
	return StreamState{
		Created:       info.Created,
		FirstSequence: info.State.FirstSeq,
		LastSequence:  info.State.LastSeq,
		Messages:      info.State.Msgs,
		Bytes:         info.State.Bytes,
		Subjects:      info.State.NumSubjects,
	}, nil
}
