package httpx_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestGetConversation(t *testing.T) {
	s := setupSupport(t)
	user, agent, order := s.account(api.RoleUser), s.account(api.RoleAgent), uuid.New()
	k := s.talkAbout(user, conversation.TopicOrder, order, "Where is it?")
	opened := s.clock.Format(time.RFC3339Nano) // of its message
	r := s.get(k.path(), user, k).is(200, "")
	require.Equal(t, `"2"`, r.header.Get("ETag"))
	require.Equal(t, "no-cache", r.header.Get("Cache-Control"))
	require.Equal(t, map[string]any{
		"id": k.id.String(), "version": 2.0, "status": "open", "account_id": user.id.String(), "topic": "order", "order_id": order.String(),
		"messages": 1.0, "waiting_since": opened, "opened_at": s.clock.Add(-time.Second).Format(time.RFC3339Nano), "updated_at": opened,
	}, parse(t, r.body))

	k.decide(conversation.HandOver{Reason: "asks for a person", InReplyTo: k.state.Unanswered[0]})
	r = s.get(k.path(), user, k).is(200, "")
	require.Equal(t, []any{"waiting", "asks for a person", opened}, []any{r.field("status"), r.field("reason"), r.field("waiting_since")})
	k.decide(conversation.Take{AgentID: agent.id, Role: conversation.RoleAgent})
	require.Equal(t, opened, s.get(k.path(), user, k).field("waiting_since"), "to be taken is no answer")
	k.decide(conversation.Send{MessageID: uuid.New(), Author: conversation.AuthorAgent, AuthorID: agent.id, Role: conversation.RoleAgent, Text: "Here."})
	r = s.get(k.path(), user, k).is(200, "")
	require.Equal(t, []any{"taken", agent.id.String(), nil}, []any{r.field("status"), r.field("agent_id"), r.field("waiting_since")})

	for _, same := range []string{`"5"`, `W/"5"`, `*`} {
		r := s.do("GET", k.path(), "", "Authorization", user.bearer, "If-None-Match", same).is(304, "")
		require.Empty(t, r.body)
	}
	s.do("GET", k.path(), "", "Authorization", user.bearer, "If-None-Match", "5").is(400, "malformed")
	for _, path := range []string{k.path(), k.path() + "/messages", "/v1/conversations", "/v1/messages?text=x&account_id=" + user.id.String()} {
		late := strings.Replace(k.token(), "@", "@9", 1)
		s.do("GET", path, "", "Authorization", agent.bearer, "Consistency-Token", late, "Prefer", "wait=0").is(503, "not_yet")
		s.do("GET", path, "", "Authorization", agent.bearer, "Consistency-Token", "x").is(400, "malformed")
	}
}

// TestConversationsAreTheirUsersOwn asks each query as everybody.
func TestConversationsAreTheirUsersOwn(t *testing.T) {
	s := setupSupport(t)
	user, other := s.account(api.RoleUser), s.account(api.RoleUser)
	k, theirs := s.talk(user, "mine"), s.talk(other, "another's")
	s.get(k.path(), s.account(api.RoleAgent), k, theirs).is(200, "")
	none := "/v1/conversations/" + uuid.NewString()
	for _, sub := range []string{"", "/messages"} {
		s.do("GET", k.path()+sub, "").is(401, "token_required")
		s.get(k.path()+sub, user, k).is(200, "")
		for _, role := range []string{api.RoleAgent, api.RoleAdmin, api.RoleBot} {
			s.get(k.path()+sub, s.account(role), k).is(200, "")
			s.get(none+sub, s.account(role)).is(404, "conversation_not_found")
		}
		absent := s.get(none+sub, other).is(404, "conversation_not_found")
		hidden := s.do("GET", k.path()+sub, "", "Authorization", other.bearer, "If-None-Match", "*").is(404, "conversation_not_found")
		require.Equal(t, absent.body, hidden.body, "nothing tells that there is such a conversation")
	}
	ids := func(r reply) (all []string) {
		for _, item := range r.is(200, "").field("items").([]any) {
			all = append(all, item.(map[string]any)["id"].(string))
		}
		return all
	}
	const list = "/v1/conversations"
	s.do("GET", list, "").is(401, "token_required")
	for _, query := range []string{"", "?status=open", "?account_id=" + user.id.String()} {
		require.Equal(t, []string{k.id.String()}, ids(s.get(list+query, user, k)), query)
		s.do("GET", list+query, "").is(401, "token_required")
	}
	for _, by := range []account{other, s.account(api.RoleBot)} {
		s.get(list+"?account_id="+user.id.String(), by).is(403, "not_own_account")
		require.NotContains(t, ids(s.get(list, by)), k.id.String())
	}
	for _, role := range []string{api.RoleAgent, api.RoleAdmin} {
		by := s.account(role)
		for _, query := range []string{"", "?status=open"} {
			require.ElementsMatch(t, []string{k.id.String(), theirs.id.String()}, ids(s.get(list+query, by)), query)
		}
		require.Equal(t, []string{k.id.String()}, ids(s.get(list+"?account_id="+user.id.String(), by)))
		s.get("/v1/messages?text=x&account_id="+user.id.String(), by).is(200, "")
	}
	s.do("GET", "/v1/messages?text=x&account_id="+user.id.String(), "").is(401, "token_required")
	for _, by := range []account{user, other, s.account(api.RoleBot)} {
		s.get("/v1/messages?text=x&account_id="+user.id.String(), by).is(403, "role_required")
	}
}

