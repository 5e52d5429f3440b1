package eventstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
)

// storedMessage is a message as the stream's leader shows it.
type storedMessage struct {
	Subject  string    `json:"subject"`
	Sequence uint64    `json:"seq"`
	Header   []byte    `json:"hdrs"`
	Data     []byte    `json:"data"`
	Time     time.Time `json:"time"`
}

func (m *storedMessage) message() (Message, error) {
	var h nats.Header
	if len(m.Header) > 0 {
		var err error
		if h, err = nats.DecodeHeadersMsg(m.Header); err != nil {
			return Message{}, fmt.Errorf("headers of sequence %d: %w", m.Sequence, err)
		}
	}
	return Message{Subject: m.Subject, Sequence: m.Sequence, Stored: m.Time, Header: h, Data: m.Data}, nil
}

// LastSequence asks the stream's leader for the sequence of the aggregate's
// newest message; 0 when there is none. It waits for a broker that is away until
// ctx ends. ErrUnavailable, ErrLogChanged.
func (s *Stream) LastSequence(ctx context.Context, id uuid.UUID) (uint64, error) {
	m, err := s.fromLeader(ctx, messageRequest{LastFor: s.Subject(id)})
	if err != nil || m == nil {
		return 0, err
	}
	return m.Sequence, nil
}

// messageRequest is the body of $JS.API.STREAM.MSG.GET and, with Batch, of
// $JS.API.DIRECT.GET (ADR-31).
type messageRequest struct {
	Sequence uint64 `json:"seq,omitempty"`
	LastFor  string `json:"last_by_subj,omitempty"`
	NextFor  string `json:"next_by_subj,omitempty"`
	Batch    int    `json:"batch,omitempty"`
	MaxBytes int    `json:"max_bytes,omitempty"`
}

// fromLeader returns one message from the stream's leader, nil when there is
// none. (nats.go would ask any replica.)
func (s *Stream) fromLeader(ctx context.Context, req messageRequest) (*storedMessage, error) {
	var found *storedMessage
	err := s.persist(ctx, "ask the leader", func(ctx context.Context) error {
		m, err := s.askLeader(ctx, req)
		found = m
		return err
	})
	return found, err
}

func (s *Stream) askLeader(ctx context.Context, req messageRequest) (*storedMessage, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	reply, err := s.replies.ask(ctx, "$JS.API.STREAM.MSG.GET."+s.cfg.Name, nil, body)
	if err != nil {
		return nil, again(err)
	}
	var answer struct {
		Message *storedMessage `json:"message"`
		Error   *apiError      `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return nil, fmt.Errorf("answer %q: %w", reply.Data, err)
	}
	switch {
	case answer.Error == nil:
		return answer.Message, nil
	case answer.Error.ErrorCode == codeMessageNotFound:
		return nil, nil
	case answer.Error.ErrorCode == codeStreamNotFound:
		return nil, fmt.Errorf("%w: the stream is gone", ErrLogChanged)
	case answer.Error.Code >= 500:
		return nil, again(answer.Error)
	}
	return nil, answer.Error
}

// persist repeats a read that failed for want of a broker, until ctx ends.
func (s *Stream) persist(ctx context.Context, what string, read func(context.Context) error) error {
	once := func() error {
		ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
		defer cancel()
		return read(ctx)
	}
	err := once()
	if errors.Is(err, errAgain) {
		cause := err
		_, err = s.retry.WithContext(ctx).GetWithExecution(func(failsafe.Execution[[]uint64]) ([]uint64, error) {
			err := once()
			if errors.Is(err, errAgain) {
				cause = err
			}
			return nil, err
		})
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("%w: %w (%s)", ErrUnavailable, ctx.Err(), cause.Error())
		}
	}
	if err != nil {
		return fmt.Errorf("eventstore: %s about %s: %w", what, s.cfg.Name, err)
	}
	return nil
}
