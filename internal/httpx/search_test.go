package httpx_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/admitone/admitone/api"
	"github.com/stretchr/testify/require"
)

const searchPath = "/v1/messages"

func searchFor(text string, by account) url.Values {
	return url.Values{"account_id": {by.id.String()}, "text": {text}}
}

// TestSearchFindsEachOnce pages through hits in many conversations.
func TestSearchFindsEachOnce(t *testing.T) {
	s := setupSupport(t)
	user, other, agent := s.account(api.RoleUser), s.account(api.RoleUser), s.account(api.RoleAgent)
	var talks []*talk
	var want []string
	for i := range 7 {
		first, second, third := fmt.Sprintf("ΟΔΟΣ Refund %d.0", i), fmt.Sprintf("a reFUND %d.1", i), fmt.Sprintf("refund %d.2 οδος", i)
		k := s.talk(user, first)
		k.says("nothing", second, "nothing", third)
		talks = append(talks, k, s.talk(other, "refund"))
		want = append([]string{third, second, first}, want...)
	}
	s.get(searchPath+"?"+searchFor("x", user).Encode(), agent, talks...).is(200, "")
	for _, limit := range []string{"1", "2", "3", "20", "21", "22", "100"} {
		query := searchFor("REFUND", user)
		query.Set("limit", limit)
		found, _ := s.walk(searchPath, agent, query, "text")
		require.Equal(t, want, found, "limit %s", limit)
	}
	found, _ := s.walk(searchPath, agent, searchFor("οδοσ", user), "text")
	require.Len(t, found, 14, "all forms of a letter are the same")
	ids, _ := s.walk(searchPath, agent, searchFor("refund 3.2", user), "conversation_id")
	require.Equal(t, []string{talks[6].id.String()}, ids)
	r := s.get(searchPath+"?"+searchFor("nowhere", user).Encode(), agent).is(200, "")
	require.JSONEq(t, `{"items":[],"next_cursor":"","partial":false}`, string(r.body))
	r = s.get(searchPath+"?"+searchFor("refund", s.account(api.RoleUser)).Encode(), agent).is(200, "")
	require.JSONEq(t, `{"items":[],"next_cursor":"","partial":false}`, string(r.body))
}

// TestSearchIsBounded: a page opens no more than it may, says that it is partial,
// and the next ones find what is left, though more is said meanwhile.
func TestSearchIsBounded(t *testing.T) {
	s := setupSupport(t)
	user, agent := s.account(api.RoleUser), s.account(api.RoleAgent)
	old := s.talk(user, "the needle of old")
	var short []*talk
	want := []string{"the needle of old"}
	for i := range 150 {
		text := fmt.Sprintf("hay %d", i)
		if i%10 == 0 {
			text += " with a needle"
			want = append(want, text)
		}
		short = append(short, s.talk(user, text))
	}
	k := s.talk(user, "the first needle")
	for i := range 2500 {
		if k.says("hay"); i%900 == 899 { // the domain bounds what waits for an answer
			k.answer()
		}
	}
	for some := range slices.Chunk(append(short, old, k), 20) {
		s.get(searchPath+"?"+searchFor("x", user).Encode(), agent, some...).is(200, "")
	}

	query, pages := searchFor("Needle", user), 0
	var found []string
	for cursor := "start"; cursor != ""; pages++ {
		r := s.get(searchPath+"?"+query.Encode(), agent).is(200, "")
		for _, item := range r.field("items").([]any) {
			found = append(found, item.(map[string]any)["text"].(string))
		}
		cursor = r.field("next_cursor").(string)
		require.Equal(t, cursor != "", r.field("partial"))
		require.Equal(t, pages == 0, len(found) == 0, "the first page ends before the first needle")
		query.Set("cursor", cursor)
		k.says("one more needle")
		s.get(k.path()+"/messages", agent, k).is(200, "")
	}
	want = append(want, "the first needle")
	slices.Reverse(want)
	require.Equal(t, want, found)
	require.Equal(t, 3, pages, "2,000 messages, then 100 conversations, then the rest")
}
