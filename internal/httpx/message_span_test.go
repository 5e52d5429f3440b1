package httpx_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func rfc(t time.Time) string { return t.Format(time.RFC3339Nano) }

func TestMessagesOfASpan(t *testing.T) {
	s := setupSupport(t)
	user, other := s.account(api.RoleUser), s.account(api.RoleUser)
	k, texts, sent := s.talk(user, "message 0"), []string{"message 0"}, []time.Time{s.clock}
	for i := range 9 {
		k.says(fmt.Sprint("message ", i+1))
		texts, sent = append(texts, fmt.Sprint("message ", i+1)), append(sent, s.clock)
	}
	path := k.path() + "/messages"
	s.get(path, user, k).is(200, "")
	for _, c := range []struct {
		since, until string
		want         []string
	}{
		{"", rfc(sent[3]), texts[:3]},
		{rfc(sent[3]), "", texts[3:]},
		{rfc(sent[3]), rfc(sent[7]), texts[3:7]},
		{rfc(sent[3].Add(1)), rfc(sent[7].Add(1)), texts[4:8]},
		{rfc(sent[7]), rfc(sent[3]), nil},
		{rfc(sent[9].Add(time.Hour)), "", nil},
		{"", rfc(sent[0]), nil},
		{sent[3].In(time.FixedZone("", 3600)).Format(time.RFC3339), "9999-12-31T23:59:59Z", texts[3:]},
	} {
		for _, limit := range []string{"1", "3", "100"} {
			query := url.Values{"limit": {limit}}
			for name, at := range map[string]string{"since": c.since, "until": c.until} {
				if at != "" {
					query.Set(name, at)
				}
			}
			found, _ := s.walk(path, user, query, "text")
			require.Equal(t, c.want, found, "%v", query)
			query.Del("cursor")
			query.Set("order", "desc")
			found, _ = s.walk(path, user, query, "text")
			slices.Reverse(found)
			require.Equal(t, c.want, found, "%v", query)
		}
	}
	span := "?limit=1&since=" + rfc(sent[3])
	s.get(path+span, other).is(404, "conversation_not_found")
	s.get("/v1/conversations/"+uuid.NewString()+"/messages"+span, user).is(404, "conversation_not_found")
	s.get(path+"?since=yesterday", user).is(400, "malformed")
	cursor := s.get(path+span, user).is(200, "").field("next_cursor").(string)
	require.NotEmpty(t, cursor)
	for _, query := range []string{"?cursor=", "?since=" + rfc(sent[4]) + "&cursor=", "?until=" + rfc(sent[3]) + "&cursor="} {
		s.get(path+query+cursor, user).is(400, "invalid_cursor")
	}
}

// TestSearchInASpan: over conversations that ended before it, began behind it, lie
// within it, and reach over its ends.
func TestSearchInASpan(t *testing.T) {
	s := setupSupport(t)
	user, agent := s.account(api.RoleUser), s.account(api.RoleAgent)
	type needle struct {
		text string
		at   time.Time
	}
	var talks []*talk
	said, n := map[*talk][]needle{}, 0
	say := func(k *talk) *talk {
		text := fmt.Sprint("needle ", n)
		if n++; k == nil {
			k = s.talk(user, text)
			talks = append(talks, k)
		} else {
			k.says(text)
		}
		said[k] = append(said[k], needle{text, s.clock})
		return k
	}
	long := say(nil)
	for range 6 {
		k := say(nil)
		say(k)
		say(long)
		say(k)
	}
	s.get(searchPath+"?"+searchFor("x", user).Encode(), agent, talks...).is(200, "")
	within := func(since, until time.Time) (want []string) {
		for _, k := range slices.Backward(talks) {
			for _, n := range slices.Backward(said[k]) {
				if !n.at.Before(since) && n.at.Before(until) {
					want = append(want, n.text)
				}
			}
		}
		return want
	}
	var times []time.Time
	for _, n := range said[long] {
		times = append(times, n.at, n.at.Add(time.Second))
	}
	for i, since := range times {
		for _, until := range times[i:] {
			for _, limit := range []string{"2", "100"} {
				query := searchFor("needle", user)
				query.Set("limit", limit)
				query.Set("since", rfc(since))
				query.Set("until", rfc(until))
				found, _ := s.walk(searchPath, agent, query, "text")
				require.Equal(t, within(since, until), found, "%v", query)
			}
		}
	}
	query := searchFor("needle", user)
	query.Set("limit", "1")
	cursor := s.get(searchPath+"?"+query.Encode(), agent).is(200, "").field("next_cursor").(string)
	query.Set("cursor", cursor)
	query.Set("since", rfc(times[1]))
	s.get(searchPath+"?"+query.Encode(), agent).is(400, "invalid_cursor")
}
