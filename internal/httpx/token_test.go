package httpx_test

import (
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// asksFor reads with a token, and waits for it as long as may be.
func (s *stack) asksFor(path string, by account, stream string, id uuid.UUID, version uint64) reply {
	s.t.Helper()
	token := api.Token{Stream: stream, Aggregate: id, Version: version}.String()
	return s.do("GET", path, "", "Authorization", by.bearer, "Consistency-Token", token, "Prefer", "wait=10")
}

// answersWithout holds what is answered to tokens of an aggregate, whatever version
// they name, against what is answered to a request that has none.
func (s *stack) answersWithout(path, same string, by account, stream string, id uuid.UUID) {
	s.t.Helper()
	want := s.do("GET", same, "", "Authorization", by.bearer)
	for _, version := range []uint64{1, 2, 3, 99} {
		got := s.asksFor(path, by, stream, id, version).is(want.status, "")
		require.Equal(s.t, want.body, got.body)
	}
}

// TestTokensOfOthersOrders are met: to others there is no such order, and their lists
// are their own, whatever its version is and though it is parked.
func TestTokensOfOthersOrders(t *testing.T) {
	s := setup(t)
	buyer, others := s.account(api.RoleUser), s.everyRole()
	w := bought(buyer)
	s.purchases.put(w)
	path := "/v1/orders/" + w.id.String()
	for _, parked := range []bool{false, true} {
		s.purchases.parked[w.id] = parked
		for _, by := range others {
			s.asksFor(path, by, "orders", w.id, 2).is(404, "order_not_found")
			s.answersWithout(path, "/v1/orders/"+uuid.NewString(), by, "orders", w.id)
			s.asksFor("/v1/orders", by, "orders", w.id, 2).is(200, "")
			s.answersWithout("/v1/orders", "/v1/orders", by, "orders", w.id)
		}
		for _, p := range []string{path, "/v1/orders"} {
			s.asksFor(p, buyer, "orders", w.id, 2).is(200, "")
		}
	}
	for _, p := range []string{path, "/v1/orders"} {
		s.asksFor(p, buyer, "orders", w.id, 3).is(503, "parked")
	}
}

// everyRole is an account of each role.
func (s *stack) everyRole() (all []account) {
	for _, role := range []string{api.RoleUser, api.RoleAgent, api.RoleAdmin, api.RoleBot} {
		all = append(all, s.account(role))
	}
	return all
}

// TestTokensOfOrdersWithoutARow: nobody can tell whose they are.
func TestTokensOfOrdersWithoutARow(t *testing.T) {
	s := setup(t)
	id, parked := uuid.New(), uuid.New()
	s.purchases.parked[parked] = true
	for _, by := range s.everyRole() {
		for _, path := range []string{"/v1/orders/", "/v1/orders"} {
			at := func(id uuid.UUID) string {
				if path == "/v1/orders" {
					return path
				}
				return path + id.String()
			}
			token := api.Token{Stream: "orders", Aggregate: id, Version: 1}.String()
			s.do("GET", at(id), "", "Authorization", by.bearer, "Consistency-Token", token, "Prefer", "wait=0").is(503, "not_yet")
			s.asksFor(at(parked), by, "orders", parked, 1).is(503, "parked")
		}
	}
}

// TestNewOrderIsWaitedFor though no row tells yet whose it is: its buyer waits for
// the version, and others are told once there is a row.
func TestNewOrderIsWaitedFor(t *testing.T) {
	s := setup(t)
	buyer, other := s.account(api.RoleUser), s.account(api.RoleUser)
	w := bought(buyer)
	asks := func(path string, by account, version uint64) <-chan reply {
		answered := make(chan reply, 1)
		go func() { answered <- s.asksFor(path, by, "orders", w.id, version) }()
		s.purchases.looked()
		return answered
	}
	path := "/v1/orders/" + w.id.String()
	one, list := asks(path, buyer, 2), asks("/v1/orders", buyer, 2)
	othersOne, othersList := asks(path, other, 99), asks("/v1/orders", other, 99)
	w.version = 1
	s.purchases.put(w)
	require.Empty(t, (<-othersList).is(200, "").field("items"))
	(<-othersOne).is(404, "order_not_found")
	w.version = 2
	s.purchases.put(w)
	require.EqualValues(t, 2, (<-one).is(200, "").field("version"))
	items := (<-list).is(200, "").field("items").([]any)
	require.EqualValues(t, 2, items[0].(map[string]any)["version"])
}

// sung is an event that no projection has a type for.
type sung struct{}

func (sung) EventType() string { return "conversation.sung.v1" }

// parks appends to a conversation what nobody can read, and returns once an agent
// is told so by both projections.
func (k *talk) parks() {
	k.s.t.Helper()
	k.version++
	stream := openStream(k.s.t, k.s.nc, "CONVERSATIONS", []sung{{}})
	event := eventstore.Event{ID: uuid.Must(uuid.NewV7()), Aggregate: k.id, Version: k.version, Time: k.s.clock, Payload: sung{}}
	_, err := stream.Append(natstest.Context(k.s.t), eventstore.Append{Aggregate: k.id, ExpectedSequence: k.sequence, Events: []eventstore.Event{event}})
	require.NoError(k.s.t, err)
	agent := k.s.account(api.RoleAgent)
	for _, sub := range []string{"", "/messages"} {
		require.Eventually(k.s.t, func() bool {
			r := k.s.get(k.path()+sub, agent, k).is(503, "")
			return r.field("code") == "parked"
		}, time.Minute, time.Millisecond)
	}
}

// TestTokensOfOthersConversations are met, of conversations and of their messages.
func TestTokensOfOthersConversations(t *testing.T) {
	s := setupSupport(t)
	user, other := s.account(api.RoleUser), s.account(api.RoleUser)
	k := s.talk(user, "mine")
	const list, absent = "/v1/conversations", "/v1/conversations/00000000-0000-4000-8000-000000000000"
	met := func() {
		for _, sub := range []string{"", "/messages"} {
			s.asksFor(k.path()+sub, other, "conversations", k.id, 2).is(404, "conversation_not_found")
			s.answersWithout(k.path()+sub, absent+sub, other, "conversations", k.id)
			for _, by := range []account{user, s.account(api.RoleAgent), s.account(api.RoleAdmin), s.account(api.RoleBot)} {
				s.asksFor(k.path()+sub, by, "conversations", k.id, 2).is(200, "")
			}
		}
		require.Empty(t, s.asksFor(list, other, "conversations", k.id, 2).is(200, "").field("items"))
		s.answersWithout(list, list, other, "conversations", k.id)
		require.Len(t, s.asksFor(list, user, "conversations", k.id, 2).is(200, "").field("items"), 1)
	}
	for _, sub := range []string{"", "/messages"} {
		s.get(k.path()+sub, user, k).is(200, "")
	}
	met()
	k.parks()
	met()
	for _, path := range []string{k.path(), k.path() + "/messages", list} {
		for _, by := range []account{user, s.account(api.RoleAgent)} {
			s.asksFor(path, by, "conversations", k.id, 3).is(503, "parked")
		}
	}
}

// TestTokensOfConversationsWithoutARow: nobody can tell whose they are.
func TestTokensOfConversationsWithoutARow(t *testing.T) {
	s := setupSupport(t)
	parked, none := &talk{s: s, id: uuid.New()}, &talk{s: s, id: uuid.New(), version: 1}
	parked.parks()
	for _, by := range s.everyRole() {
		for _, sub := range []string{"", "/messages"} {
			s.get(parked.path()+sub, by, parked).is(503, "parked")
			s.do("GET", none.path()+sub, "", "Authorization", by.bearer, "Consistency-Token", none.token(), "Prefer", "wait=0").is(503, "not_yet")
		}
		s.get("/v1/conversations", by, parked).is(503, "parked")
		s.do("GET", "/v1/conversations", "", "Authorization", by.bearer, "Consistency-Token", none.token(), "Prefer", "wait=0").is(503, "not_yet")
	}
}
