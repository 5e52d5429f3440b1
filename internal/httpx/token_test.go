package httpx_test

import (
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// asksFor reads with a token and the shortest wait.
func (s *stack) asksFor(path string, by account, stream string, id uuid.UUID, version uint64) reply {
	s.t.Helper()
	token := api.Token{Stream: stream, Aggregate: id, Version: version}.String()
	return s.do("GET", path, "", "Authorization", by.bearer, "Consistency-Token", token, "Prefer", "wait=1")
}

// looksAbsent asks for what is there and for what is not: both answers are the same,
// after the whole wait.
func (s *stack) looksAbsent(path, absent string, by account, stream string, id uuid.UUID, version uint64) {
	s.t.Helper()
	began := time.Now()
	there := s.asksFor(path, by, stream, id, version).is(503, "not_yet")
	require.GreaterOrEqual(s.t, time.Since(began), time.Second)
	none := s.asksFor(absent, by, stream, uuid.New(), version).is(503, "not_yet")
	require.Equal(s.t, none.body, there.body)
	require.Equal(s.t, none.header.Get("Retry-After"), there.header.Get("Retry-After"))
}

// TestTokensOfOthersOrdersTellNothing: not whether there is such an order, not its
// version, not that it is parked.
func TestTokensOfOthersOrdersTellNothing(t *testing.T) {
	s := setup(t)
	buyer, stranger, agent := s.account(api.RoleUser), s.account(api.RoleUser), s.account(api.RoleAgent)
	w := bought(buyer)
	s.purchases.put(w)
	path, absent := "/v1/orders/"+w.id.String(), "/v1/orders/"+uuid.NewString()
	s.looksAbsent("/v1/orders", "/v1/orders", stranger, "orders", w.id, 2)
	s.looksAbsent(path, absent, stranger, "orders", w.id, 2)
	s.asksFor(path, buyer, "orders", w.id, 2).is(200, "")
	s.asksFor("/v1/orders", agent, "orders", w.id, 2).is(200, "")

	s.purchases.parked[w.id] = true
	s.looksAbsent("/v1/orders", "/v1/orders", stranger, "orders", w.id, 2)
	s.looksAbsent(path, absent, stranger, "orders", w.id, 2)
	s.asksFor(path, buyer, "orders", w.id, 2).is(503, "parked")
	s.asksFor(path, agent, "orders", w.id, 2).is(503, "parked")
}

// TestTokensOfOthersConversationsTellNothing is the same of conversations and of
// their messages.
func TestTokensOfOthersConversationsTellNothing(t *testing.T) {
	s := setupSupport(t)
	user, stranger := s.account(api.RoleUser), s.account(api.RoleUser)
	k := s.talk(user, "mine")
	absent := "/v1/conversations/" + uuid.NewString()
	for _, sub := range []string{"", "/messages"} {
		s.get(k.path()+sub, user, k).is(200, "")
		s.looksAbsent(k.path()+sub, absent+sub, stranger, "conversations", k.id, k.version)
		for _, role := range []string{api.RoleAgent, api.RoleAdmin, api.RoleBot} {
			s.asksFor(k.path()+sub, s.account(role), "conversations", k.id, k.version).is(200, "")
		}
	}
	s.looksAbsent("/v1/conversations", "/v1/conversations", stranger, "conversations", k.id, k.version)
	s.asksFor("/v1/conversations", user, "conversations", k.id, k.version).is(200, "")
}

// TestOwnNewOrderIsWaitedFor though no row tells yet whose it is.
func TestOwnNewOrderIsWaitedFor(t *testing.T) {
	s := setup(t)
	buyer := s.account(api.RoleUser)
	w := bought(buyer)
	answered := make(chan reply)
	go func() {
		token := api.Token{Stream: "orders", Aggregate: w.id, Version: 2}.String()
		answered <- s.do("GET", "/v1/orders", "", "Authorization", buyer.bearer, "Consistency-Token", token, "Prefer", "wait=10")
	}()
	s.purchases.looked()
	s.purchases.put(w)
	require.Len(t, (<-answered).is(200, "").field("items"), 1)
}
