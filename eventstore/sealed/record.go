package sealed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// headerErased marks a tombstone; its value is when it was written.
const headerErased = "Admitone-Erased"

// How long one question to the broker, and one change, may take. A connection that
// breaks meanwhile gives no answer, so a question that harms nobody waits for less.
const (
	askTimeout    = 2 * time.Second
	changeTimeout = 5 * time.Second
)

// record is one message of the stream: a key, or with none the tombstone of an
// erased owner.
type record struct {
	owner    uuid.UUID
	sequence uint64
	key      *key
}

func (r *record) erased() bool { return r.key == nil }

// question is the body of $JS.API.STREAM.MSG.GET.
type question struct {
	Sequence uint64 `json:"seq,omitempty"`
	LastFor  string `json:"last_by_subj,omitempty"`
	NextFor  string `json:"next_by_subj,omitempty"`
}

type answer struct {
	Message *struct {
		Subject  string `json:"subject"`
		Sequence uint64 `json:"seq"`
		Header   []byte `json:"hdrs"`
		Data     []byte `json:"data"`
	} `json:"message"`
	Error *jetstream.APIError `json:"error"`
}

// ask returns a message from the stream's leader, nil when there is none. Another
// replica may lag, and would give out a key that is erased already; nats.go would
// ask any.
func (k *Keys) ask(ctx context.Context, q question) (*record, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, fmt.Errorf("sealed: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	reply, err := k.js.Conn().RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+StreamName, body)
	if err != nil {
		return nil, failed("ask for a key", err)
	}
	var a answer
	if err := json.Unmarshal(reply.Data, &a); err != nil {
		return nil, failed("ask for a key", err)
	}
	switch {
	case a.Error != nil && a.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return nil, nil
	case a.Error != nil:
		return nil, failed("ask for a key", a.Error)
	case a.Message == nil:
		return nil, failed("ask for a key", errors.New("an empty answer"))
	}
	return parse(a.Message.Subject, a.Message.Sequence, a.Message.Header, a.Message.Data)
}

// parse reads a message; its errors never show the data.
func parse(subject string, sequence uint64, header, data []byte) (*record, error) {
	owner, err := uuid.Parse(strings.TrimPrefix(subject, subjectPrefix))
	if err != nil {
		return nil, &foreignError{sequence, "subject " + subject}
	}
	r := &record{owner: owner, sequence: sequence}
	if len(header) > 0 {
		h, err := nats.DecodeHeadersMsg(header)
		if err != nil {
			return nil, &foreignError{sequence, "headers"}
		}
		if h.Get(headerErased) != "" {
			return r, nil
		}
	}
	if len(data) != len(key{}) {
		return nil, &foreignError{sequence, fmt.Sprintf("length %d", len(data))}
	}
	r.key = (*key)(data)
	return r, nil
}

// foreignError is a message that this package did not write.
type foreignError struct {
	sequence uint64
	what     string
}

func (e *foreignError) Error() string {
	return fmt.Sprintf("sealed: %s@%d is neither a key nor a tombstone (%s); remove it: nats stream rmm %s %d",
		StreamName, e.sequence, e.what, StreamName, e.sequence)
}

// last is the newest message of an owner.
func (k *Keys) last(ctx context.Context, owner uuid.UUID) (*record, error) {
	return k.ask(ctx, question{LastFor: subjectOf(owner)})
}

// next is the first message of a subject, or of all, behind a sequence.
func (k *Keys) next(ctx context.Context, subject string, behind uint64) (*record, error) {
	return k.ask(ctx, question{Sequence: behind + 1, NextFor: subject})
}

// put stores r as the next message behind a sequence of the owner's, 0 for the
// first one. Of several who do it at once the broker lets one succeed; see
// eventstore.Overtaken.
func (k *Keys) put(ctx context.Context, r record, behind uint64) error {
	m := nats.NewMsg(subjectOf(r.owner))
	if r.erased() {
		m.Header.Set(headerErased, time.Now().UTC().Format(time.RFC3339))
	} else {
		m.Data = r.key[:]
	}
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	_, err := k.js.PublishMsg(ctx, m, jetstream.WithExpectLastSequencePerSubject(behind))
	if err != nil {
		return failed("write to "+m.Subject, err)
	}
	return nil
}
