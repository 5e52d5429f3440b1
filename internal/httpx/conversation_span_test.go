package httpx_test

import (
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/stretchr/testify/require"
)

// TestClosedConversationsOfASpan are found without a look at all that were opened
// after it.
func TestClosedConversationsOfASpan(t *testing.T) {
	s := setupSupport(t)
	user, agent := s.account(api.RoleUser), s.account(api.RoleAgent)
	var talks []*talk
	var opened []string
	for range 20 {
		s.clock = s.clock.Add(24 * time.Hour)
		opened = append(opened, s.clock.Add(time.Second).Format(time.RFC3339Nano))
		k := s.talk(user, "help")
		if len(talks) != 3 {
			k.decide(conversation.Close{By: user.id, Role: conversation.RoleUser, Reason: "done"})
		}
		talks = append(talks, k)
	}
	s.get("/v1/conversations", agent, talks...).is(200, "")
	query := url.Values{"status": {"closed"}, "since": {opened[2]}, "until": {opened[6]}, "limit": {"1"}}
	first := s.get("/v1/conversations?"+query.Encode(), agent).is(200, "").field("items")
	require.Len(t, first, 1, "the newest of the span is on the first page")
	found, _ := s.walk("/v1/conversations", agent, query, "id")
	require.Equal(t, []string{talks[5].id.String(), talks[4].id.String(), talks[2].id.String()}, found)
	all, _ := s.walk("/v1/conversations", agent, url.Values{"status": {"closed"}, "limit": {"7"}}, "id")
	var want []string
	for i, k := range slices.Backward(talks) {
		if i != 3 {
			want = append(want, k.id.String())
		}
	}
	require.Equal(t, want, all, "the same order without a span")
}
