package market_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestConversationsAreAsTheirEvents(t *testing.T)    { testConversations(t, openSQLite(t), 60) }
func TestConversationsAreAsTheirEventsCQL(t *testing.T) { testConversations(t, openCQL(t), 20) }

// testConversations: whatever order the events of random talks lie in, each one's
// row, each list and the inbox are what the events say; live, and built anew.
func testConversations(t *testing.T, store readstore.Store, n int) {
	s, r := setupSupport(t, store), seeded(t)
	accounts, orders := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}, []uuid.UUID{{}, uuid.New(), uuid.New()}
	owners := map[uuid.UUID]uuid.UUID{}
	var talks []*talk
	var facts []fact
	for range n {
		began := noon.Add(-time.Duration(r.IntN(150*24*3600)) * time.Second)
		k := newTalk(accounts[r.IntN(3)], orders[r.IntN(3)], began, "help")
		for range r.IntN(40) {
			k.happen(r)
		}
		owners[k.id] = k.state.AccountID
		talks, facts = append(talks, k), append(facts, k.facts()...)
	}
	r.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
	s.published(owners, facts)
	s.rest()
	s.clean(true) // it warns that versions are out of order
	s.compare(talks, accounts, orders)
	s.rebuilt()
	s.clean(true)
	s.compare(talks, accounts, orders)
}

func (s *support) compare(talks []*talk, accounts, orders []uuid.UUID) {
	s.t.Helper()
	var all []api.Conversation
	for _, k := range talks {
		want := k.expected()
		all = append(all, want)
		answer, err := s.queries.GetConversation(s.agent, api.GetConversationRequestObject{ID: k.id, Params: api.GetConversationParams{ConsistencyToken: k.token()}})
		require.NoError(s.t, err)
		require.Equal(s.t, want, answer.(api.GetConversation200JSONResponse).Body)
		require.Equal(s.t, k.messages(), s.messages(k.id, "asc", 7))
	}
	slices.SortFunc(all, newestFirst)
	of := func(keep func(api.Conversation) bool) []api.Conversation {
		return append([]api.Conversation{}, slices.DeleteFunc(slices.Clone(all), func(c api.Conversation) bool { return !keep(c) })...)
	}
	require.Equal(s.t, all, s.list(api.GetConversationsParams{}))
	for _, account := range accounts {
		want := of(func(c api.Conversation) bool { return c.AccountID == account.String() })
		require.Equal(s.t, want, s.list(api.GetConversationsParams{AccountID: &account}))
	}
	for _, order := range orders[1:] {
		want := of(func(c api.Conversation) bool { return c.OrderID == order.String() })
		require.Equal(s.t, want, s.list(api.GetConversationsParams{OrderID: &order}))
	}
	for _, status := range []api.ConversationStatus{"open", "waiting", "taken", "closed"} {
		want := of(func(c api.Conversation) bool { return c.Status == status })
		slices.SortStableFunc(want, longestWaitFirst)
		require.Equal(s.t, want, s.list(api.GetConversationsParams{Status: status}), status)
	}
}

func newestFirst(a, b api.Conversation) int {
	return cmp.Or(b.OpenedAt.Compare(a.OpenedAt), cmp.Compare(a.ID, b.ID))
}

// longestWaitFirst has those that do not wait last, as they are.
func longestWaitFirst(a, b api.Conversation) int {
	switch x, y := a.WaitingSince, b.WaitingSince; {
	case x.IsZero() && y.IsZero():
		return 0
	case x.IsZero():
		return 1
	case y.IsZero():
		return -1
	default:
		return cmp.Or(x.Compare(y), cmp.Compare(a.ID, b.ID))
	}
}

// list reads a list to its end.
func (s *support) list(p api.GetConversationsParams) []api.Conversation {
	s.t.Helper()
	all, limit := []api.Conversation{}, 7
	p.Limit = &limit
	for {
		answer, err := s.queries.GetConversations(s.agent, api.GetConversationsRequestObject{Params: p})
		require.NoError(s.t, err)
		page := answer.(api.GetConversations200JSONResponse).Body
		all = append(all, page.Items...)
		if p.Cursor = page.NextCursor; p.Cursor == "" {
			return all
		}
	}
}

// expected folds the events by the domain's own rules, but for who waits.
func (k *talk) expected() api.Conversation {
	st, n := k.state, len(k.history)
	c := api.Conversation{
		ID: k.id.String(), Version: int64(n), Status: api.ConversationStatus(st.Status), AccountID: st.AccountID.String(),
		Topic: api.ConversationTopic(st.Topic), Messages: st.Messages, Reason: st.Reason,
		OpenedAt: k.at(1), UpdatedAt: k.at(n),
	}
	if st.OrderID != uuid.Nil {
		c.OrderID = st.OrderID.String()
	}
	if st.AgentID != uuid.Nil {
		c.AgentID = st.AgentID.String()
	}
	place := map[uuid.UUID]int{}
	for i, e := range k.history {
		if m, ok := e.(conversation.MessageSent); ok {
			place[m.MessageID] = i
		}
	}
	for i, e := range k.history {
		if m, ok := e.(conversation.MessageSent); ok && m.Author == conversation.AuthorUser && !k.answered(i, place) {
			c.WaitingSince = k.at(i + 1)
			break
		}
	}
	return c
}

// answered says whether anything after the user's message i has answered it: an
// agent, or the end of it all, or the Bot with an answer to it or to a later one,
// unless it had been left to an agent before.
func (k *talk) answered(i int, place map[uuid.UUID]int) bool {
	left := false
	for _, e := range k.history[i+1:] {
		switch e := e.(type) {
		case conversation.Closed:
			return true
		case conversation.Taken:
			left = true
		case conversation.HandedOver:
			left = left || e.InReplyTo == uuid.Nil || place[e.InReplyTo] >= i
		case conversation.MessageSent:
			if e.Author == conversation.AuthorAgent || e.Author == conversation.AuthorBot && !left && place[e.InReplyTo] >= i {
				return true
			}
		}
	}
	return false
}
