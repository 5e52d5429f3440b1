package market

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/admitone/admitone/bench/meter"
	"github.com/admitone/admitone/bench/raw"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/eventstore"
	"github.com/nats-io/nats.go"
)

// Talks is the name of the stream of conversations.
const Talks = "CONVERSATIONS"

// EventsPerTalk is how many events each conversation has: the opening, and messages
// of the user and the Bot in turn.
const EventsPerTalk = 20

// kinds of ids of conversations.
const (
	kindTalk = iota + 31
	kindTalkEvent
	kindUser
	kindMessage
)

// sealedText is as long as a sealed text of 80 characters.
var sealedText = strings.Repeat("c2VhbGVk", 20)

// TalkRegistry knows the events of conversations.
func TalkRegistry() *eventstore.Registry {
	r := eventstore.NewRegistry()
	for _, e := range conversation.Events() {
		r.Register(e)
	}
	return r
}

// Messages is how many of n events of conversations are messages.
func Messages(n int) int { return n - n/EventsPerTalk }

// FillTalks puts n events into the stream, all of each conversation within 50,000
// messages. n is a multiple of EventsPerTalk. No key opens the texts.
func FillTalks(ctx context.Context, s *eventstore.Stream, n int) error {
	return raw.Fill(ctx, s.Conn(), n, func(i int) *nats.Msg {
		number, version := meter.At(i, n, EventsPerTalk)
		payload := said(number, version)
		body, _ := json.Marshal(payload) // events encode
		e := meter.Event(meter.ID(kindTalkEvent, uint64(i)), meter.ID(kindTalk, number), version, nil)
		return raw.Message(s, e, payload.EventType(), body)
	})
}

// said is what happens in a conversation at a version.
func said(number, version uint64) conversation.Event {
	user, message := meter.ID(kindUser, number), meter.ID(kindMessage, number*EventsPerTalk+version)
	switch {
	case version == 1:
		return conversation.Opened{AccountID: user, Topic: conversation.TopicOrder}
	case version%2 == 0:
		return conversation.MessageSent{MessageID: message, Author: conversation.AuthorUser, AuthorID: user, Text: domain.SealedText(sealedText)}
	}
	return conversation.MessageSent{
		MessageID: message, Author: conversation.AuthorBot, Text: domain.SealedText(sealedText),
		InReplyTo: meter.ID(kindMessage, number*EventsPerTalk+version-1),
	}
}

// The table of messages and its rows for bare CQL.
const (
	CreateMessages = "CREATE TABLE rows (conversation_id text, bucket bigint, version bigint, message_id text, author text, " +
		"author_id text, text text, in_reply_to text, sent_at timestamp, PRIMARY KEY ((conversation_id, bucket), version))"
	InsertMessage = "INSERT INTO rows (conversation_id, bucket, version, message_id, author, author_id, text, in_reply_to, sent_at) " +
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
)

// MessageRow is the i-th message's row, for InsertMessage.
func MessageRow(i int) []any {
	number, version := uint64(i/(EventsPerTalk-1)), uint64(i%(EventsPerTalk-1)+2)
	m := said(number, version).(conversation.MessageSent)
	return []any{
		meter.ID(kindTalk, number).String(), int64(0), int64(version), m.MessageID.String(), string(m.Author),
		m.AuthorID.String(), sealedText, m.InReplyTo.String(), time.UnixMilli(1_700_000_000_000 + int64(i)), int64(version),
	}
}