// walk reads a list to its end and returns one field of its items.
func (s *support) walk(path string, by account, query url.Values, field string) (all []string, pages int) {
	s.t.Helper()
	for {
		r := s.do("GET", path+"?"+query.Encode(), "", "Authorization", by.bearer).is(200, "")
		pages++
		require.Less(s.t, pages, 100, "the list has an end")
		for _, item := range r.field("items").([]any) {
			all = append(all, fmt.Sprint(item.(map[string]any)[field]))
		}
		next := r.field("next_cursor").(string)
		if next == "" {
			return all, pages
		}
		query.Set("cursor", next)
	}
}

func TestConversationListFilters(t *testing.T) {
	s := setupSupport(t)
	user, other, agent, order := s.account(api.RoleUser), s.account(api.RoleUser), s.account(api.RoleAgent), uuid.New()
	var talks []*talk
	var want []string
	for i := range 15 {
		by, topic, about := user, conversation.TopicOther, uuid.Nil
		if i%3 == 0 {
			by = other
		}
		if i%2 == 0 {
			topic, about = conversation.TopicOrder, order
		}
		s.clock = s.clock.Add(8 * 24 * time.Hour) // over several months
		k := s.talkAbout(by, topic, about, "help")
		talks, want = append(talks, k), append(want, k.id.String())
	}
	openedAt := func(i int) time.Time {
		return s.clock.Add(-time.Second + time.Duration(i-14)*(8*24*time.Hour+2*time.Second))
	}
	opened := func(i int) string { return openedAt(i).Format(time.RFC3339Nano) }
	s.get("/v1/conversations", agent, talks...).is(200, "")
	those := func(keep func(i int) bool) (ids []string) {
		for i := range slices.Backward(want) {
			if keep(i) {
				ids = append(ids, want[i])
			}
		}
		return ids
	}
	for _, c := range []struct {
		by    account
		query url.Values
		keep  func(i int) bool
	}{
		{agent, url.Values{}, func(int) bool { return true }},
		{user, url.Values{}, func(i int) bool { return i%3 != 0 }},
		{agent, url.Values{"account_id": {other.id.String()}}, func(i int) bool { return i%3 == 0 }},
		{agent, url.Values{"order_id": {order.String()}}, func(i int) bool { return i%2 == 0 }},
		{agent, url.Values{"order_id": {order.String()}, "account_id": {user.id.String()}}, func(i int) bool { return i%2 == 0 && i%3 != 0 }},
		{agent, url.Values{"account_id": {other.id.String()}, "status": {"open"}}, func(i int) bool { return i%3 == 0 }},
		{agent, url.Values{"order_id": {order.String()}, "status": {"open"}}, func(i int) bool { return i%2 == 0 }},
		{user, url.Values{"order_id": {order.String()}}, func(i int) bool { return i%2 == 0 && i%3 != 0 }},
		{agent, url.Values{"topic": {"order"}}, func(i int) bool { return i%2 == 0 }},
		{agent, url.Values{"topic": {""}, "status": {""}, "since": {opened(4)}, "until": {opened(9)}}, func(i int) bool { return i >= 4 && i < 9 }},
		{user, url.Values{"until": {opened(9)}}, func(i int) bool { return i < 9 && i%3 != 0 }},
		{user, url.Values{"until": {openedAt(8).Add(1).Format(time.RFC3339Nano)}}, func(i int) bool { return i < 9 && i%3 != 0 }},
		{agent, url.Values{"until": {"9999-12-31T23:59:59.9999-12:00"}}, func(int) bool { return true }},
		{agent, url.Values{"since": {"9999-12-31T23:59:59Z"}}, func(int) bool { return false }},
		{agent, url.Values{"topic": {"payment"}}, func(int) bool { return false }},
	} {
		for _, limit := range []string{"1", "4", "100"} {
			c.query.Set("limit", limit)
			c.query.Del("cursor")
			found, _ := s.walk("/v1/conversations", c.by, c.query, "id")
			require.Equal(t, those(c.keep), found, "%v", c.query)
		}
	}
	found, _ := s.walk("/v1/conversations", agent, url.Values{"status": {"open"}, "limit": {"4"}}, "id")
	require.Equal(t, want, found, "the inbox begins with who waits longest")
	found, _ = s.walk("/v1/conversations", agent, url.Values{"status": {"open"}, "limit": {"4"}, "since": {opened(4)}, "until": {opened(9)}}, "id")
	require.Equal(t, want[4:9], found)

	stranger := s.account(api.RoleUser)
	r := s.get("/v1/conversations?limit=1&order_id="+order.String(), stranger).is(200, "")
	require.JSONEq(t, `{"items":[],"next_cursor":""}`, string(r.body), "no cursor leads through what is not one's own")
}

