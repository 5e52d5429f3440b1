package httpx_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/sealed"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/projections/market"
	"github.com/admitone/admitone/readapi"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// support is a stack whose conversations are read from the Auditor's projections,
// over a stream that the test writes to.
type support struct {
	*stack
	stream *eventstore.Stream
	sealed *sealed.Keys
	clock  time.Time

	conversations, messages readstore.Reader
}

func setupSupport(t testing.TB) *support {
	t.Helper()
	s := &support{stack: setup(t), clock: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	s.stream = openStream(t, s.nc, "CONVERSATIONS", conversation.Events())
	js, err := jetstream.New(s.nc)
	require.NoError(t, err)
	s.sealed, err = sealed.Open(natstest.Context(t), js, sealed.Config{})
	require.NoError(t, err)
	all, err := market.Auditor()
	require.NoError(t, err)
	projector, err := projections.New(natstest.Context(t), s.rows.store, map[string]*eventstore.Stream{"CONVERSATIONS": s.stream}, projections.Config{}, all...)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- projector.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	s.conversations, err = projector.Reader("conversations")
	require.NoError(t, err)
	s.messages, err = projector.Reader("messages")
	require.NoError(t, err)
	s.answerFrom(s.messages)
	require.Eventually(t, func() bool {
		_, err := s.conversations.View(ctx)
		_, err2 := s.messages.View(ctx)
		return err == nil && err2 == nil
	}, time.Minute, time.Millisecond)
	return s
}

// answerFrom lets the queries read messages from a projection.
func (s *support) answerFrom(messages readstore.Reader) {
	s.t.Helper()
	queries, err := readapi.NewConversationQueries(s.rows.store, s.conversations, messages, opener{s.sealed}, s.keys.Cursor())
	require.NoError(s.t, err)
	*s.talks = *queries
}

// opener opens texts with real keys.
type opener struct{ keys *sealed.Keys }

func (o opener) OpenTexts(ctx context.Context, items []readapi.SealedText) ([]readapi.OpenedText, error) {
	all := make([]sealed.Item, len(items))
	for i, item := range items {
		all[i] = sealed.Item{
			Field: sealed.Field{Owner: item.Owner, Aggregate: item.Conversation, Name: conversation.TextField}, Text: sealed.Text{Sealed: item.Sealed},
		}
	}
	found, err := o.keys.OpenTexts(ctx, all)
	if err != nil {
		return nil, err
	}
	opened := make([]readapi.OpenedText, len(found))
	for i, f := range found {
		if f.Err != nil && !errors.Is(f.Err, sealed.ErrErased) {
			return nil, f.Err
		}
		opened[i] = readapi.OpenedText{Text: f.Text, Erased: f.Err != nil}
	}
	return opened, nil
}

// talk is a conversation that the test leads, a second between any two events.
type talk struct {
	s        *support
	id       uuid.UUID
	owner    account
	state    conversation.State
	version  uint64
	sequence uint64
}

func (s *support) talk(by account, text string) *talk {
	s.t.Helper()
	return s.talkAbout(by, conversation.TopicOther, uuid.Nil, text)
}

func (s *support) talkAbout(by account, topic conversation.Topic, order uuid.UUID, text string) *talk {
	s.t.Helper()
	k := &talk{s: s, id: uuid.New(), owner: by, state: conversation.Initial()}
	k.decide(conversation.Open{AccountID: by.id, Topic: topic, OrderID: order, MessageID: uuid.New(), Text: text})
	return k
}

// says is a message of the user.
func (k *talk) says(texts ...string) {
	k.s.t.Helper()
	for _, text := range texts {
		k.decide(conversation.Send{MessageID: uuid.New(), Author: conversation.AuthorUser, AuthorID: k.owner.id, Text: text})
	}
}

// decide appends what a command leads to, sealed.
func (k *talk) decide(c conversation.Command) {
	k.s.t.Helper()
	decided, err := conversation.Decide(k.state, c)
	require.NoError(k.s.t, err)
	var events []eventstore.Event
	for _, e := range decided {
		k.state = conversation.Evolve(k.state, e)
		k.version++
		k.s.clock = k.s.clock.Add(time.Second)
		events = append(events, eventstore.Event{
			ID: uuid.Must(uuid.NewV7()), Aggregate: k.id, Version: k.version, Time: k.s.clock, Payload: k.seal(e),
		})
	}
	sequences, err := k.s.stream.Append(natstest.Context(k.s.t), eventstore.Append{Aggregate: k.id, ExpectedSequence: k.sequence, Events: events})
	require.NoError(k.s.t, err)
	k.sequence = sequences[len(sequences)-1]
}

func (k *talk) seal(e conversation.Event) conversation.Event {
	m, is := e.(conversation.MessageSent)
	if !is {
		return e
	}
	plain, _ := m.Text.Plain()
	field := sealed.Field{Owner: k.state.AccountID, Aggregate: k.id, Name: conversation.TextField}
	text, err := k.s.sealed.Seal(natstest.Context(k.s.t), field, plain)
	require.NoError(k.s.t, err)
	m.Text = domain.SealedText(text.Sealed)
	return m
}

func (k *talk) path() string { return "/v1/conversations/" + k.id.String() }

func (k *talk) token() string {
	return api.Token{Stream: "conversations", Aggregate: k.id, Version: k.version}.String()
}

// get reads once all that was said in some talks is in the rows.
func (s *support) get(path string, by account, talks ...*talk) reply {
	s.t.Helper()
	return s.do("GET", path, "", s.waiting(by, talks)...)
}

func (s *support) waiting(by account, talks []*talk) []string {
	tokens := ""
	for _, k := range talks {
		tokens += "," + k.token()
	}
	return []string{"Authorization", by.bearer, "Consistency-Token", tokens, "Prefer", "wait=10"}
}

// answer is the Bot's, to the newest message.
func (k *talk) answer() {
	k.s.t.Helper()
	newest := k.state.Unanswered[len(k.state.Unanswered)-1]
	k.decide(conversation.Send{MessageID: uuid.New(), Author: conversation.AuthorBot, Text: "I see.", InReplyTo: newest})
}
