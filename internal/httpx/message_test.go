package httpx_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestMessagesArePagedFromBothEnds(t *testing.T) {
	s := setupSupport(t)
	user := s.account(api.RoleUser)
	k, want := s.talk(user, "message 0"), []string{"message 0"}
	for i := range 44 {
		want = append(want, fmt.Sprint("message ", i+1))
		k.says(want[i+1])
	}
	s.get(k.path()+"/messages", user, k).is(200, "")
	for _, limit := range []string{"", "1", "44", "45", "46", "100"} {
		query := url.Values{"cursor": {""}}
		if limit != "" {
			query.Set("limit", limit)
		}
		found, pages := s.walk(k.path()+"/messages", user, query, "text")
		require.Equal(t, want, found)
		require.True(t, limit != "" || pages == 3, "20 to a page unless a limit is named")
		query.Del("cursor")
		query.Set("order", "desc")
		found, _ = s.walk(k.path()+"/messages", user, query, "text")
		slices.Reverse(found)
		require.Equal(t, want, found)
	}
	first := s.get(k.path()+"/messages?limit=1", user).field("items").([]any)[0]
	require.Equal(t, []string{"author", "author_id", "message_id", "sent_at", "text", "version"}, keysOf(first), "what is not there is absent")
	k.decide(conversation.Send{MessageID: uuid.New(), Author: conversation.AuthorBot, Text: "I see.", InReplyTo: k.state.Unanswered[44]})
	last := s.get(k.path()+"/messages?order=desc&limit=1", user, k).field("items").([]any)[0].(map[string]any)
	require.Equal(t, []any{"bot", uuid.Nil.String(), "I see.", 47.0}, []any{last["author"], last["author_id"], last["text"], last["version"]})
	require.NotEmpty(t, last["in_reply_to"])
}

func keysOf(object any) (keys []string) {
	for key := range object.(map[string]any) {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// hostile are texts that a careless program would change, run or choke on.
var hostile = []string{
	`<script>alert("x")</script> & &amp; '; DROP TABLE messages; --`,
	"a\x00b\x00", "\x1b[31mred\x1b[0m\x07\x08\x7f", "\u202etxt.exe\u2066\u2069\u200f", "line\r\nbreak\u2028\u2029\ttab", "\ufeff\ufffd\ufffe\U0010ffff",
	strings.Repeat("😀", 4000), strings.Repeat("\x01", 4000), `{"sealed":"x"}`, "%00%s%d \\u0000 \\", " e\u0301 é ",
}

func TestHostileTextComesBackAsItWas(t *testing.T) {
	s := setupSupport(t)
	user, agent := s.account(api.RoleUser), s.account(api.RoleAgent)
	k := s.talk(user, hostile[0])
	k.says(hostile[1:]...)
	s.get(k.path()+"/messages", user, k).is(200, "")
	found, _ := s.walk(k.path()+"/messages", user, url.Values{"limit": {"4"}}, "text")
	require.Equal(t, hostile, found)
	for _, text := range []string{"<SCRIPT>", "b\x00", "\u202eTXT", "\x1b[31mRED", "😀😀", "%S%D"} {
		r := s.get("/v1/messages?account_id="+user.id.String()+"&text="+url.QueryEscape(text), agent).is(200, "")
		require.Len(t, r.field("items"), 1, "%q", text)
	}
	require.Empty(t, s.get("/v1/messages?account_id="+user.id.String()+"&text=%FF%FE", agent).is(200, "").field("items"), "no text has what is not UTF-8")
}

func TestErasedTexts(t *testing.T) {
	s := setupSupport(t)
	user, other, agent := s.account(api.RoleUser), s.account(api.RoleUser), s.account(api.RoleAgent)
	k, kept := s.talk(user, "my secret"), s.talk(other, "another secret")
	search := func(by account) []any {
		return s.get("/v1/messages?text=secret&account_id="+by.id.String(), agent, k, kept).is(200, "").field("items").([]any)
	}
	require.Len(t, search(user), 1)
	require.NoError(t, s.sealed.Erase(t.Context(), user.id))
	for _, by := range []account{user, agent} {
		item := s.get(k.path()+"/messages", by).is(200, "").field("items").([]any)[0].(map[string]any)
		require.Equal(t, []any{"", true}, []any{item["text"], item["erased"]})
	}
	require.Empty(t, search(user))
	require.Len(t, search(other), 1, "others keep theirs")
	s.get(k.path(), user).is(200, "")
}
