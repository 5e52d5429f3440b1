package httpx_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/admitone/admitone/api"
	"github.com/stretchr/testify/require"
)

// A page of long texts, with all that belongs to them, stays far below what a broker
// passes on in one message.
const largestPage = 320 << 10

// longTexts are of the greatest length, each another, in characters that JSON writes
// with six bytes.
func longTexts(n int) (all []string) {
	for i := range n {
		name := fmt.Sprintf("%03d", i)
		all = append(all, name+strings.Repeat("\x01", 4000-len(name)))
	}
	return all
}

// pagesOf reads a list to its end by pages of 100, none of them large, and gives the
// texts in it.
func pagesOf(t *testing.T, get func(query string) reply, textOf func(item map[string]any) string) (all []string) {
	t.Helper()
	pages := 0
	for cursor := "start"; cursor != ""; pages++ {
		query := "limit=100"
		if pages > 0 {
			query += "&cursor=" + cursor
		}
		r := get(query).is(200, "")
		require.Less(t, len(r.body), largestPage)
		items := r.items()
		if len(items) == 0 {
			break
		}
		for _, item := range items {
			all = append(all, textOf(item))
		}
		cursor = r.field("next_cursor").(string)
	}
	require.Greater(t, pages, 3)
	return all
}

func TestPagesOfMessagesEndBySize(t *testing.T) {
	s := setupSupport(t)
	user, agent := s.account(api.RoleUser), s.account(api.RoleAgent)
	want := longTexts(40)
	k := s.talk(user, want[0])
	k.says(want[1:]...)
	s.get(k.path()+"/messages?limit=1", user, k).is(200, "")
	text := func(item map[string]any) string { return item["text"].(string) }
	require.Equal(t, want, pagesOf(t, func(q string) reply { return s.get(k.path()+"/messages?"+q, user) }, text))
	slices.Reverse(want)
	require.Equal(t, want, pagesOf(t, func(q string) reply { return s.get(k.path()+"/messages?order=desc&"+q, user) }, text))
	require.Equal(t, want, pagesOf(t, func(q string) reply {
		return s.get(searchPath+"?"+searchFor("\x01", user).Encode()+"&"+q, agent)
	}, text))
}

func TestPagesOfUpdatesEndBySize(t *testing.T) {
	s := setupDesk(t)
	user := s.account(api.RoleUser)
	want := longTexts(40)
	path := s.open(user, want[0])
	for _, text := range want[1:] {
		s.post(user, path+"/messages", body(t, "text", text)).is(201, "")
	}
	versions := 0
	found := pagesOf(t, func(q string) reply { return s.get(user, path+"/updates?"+q) }, func(item map[string]any) string {
		versions++
		require.EqualValues(t, versions, item["version"])
		if m, is := item["message"].(map[string]any); is {
			return m["text"].(string)
		}
		return ""
	})
	require.Equal(t, append([]string{""}, want...), found)
	require.Len(t, s.get(user, path+"/updates?after=5&limit=2").is(200, "").items(), 2)
}
