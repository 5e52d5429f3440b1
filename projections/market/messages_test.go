package market_test

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestLongConversationIsPagedFromBothEnds(t *testing.T)    { testLong(t, openSQLite(t), 3500) }
func TestLongConversationIsPagedFromBothEndsCQL(t *testing.T) { testLong(t, openCQL(t), 3500) }

// TestProofLongConversation is the same with 100,000 messages.
func TestProofLongConversation(t *testing.T) {
	if os.Getenv("ADMITONE_PROOF") == "" {
		t.Skip("a long test: it runs in `make proof`")
	}
	t.Run("SQLite", func(t *testing.T) { testLong(t, openSQLite(t), 100_000) })
	t.Run("CQL", func(t *testing.T) { testLong(t, openCQL(t), 100_000) })
}

// testLong: all messages of a talk of a user, the Bot and an agent come back in
// order from either end, from partitions that are bounded.
func testLong(t *testing.T, store readstore.Store, n int) {
	s, k := setupSupport(t, store), longTalk(n)
	s.published(map[uuid.UUID]uuid.UUID{k.id: k.state.AccountID}, k.facts())
	s.rest()

	want := k.messages()
	require.Len(t, want, n)
	for _, limit := range []int{100, 63} {
		require.Equal(t, want, s.messages(k.id, "asc", limit))
		slices.Reverse(want)
		require.Equal(t, want, s.messages(k.id, "desc", limit))
		slices.Reverse(want)
	}
	s.spans(k, want)
	s.bounded(k)
	require.Equal(t, []api.Conversation{k.expected()}, s.list(api.GetConversationsParams{Status: "taken"}))
	s.clean(false)
}

// longTalk is n messages: in its first half the Bot answers, then an agent.
func longTalk(n int) *talk {
	k := newTalk(uuid.New(), uuid.Nil, noon, "help")
	for i := 2; i <= n; i++ {
		m := conversation.Send{MessageID: uuid.New(), Author: conversation.AuthorUser, AuthorID: k.state.AccountID, Text: fmt.Sprintf("message %d", i)}
		switch {
		case i == n/2:
			k.decide(conversation.Take{AgentID: uuid.New(), Role: conversation.RoleAgent})
		case i%2 == 0 && i < n/2:
			m.Author, m.AuthorID, m.InReplyTo = conversation.AuthorBot, uuid.Nil, k.state.LastMessageID
		case i%3 == 0 && i > n/2:
			m.Author, m.AuthorID, m.Role = conversation.AuthorAgent, k.state.AgentID, conversation.RoleAgent
		}
		k.decide(m)
	}
	return k
}

// bounded looks at the partitions of a conversation.
func (s *support) bounded(k *talk) {
	s.t.Helper()
	view, err := s.reader("messages").View(natstest.Context(s.t))
	require.NoError(s.t, err)
	rows, want := map[int64]int{}, map[int64]int{}
	require.NoError(s.t, s.store.Scan(s.agent, view.Table("messages_by_conversation"), func(r readstore.Row) error {
		rows[r[1].(int64)]++
		return nil
	}))
	for _, m := range k.messages() {
		want[(m.Version-1)/1000]++
	}
	require.Equal(s.t, want, rows, "a bucket is a thousand versions")
	buckets, err := s.store.Page(s.agent, view.Table("message_buckets"), readstore.Query{Partition: readstore.Key{k.id.String()}, Limit: 1000})
	require.NoError(s.t, err)
	for i := range want {
		first := 1000*int(i) + 1
		require.Equal(s.t, readstore.Row{k.id.String(), i, int64(first), k.at(first)}, buckets.Rows[i])
	}
	require.Len(s.t, buckets.Rows, len(want))
	home, err := s.store.Get(s.agent, view.Table("messages"), readstore.Key{k.id.String()})
	require.NoError(s.t, err)
	require.Equal(s.t, readstore.Row{k.id.String(), int64(len(k.history)), k.state.AccountID.String(), k.state.Messages}, home[0])
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

// spans reads what was sent between two versions, about the ends of buckets.
func (s *support) spans(k *talk, all []api.Message) {
	s.t.Helper()
	last := len(k.history)
	for _, ends := range [][2]int{{1, 3}, {999, 1002}, {1001, 1001}, {1001, 2001}, {1950, 3050}, {last - 50, last}, {last, last + 100}} {
		p := api.GetMessagesParams{Since: new(time.Time), Until: new(time.Time)}
		*p.Since, *p.Until = k.at(ends[0]), k.at(ends[1])
		want := slices.DeleteFunc(slices.Clone(all), func(m api.Message) bool { return m.SentAt.Before(*p.Since) || !m.SentAt.Before(*p.Until) })
		require.Equal(s.t, want, s.read(k.id, p, 100))
		slices.Reverse(want)
		p.Order = "desc"
		require.Equal(s.t, want, s.read(k.id, p, 100))
	}
}

// messages reads a conversation from one end to the other.
func (s *support) messages(id uuid.UUID, order string, limit int) []api.Message {
	s.t.Helper()
	return s.read(id, api.GetMessagesParams{Order: order}, limit)
}

// read reads a list of messages to its end.
func (s *support) read(id uuid.UUID, p api.GetMessagesParams, limit int) []api.Message {
	s.t.Helper()
	all := []api.Message{}
	p.Limit = &limit
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

// TestVerifyFindsWrongMessages: among many rows of a conversation, one that is not
// as the log says, and one too many.
func TestVerifyFindsWrongMessages(t *testing.T) {
	s, changed, extra, owners := setupSupport(t, openSQLite(t)), longTalk(100), longTalk(100), map[uuid.UUID]uuid.UUID{}
	for _, k := range []*talk{changed, extra} {
		owners[k.id] = k.state.AccountID
		s.published(owners, k.facts())
	}
	s.rest()
	s.clean(false)
	view, err := s.reader("messages").View(natstest.Context(t))
	require.NoError(t, err)
	table := view.Table("messages_by_conversation")
	row := func(k *talk, version int64) readstore.Row {
		return readstore.Row{k.id.String(), int64(0), version, uuid.NewString(), "user", k.state.AccountID.String(), "x", "", noon}
	}
	require.NoError(t, s.store.Write(natstest.Context(t), []readstore.Mutation{
		{Table: table, Row: row(changed, 50), Timestamp: 1000}, {Table: table, Row: row(extra, 999), Timestamp: 1000},
	}))
	found, err := s.projector.Verify(natstest.Context(t), nil)
	require.NoError(t, err)
	require.Equal(t, 2, found.Errors, "%+v", found.Findings)
	require.ElementsMatch(t, []string{changed.id.String(), extra.id.String()}, []string{found.Findings[0].Aggregate, found.Findings[1].Aggregate})
}
