package market_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestLongConversationIsPagedFromBothEnds(t *testing.T)    { testLong(t, openSQLite(t)) }
func TestLongConversationIsPagedFromBothEndsCQL(t *testing.T) { testLong(t, openCQL(t)) }

// testLong: 3,500 messages of one user come back in order from either end, from
// partitions that are bounded.
func testLong(t *testing.T, store readstore.Store) {
	s := setupSupport(t, store)
	k := newTalk(uuid.New(), uuid.Nil, noon, "help")
	k.decide(conversation.Take{AgentID: uuid.New()})
	for i := 2; i <= 3500; i++ {
		by := conversation.Send{MessageID: uuid.New(), Author: conversation.AuthorUser, AuthorID: k.state.AccountID, Text: fmt.Sprintf("message %d", i)}
		if i%3 == 0 {
			by.Author, by.AuthorID = conversation.AuthorAgent, k.state.AgentID
		}
		k.decide(by)
	}
	k.decide(conversation.Close{By: k.state.AccountID, Role: conversation.RoleUser})
	s.published(map[uuid.UUID]uuid.UUID{k.id: k.state.AccountID}, k.facts())
	s.rest()

	want := k.messages()
	require.Len(t, want, 3500)
	for _, limit := range []int{100, 63} {
		require.Equal(t, want, s.messages(k.id, "asc", limit))
		slices.Reverse(want)
		require.Equal(t, want, s.messages(k.id, "desc", limit))
		slices.Reverse(want)
	}
	s.bounded(k)
	s.clean(false)
}

// bounded looks at the partitions of a conversation.
func (s *support) bounded(k *talk) {
	s.t.Helper()
	view, err := s.reader("messages").View(natstest.Context(s.t))
	require.NoError(s.t, err)
	rows := map[int64]int{}
	require.NoError(s.t, s.store.Scan(s.agent, view.Table("messages_by_conversation"), func(r readstore.Row) error {
		rows[r[1].(int64)]++
		return nil
	}))
	require.Equal(s.t, map[int64]int{0: 998, 1: 1000, 2: 1000, 3: 502}, rows, "a bucket is a thousand versions")
	buckets, err := s.store.Page(s.agent, view.Table("message_buckets"), readstore.Query{Partition: readstore.Key{k.id.String()}, Limit: 100})
	require.NoError(s.t, err)
	var want []readstore.Row
	for i := range 4 {
		first := 1000*i + 1
		want = append(want, readstore.Row{k.id.String(), int64(i), int64(first), k.at(first)})
	}
	require.Equal(s.t, want, buckets.Rows)
	home, err := s.store.Get(s.agent, view.Table("messages"), readstore.Key{k.id.String()})
	require.NoError(s.t, err)
	require.Equal(s.t, readstore.Row{k.id.String(), int64(3503), k.state.AccountID.String(), int64(3500)}, home[0])
}

// messages is what a page of them should have.
func (k *talk) messages() []api.Message {
	var all []api.Message
	for i, e := range k.history {
		m, ok := e.(conversation.MessageSent)
		if !ok {
			continue
		}
		text, _ := m.Text.Plain()
		said := api.Message{
			MessageID: m.MessageID.String(), Version: int64(i + 1), Author: api.MessageAuthor(m.Author), AuthorID: m.AuthorID.String(),
			Text: text, SentAt: k.at(i + 1),
		}
		if m.InReplyTo != uuid.Nil {
			said.InReplyTo = m.InReplyTo.String()
		}
		all = append(all, said)
	}
	return all
}

// messages reads a conversation from one end to the other.
func (s *support) messages(id uuid.UUID, order string, limit int) []api.Message {
	s.t.Helper()
	var all []api.Message
	p := api.GetMessagesParams{Order: order, Limit: &limit}
	for {
		answer, err := s.queries.GetMessages(s.agent, api.GetMessagesRequestObject{ID: id, Params: p})
		require.NoError(s.t, err)
		page := answer.(api.GetMessages200JSONResponse).Body
		all = append(all, page.Items...)
		if p.Cursor = page.NextCursor; p.Cursor == "" {
			return all
		}
		require.Len(s.t, page.Items, limit)
	}
}

// TestTextsAreKeptSealed: no row has a text as it was written.
func TestTextsAreKeptSealed(t *testing.T) {
	s := setupSupport(t, openSQLite(t))
	k := newTalk(uuid.New(), uuid.Nil, noon, "my secret")
	s.published(map[uuid.UUID]uuid.UUID{k.id: k.state.AccountID}, k.facts())
	s.rest()
	view, err := s.reader("messages").View(natstest.Context(t))
	require.NoError(t, err)
	require.NoError(t, s.store.Scan(s.agent, view.Table("messages_by_conversation"), func(r readstore.Row) error {
		require.NotContains(t, fmt.Sprint(r...), "secret")
		require.NotEmpty(t, r[6])
		return nil
	}))
	require.Equal(t, k.messages(), s.messages(k.id, "asc", 1))
	require.NoError(t, s.keys.Erase(natstest.Context(t), k.state.AccountID))
	erased := k.messages()
	erased[0].Text, erased[0].Erased = "", true
	require.Equal(t, erased, s.messages(k.id, "asc", 1))
	s.rebuilt()
	require.Equal(t, erased, s.messages(k.id, "desc", 1))
	s.clean(false)
}
