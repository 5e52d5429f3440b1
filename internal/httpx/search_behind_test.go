package httpx_test

import (
	"context"
	"testing"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/readstore"
	"github.com/stretchr/testify/require"
)

// laggard is the projection messages with other home rows: as it was before it came
// to what the test leaves out.
type laggard struct {
	readstore.Reader
	home *readstore.Table
}

func (b laggard) View(ctx context.Context) (readstore.View, error) {
	view, err := b.Reader.View(ctx)
	return laggardView{view, b.home}, err
}

type laggardView struct {
	readstore.View
	home *readstore.Table
}

func (v laggardView) Table(name string) *readstore.Table {
	if name == "messages" {
		return v.home
	}
	return v.View.Table(name)
}

// messagesBehind answers from messages that have nothing yet; reach lets them come
// to a version of a conversation.
func (s *support) messagesBehind() (reach func(k *talk, version int64)) {
	s.t.Helper()
	view, err := s.messages.View(s.t.Context())
	require.NoError(s.t, err)
	home, store := view.Table("messages").Named("messages_behind"), s.rows.store
	require.NoError(s.t, store.Ensure(s.t.Context(), home))
	s.answerFrom(laggard{s.messages, home})
	return func(k *talk, version int64) {
		s.t.Helper()
		row := readstore.Row{k.id.String(), version, k.owner.id.String(), version - 1}
		require.NoError(s.t, store.Write(s.t.Context(), []readstore.Mutation{{Table: home, Row: row, Timestamp: version}}))
	}
}

// TestSearchTellsWhatItMissed: conversations whose messages are behind are not passed
// over as if nothing were in them, on whichever page that is.
func TestSearchTellsWhatItMissed(t *testing.T) {
	s := setupSupport(t)
	user, agent := s.account(api.RoleUser), s.account(api.RoleAgent)
	oldest, older, newest := s.talk(user, "oldest needle"), s.talk(user, "older needle"), s.talk(user, "newest needle")
	newest.says("newer needle")
	s.get(searchPath+"?"+searchFor("x", user).Encode(), agent, oldest, older, newest).is(200, "")
	search := func(limit string) (found []string, partial []bool) {
		t.Helper()
		query := searchFor("needle", user)
		query.Set("limit", limit)
		for {
			r := s.get(searchPath+"?"+query.Encode(), agent).is(200, "")
			for _, item := range r.field("items").([]any) {
				found = append(found, item.(map[string]any)["text"].(string))
			}
			partial = append(partial, r.field("partial").(bool))
			next := r.field("next_cursor").(string)
			if next == "" {
				return found, partial
			}
			query.Set("cursor", next)
		}
	}
	all := []string{"newer needle", "newest needle", "older needle", "oldest needle"}
	is := func(want []string, missed bool) {
		t.Helper()
		for limit, pages := range map[string]int{"1": len(want) + 1, "100": 1} {
			found, partial := search(limit)
			require.Equal(t, want, found)
			require.Len(t, partial, pages)
			for i, p := range partial {
				require.Equal(t, missed || i < pages-1, p, "page %d of %d", i+1, pages)
			}
		}
	}
	is(all, false)
	reach := s.messagesBehind()
	reach(oldest, 2)
	reach(older, 2)
	is(all[2:], true)
	reach(newest, 2)
	is(all[1:], true)
	reach(newest, 3)
	is(all, false)
}
