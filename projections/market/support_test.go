package market_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/eventstore/sealed"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/projections/market"
	"github.com/admitone/admitone/readapi"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// seedEnv gives random tests their seed back.
const seedEnv = "ADMITONE_TEST_SEED"

func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if given, err := strconv.ParseUint(os.Getenv(seedEnv), 10, 64); err == nil {
		seed = given
	}
	t.Logf("%s=%d", seedEnv, seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// support is the Auditor's projections with the queries over them, and real keys.
type support struct {
	*world
	js      jetstream.JetStream
	keys    *sealed.Keys
	queries *readapi.ConversationQueries
	agent   context.Context
}

func setupSupport(t testing.TB, store readstore.Store) *support {
	t.Helper()
	s := &support{world: newWorld(t, store)}
	open(s.world, "CONVERSATIONS", conversation.Events())
	all, err := market.Auditor()
	require.NoError(t, err)
	s.run(all)
	s.js, err = jetstream.New(s.nc)
	require.NoError(t, err)
	s.keys, err = sealed.Open(natstest.Context(t), s.js, sealed.Config{})
	require.NoError(t, err)
	s.queries, err = readapi.NewConversationQueries(store, s.reader("conversations"), s.reader("messages"), opener{s.keys}, make([]byte, 32))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	t.Cleanup(cancel)
	s.agent = api.WithCaller(ctx, api.Caller{Account: uuid.New(), Role: api.RoleAgent})
	return s
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

// talk is one conversation as its events tell it.
type talk struct {
	id      uuid.UUID
	began   time.Time
	state   conversation.State
	history []conversation.Event
}

// at is when version 1, 2, 3 … happened.
func (k *talk) at(version int) time.Time { return k.began.Add(time.Duration(version-1) * time.Second) }

// decide sends a command; what it refuses has not happened.
func (k *talk) decide(c conversation.Command) {
	events, err := conversation.Decide(k.state, c)
	if err != nil {
		return
	}
	for _, e := range events {
		k.state = conversation.Evolve(k.state, e)
		k.history = append(k.history, e)
	}
}

func newTalk(owner, order uuid.UUID, began time.Time, text string) *talk {
	k := &talk{id: uuid.New(), began: began, state: conversation.Initial()}
	k.decide(conversation.Open{AccountID: owner, Topic: conversation.TopicOrder, OrderID: order, MessageID: uuid.New(), Text: text})
	return k
}

// say is the next message, of whoever may write it by the dice.
func (k *talk) happen(r *rand.Rand) {
	text := fmt.Sprintf("text %d of %s", len(k.history)+1, k.id)
	message := func(a conversation.Author, by, reply uuid.UUID) conversation.Send {
		return conversation.Send{MessageID: uuid.New(), Author: a, AuthorID: by, Text: text, InReplyTo: reply}
	}
	some := func() (id uuid.UUID) {
		if n := len(k.state.Unanswered); n > 0 {
			id = k.state.Unanswered[r.IntN(n)]
		}
		return id
	}
	switch r.IntN(16) {
	case 0:
		k.decide(conversation.HandOver{Reason: "asks for a person", InReplyTo: some()})
	case 1:
		k.decide(conversation.HandOver{Reason: "does not know"})
	case 2:
		k.decide(conversation.Take{AgentID: uuid.New(), Role: conversation.RoleAdmin})
	case 3, 4, 5:
		m := message(conversation.AuthorAgent, k.state.AgentID, uuid.Nil)
		m.Role = conversation.RoleAgent
		k.decide(m)
	case 6, 7, 8, 9:
		k.decide(message(conversation.AuthorBot, uuid.Nil, some()))
	case 10:
		if r.IntN(10) == 0 {
			k.decide(conversation.Close{By: k.state.AccountID, Role: conversation.RoleUser, Reason: "done"})
		}
	default:
		k.decide(message(conversation.AuthorUser, k.state.AccountID, uuid.Nil))
	}
}

// fact is an event as it lies in the stream.
type fact struct {
	id      uuid.UUID
	version int
	at      time.Time
	event   conversation.Event
}

func (k *talk) facts() []fact {
	all := make([]fact, len(k.history))
	for i, e := range k.history {
		all[i] = fact{id: k.id, version: i + 1, at: k.at(i + 1), event: e}
	}
	return all
}

// published writes facts into the stream in the order given, their texts sealed.
func (s *support) published(owners map[uuid.UUID]uuid.UUID, facts []fact) {
	s.t.Helper()
	var futures []jetstream.PubAckFuture
	for _, f := range facts {
		if m, ok := f.event.(conversation.MessageSent); ok {
			plain, _ := m.Text.Plain()
			text, err := s.keys.Seal(s.agent, sealed.Field{Owner: owners[f.id], Aggregate: f.id, Name: conversation.TextField}, plain)
			require.NoError(s.t, err)
			m.Text = domain.SealedText(text.Sealed)
			f.event = m
		}
		future, err := s.js.PublishMsgAsync(s.message(f))
		require.NoError(s.t, err)
		futures = append(futures, future)
	}
	for _, f := range futures {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			require.NoError(s.t, err)
		case <-time.After(time.Minute):
			require.Fail(s.t, "no acknowledgement of a publish")
		}
	}
}

func (s *support) message(f fact) *nats.Msg {
	body, err := json.Marshal(f.event)
	require.NoError(s.t, err)
	m := nats.NewMsg(s.streams["CONVERSATIONS"].Subject(f.id))
	m.Data = body
	for key, value := range map[string]string{
		"ce-id": uuid.NewString(), "ce-specversion": "1.0", "ce-type": f.event.EventType(), "ce-source": "/conversations",
		"ce-subject": f.id.String(), "ce-version": strconv.Itoa(f.version), "ce-time": f.at.Format(time.RFC3339Nano),
	} {
		m.Header[key] = []string{value}
	}
	return m
}

// token is what a command would have answered last.
func (k *talk) token() string {
	return api.Token{Stream: "conversations", Aggregate: k.id, Version: uint64(len(k.history))}.String()
}

// rest waits until all that is stored is in the rows of live generations.
func (s *support) rest() {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		all, err := s.projector.Status(s.agent)
		if err != nil {
			return false
		}
		for _, p := range all {
			if p.LagEvents > 0 || p.Building != nil || p.Generation == 0 {
				return false
			}
		}
		return true
	}, time.Minute, 10*time.Millisecond)
}

// clean verifies the log and every row, and that both projections build anew.
func (s *support) clean(warnings bool) {
	s.t.Helper()
	found, err := s.projector.Verify(s.agent, nil)
	require.NoError(s.t, err)
	require.Zero(s.t, found.Errors, "%+v", found.Findings)
	require.True(s.t, warnings || found.Warnings == 0, "%+v", found.Findings)
}

func (s *support) rebuilt() {
	s.t.Helper()
	for _, name := range []string{"conversations", "messages"} {
		number, err := s.projector.Rebuild(s.agent, name)
		require.NoError(s.t, err)
		require.Eventually(s.t, func() bool {
			all, err := s.projector.Status(s.agent)
			require.NoError(s.t, err)
			for _, p := range all {
				if p.Name == name {
					return p.Generation == number
				}
			}
			return false
		}, time.Minute, 10*time.Millisecond)
	}
}
