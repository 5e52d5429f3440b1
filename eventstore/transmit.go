package eventstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
)

// maxOpenBatches bounds this process's open batches on a stream. The server
// allows 50 in all and handles them one after another.
const maxOpenBatches = 8

// verdict is what one attempt has come to.
type verdict int

const (
	stored    verdict = iota
	notStored         // certainly; worth another attempt
	conflict          // the subject moved on, perhaps by these very events
	inFlight          // another write of the subject is not applied yet, perhaps this one
	unknown           // it may be stored
	duplicate         // an event id is known to the broker: an earlier attempt may be stored, this one is not
	full              // no room; certainly not stored
	refused           // by a rule of the broker; certainly not stored
)

// answer is the broker's word on one attempt.
type answer struct {
	verdict verdict
	first   uint64 // sequence of the write's first message, when stored
	actual  uint64 // the subject's last sequence, when the broker named it
	err     error
}

var errRefused = errors.New("refused by the broker")

// transmit sends w once: one message as a plain publish, more as an atomic batch.
func (s *Stream) transmit(ctx context.Context, w *write) answer {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	if len(w.messages) == 1 {
		return s.publish(ctx, w.messages[0])
	}
	return s.publishBatch(ctx, w.messages)
}

func (s *Stream) publish(ctx context.Context, m *nats.Msg) answer {
	reply, err := s.replies.ask(ctx, m.Subject, m.Header, m.Data)
	if err != nil {
		return unanswered(err)
	}
	return s.weigh(reply.Data, 1)
}

// publishBatch sends messages as one atomic batch (ADR-50). The first and the
// last ask for an answer: only the first one's tells why a batch was not opened.
func (s *Stream) publishBatch(ctx context.Context, messages []*nats.Msg) answer {
	select {
	case s.batches <- struct{}{}:
		defer func() { <-s.batches }()
	case <-ctx.Done():
		return answer{verdict: notStored, err: ctx.Err()}
	}
	var reply []byte
	c := s.replies.begin(func(m *nats.Msg) bool {
		reply = m.Data
		return len(m.Data) > 0 // an opened batch is acknowledged without a body
	})
	if err := s.sendBatch(messages, c.subject); err != nil {
		s.replies.forget(c)
		return unanswered(err)
	}
	if err := s.replies.wait(ctx, c); err != nil {
		return unanswered(err)
	}
	return s.weigh(reply, len(messages))
}

func (s *Stream) sendBatch(messages []*nats.Msg, reply string) error {
	id := uuid.NewString()
	for i, m := range messages {
		m.Header[headerBatchID] = []string{id}
		m.Header[headerBatchSeq] = []string{strconv.Itoa(i + 1)}
		m.Reply = ""
		if i == 0 {
			m.Reply = reply
		}
		if i == len(messages)-1 {
			m.Header[headerBatchCommit] = []string{"1"}
			m.Reply = reply
		}
		err := s.replies.send(m)
		delete(m.Header, headerBatchID)
		delete(m.Header, headerBatchSeq)
		delete(m.Header, headerBatchCommit)
		if err != nil {
			return err
		}
	}
	return nil
}

// unanswered weighs an attempt that no stream has answered.
func unanswered(err error) answer {
	switch {
	case errors.Is(err, nats.ErrMaxPayload), errors.Is(err, nats.ErrBadHeaderMsg):
		return answer{verdict: refused, err: fmt.Errorf("%w: %w", errRefused, err)}
	case errors.Is(err, errNotSent), errors.Is(err, errNoResponders):
		return answer{verdict: notStored, err: err}
	default:
		return answer{verdict: unknown, err: err}
	}
}

type pubAck struct {
	Stream    string    `json:"stream"`
	Sequence  uint64    `json:"seq"`
	Duplicate bool      `json:"duplicate"`
	Count     int       `json:"count"`
	Error     *apiError `json:"error"`
}

type apiError struct {
	Code        int    `json:"code"`
	ErrorCode   int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *apiError) Error() string { return fmt.Sprintf("%s (%d)", e.Description, e.ErrorCode) }

// weigh reads the answer to the last message of a write of n messages.
func (s *Stream) weigh(data []byte, n int) answer {
	var ack pubAck
	if err := json.Unmarshal(data, &ack); err != nil {
		return answer{verdict: unknown, err: fmt.Errorf("answer %q: %w", data, err)}
	}
	switch {
	case ack.Error != nil:
		return weighError(ack.Error)
	case ack.Stream != s.cfg.Name:
		return answer{verdict: refused, err: fmt.Errorf("%w: stream %q took the message", errRefused, ack.Stream)}
	case n > 1 && (ack.Count != n || ack.Sequence < uint64(n)):
		return answer{verdict: unknown, err: fmt.Errorf("sequence %d and count %d acknowledge a batch of %d", ack.Sequence, ack.Count, n)}
	}
	return answer{verdict: stored, first: ack.Sequence - uint64(n) + 1}
}

// Error codes of the server, from its errors.json.
const (
	codeAccountResources   = 10002
	codeInsufficient       = 10023
	codeMessageNotFound    = 10037
	codeStorageResources   = 10047
	codeStreamNotFound     = 10059
	codeWrongLast          = 10071
	codeStoreFailed        = 10077
	codeDuplicateInProcess = 10158
	codeWrongLastConstant  = 10164
	codeBatchIncomplete    = 10176
	codeBatchDuplicate     = 10201
	codeBatchesInFlight    = 10210
)

func weighError(e *apiError) answer {
	switch e.ErrorCode {
	case codeWrongLast:
		return answer{verdict: conflict, err: e, actual: lastNamed(e.Description)}
	case codeWrongLastConstant:
		return answer{verdict: inFlight, err: e}
	case codeDuplicateInProcess, codeBatchDuplicate:
		return answer{verdict: duplicate, err: e}
	case codeBatchIncomplete, codeBatchesInFlight:
		return answer{verdict: notStored, err: e}
	case codeAccountResources, codeInsufficient, codeStorageResources:
		return answer{verdict: full, err: fmt.Errorf("%w: %w; free disk space or raise the server's limit", ErrStreamFull, e)}
	case codeStoreFailed:
		return weighStoreError(e)
	}
	return answer{verdict: refused, err: fmt.Errorf("%w: %w", errRefused, e)}
}

func weighStoreError(e *apiError) answer {
	if strings.Contains(e.Description, "maximum bytes") || strings.Contains(e.Description, "maximum messages") {
		return answer{verdict: full, err: fmt.Errorf("%w: %w; raise the stream's byte limit", ErrStreamFull, e)}
	}
	if strings.Contains(e.Description, "too large") {
		return answer{verdict: refused, err: fmt.Errorf("%w: %w", errRefused, e)}
	}
	return answer{verdict: unknown, err: e}
}

// lastNamed reads the sequence out of "wrong last sequence: 17".
func lastNamed(description string) uint64 {
	i := strings.LastIndexByte(description, ' ')
	n, err := strconv.ParseUint(description[i+1:], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func formatSequence(n uint64) string { return strconv.FormatUint(n, 10) }