func TestConversationListParameters(t *testing.T) {
	s := setupSupport(t)
	user, agent := s.account(api.RoleUser), s.account(api.RoleAgent)
	k, again := s.talk(user, "one"), s.talk(user, "two")
	s.get("/v1/conversations", agent, k, again).is(200, "")
	messages, search := k.path()+"/messages", "/v1/messages?account_id="+user.id.String()
	for path, want := range map[string][]string{
		"/v1/conversations?limit=0": {"limit"}, "/v1/conversations?limit=101&status=x&topic=y": {"status", "topic", "limit"},
		messages + "?limit=101&order=up": {"order", "limit"}, search + "&text=": {"text"},
		search + "&limit=0&text=" + strings.Repeat("x", 201): {"text", "limit"},
	} {
		require.Equal(t, want, s.get(path, agent).is(422, "invalid").pointers(), path)
	}
	s.get("/v1/conversations?since=yesterday", agent).is(400, "malformed")
	s.get("/v1/messages?text=x", agent).is(400, "malformed")

	k.says("three")
	s.get(messages, user, k).is(200, "")
	cursor := func(path string) string {
		next := s.get(path, agent, k).is(200, "").field("next_cursor").(string)
		require.NotEmpty(t, next)
		return next
	}
	listed, asc, found := cursor("/v1/conversations?limit=1"), cursor(messages+"?limit=1"), cursor(search+"&text=o&limit=1")
	for _, forged := range []string{"x", listed[:len(listed)-4], strings.ToUpper(asc), asc + "AAAA"} {
		for _, path := range []string{"/v1/conversations?", messages + "?", search + "&text=o&"} {
			s.get(path+"cursor="+forged, agent).is(400, "invalid_cursor")
		}
	}
	for _, other := range []string{
		"/v1/conversations?status=open&cursor=" + listed, messages + "?order=desc&cursor=" + asc, again.path() + "/messages?cursor=" + asc,
		search + "&text=two&cursor=" + found, messages + "?cursor=" + found, search + "&text=o&cursor=" + listed,
	} {
		s.get(other, agent).is(400, "invalid_cursor")
	}
	s.get("/v1/conversations?cursor="+listed, user).is(400, "invalid_cursor")
	s.get(messages+"?order=asc&limit=7&cursor="+asc, user).is(200, "")
}
