package eventstore

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
)

// Headers of an event: CloudEvents 1.0 in binary mode, the NATS binding.
const (
	headerID            = "ce-id"
	headerSpecVersion   = "ce-specversion"
	headerType          = "ce-type"
	headerSource        = "ce-source"
	headerSubject       = "ce-subject"
	headerTime          = "ce-time"
	headerVersion       = "ce-version"
	headerCorrelationID = "ce-correlationid"
	headerCausationID   = "ce-causationid"
	headerCommandID     = "ce-commandid"
	headerCommandHash   = "ce-commandhash"
	headerActor         = "ce-actor"
	headerTraceParent   = "traceparent"

	specVersion = "1.0"
)

// Headers of JetStream that nats.go has no constant for (ADR-50, ADR-31).
const (
	headerBatchID     = "Nats-Batch-Id"
	headerBatchSeq    = "Nats-Batch-Sequence"
	headerBatchCommit = "Nats-Batch-Commit"
	headerNumPending  = "Nats-Num-Pending"
	headerSequence    = "Nats-Sequence"
	headerTimeStamp   = "Nats-Time-Stamp"
	headerStatus      = "Status"
	headerDescription = "Description"
)

// Partition is the UUID's last byte modulo the number of partitions.
func (s *Stream) Partition(id uuid.UUID) int { return int(id[15]) % s.partitions }

// Subject is the one subject of an aggregate.
func (s *Stream) Subject(id uuid.UUID) string {
	return s.prefix + strconv.Itoa(s.Partition(id)) + "." + id.String()
}

// Filter is the one filter subject of a partition's consumer, empty where the
// stream has one partition and holds nothing else.
func (s *Stream) Filter(partition int) string {
	if s.partitions == 1 && !s.cfg.Shared {
		return ""
	}
	return s.prefix + strconv.Itoa(partition) + ".*"
}

// onAggregate says whether a subject's second token is a number.
func (s *Stream) onAggregate(subject string) bool {
	rest, ok := strings.CutPrefix(subject, s.prefix)
	if !ok {
		return false
	}
	for i := range len(rest) {
		switch c := rest[i]; {
		case c == '.':
			return i > 0
		case c < '0' || c > '9':
			return false
		}
	}
	return false
}

// uuidText is how long a UUID is as text.
const uuidText = 36

// aggregateOf reads the aggregate's id out of a subject.
func (s *Stream) aggregateOf(subject string) (uuid.UUID, error) {
	rest, ok := strings.CutPrefix(subject, s.prefix)
	partition, text, found := strings.Cut(rest, ".")
	if !ok || !found || len(text) != uuidText {
		return uuid.Nil, fmt.Errorf("subject %q is not %s<partition>.<uuid>", subject, s.prefix)
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return uuid.Nil, fmt.Errorf("subject %q: %w", subject, err)
	}
	if !canonical(text) {
		return uuid.Nil, fmt.Errorf("subject %q: the aggregate's subject is %s", subject, s.Subject(id))
	}
	if partition != strconv.Itoa(s.Partition(id)) {
		return id, fmt.Errorf("subject %q: the aggregate's partition is %d of %d", subject, s.Partition(id), s.partitions)
	}
	return id, nil
}

// canonical: a UUID has one spelling on the wire, or an aggregate had many subjects.
func canonical(text string) bool {
	for i := range len(text) {
		if 'A' <= text[i] && text[i] <= 'F' {
			return false
		}
	}
	return true
}

// message is an event as it goes on the wire, without an expectation.
func (s *Stream) message(subject string, id uuid.UUID, e *Event) (*nats.Msg, error) {
	body, err := s.cfg.Registry.Encode(e.Payload)
	if err != nil {
		return nil, err
	}
	eventID := e.ID.String()
	h := nats.Header{
		nats.MsgIdHdr:     {eventID},
		headerID:          {eventID},
		headerSpecVersion: {specVersion},
		headerType:        {e.Payload.EventType()},
		headerSource:      {s.source},
		headerSubject:     {id.String()},
		headerTime:        {e.Time.UTC().Format(time.RFC3339Nano)},
		headerVersion:     {strconv.FormatUint(e.Version, 10)},
	}
	optional := [...]struct{ key, value string }{
		{headerCorrelationID, e.CorrelationID},
		{headerCausationID, e.CausationID},
		{headerCommandID, e.CommandID},
		{headerCommandHash, e.CommandHash},
		{headerActor, e.Actor},
		{headerTraceParent, e.TraceParent},
	}
	for _, o := range optional {
		if o.value == "" {
			continue
		}
		if strings.ContainsFunc(o.value, isControl) {
			return nil, fmt.Errorf("%w: %s holds a control character", ErrMalformed, o.key)
		}
		h[o.key] = []string{o.value}
	}
	return &nats.Msg{Subject: subject, Header: h, Data: body}, nil
}

// isControl: a line break in a header would begin another header.
func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// first is a header's value without the canonicalisation that Get does not need here.
func first(h nats.Header, key string) string {
	if v := h[key]; len(v) > 0 {
		return v[0]
	}
	return ""
}
