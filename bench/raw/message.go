// Package raw is what the parts reach by themselves, without the engine: plain
// publishes, plain consumers, plain inserts. Its messages are the engine's, header
// for header.
package raw

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Message is an event as the event store sends it.
func Message(s *eventstore.Stream, e eventstore.Event, typ string, body []byte) *nats.Msg {
	id := e.ID.String()
	h := nats.Header{
		"Nats-Msg-Id": {id}, "ce-id": {id}, "ce-specversion": {"1.0"}, "ce-type": {typ},
		"ce-source": {"/" + strings.ToLower(s.Name())}, "ce-subject": {e.Aggregate.String()},
		"ce-time": {e.Time.UTC().Format(time.RFC3339Nano)}, "ce-version": {strconv.FormatUint(e.Version, 10)},
	}
	for _, optional := range [...]struct{ key, value string }{
		{"ce-correlationid", e.CorrelationID}, {"ce-causationid", e.CausationID}, {"ce-actor", e.Actor},
		{"ce-commandid", e.CommandID}, {"ce-commandhash", e.CommandHash},
	} {
		if optional.value != "" {
			h[optional.key] = []string{optional.value}
		}
	}
	return &nats.Msg{Subject: s.Subject(e.Aggregate), Header: h, Data: body}
}

// Publish sends one message that must follow the message with sequence expected of
// its subject, and returns its own sequence.
func Publish(ctx context.Context, js jetstream.JetStream, m *nats.Msg, expected uint64) (uint64, error) {
	m.Header["Nats-Expected-Last-Subject-Sequence"] = []string{strconv.FormatUint(expected, 10)}
	ack, err := js.PublishMsg(ctx, m)
	if err != nil {
		return 0, fmt.Errorf("raw publish: %w", err)
	}
	return ack.Sequence, nil
}
