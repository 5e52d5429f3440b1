package main

import (
	"net/url"
	"strings"
	"testing"
	"unicode"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/admitone/admitone/internal/cqltest"
	"github.com/stretchr/testify/require"
)

// hostile is texts that do harm where they are not taken as mere texts. Each has the
// same word in it, to be found by.
var hostile = []string{
	`haystack <script>alert("x")</script> & <b onmouseover='y'>&amp;</b>`,
	"haystack\x00behind NUL\x01\x02\x7f",
	"haystack \x1b[2J\x1b[31mred\x1b]0;title\x07\u009b31m\r\nover\ttab\b\b",
	"\u202ehaystack\u202c \u2066left\u2069 \u200fright \u200b\ufeffe\u0301\u0301\u0301",
	"haystack'; DROP TABLE conversations; -- {{.}} ${HOME} %s%n \\u0000 \\",
	"haystack" + strings.Repeat("𝄞", 3992),
	"haystack " + strings.Repeat("\"\\\U0010ffff\uffff", 997),
}

func TestHostileText(t *testing.T) {
	t.Parallel()
	hostileText(t)
}

func TestHostileTextCQL(t *testing.T) {
	t.Parallel()
	hostileText(t, "--cql", cqltest.Hosts(t)[0], "--keyspace", cqltest.Keyspace(t))
}

// hostileText writes each as a user and as an agent, and as the reason of a closing,
// reads all as they were, and sees them inert in a terminal.
func hostileText(t *testing.T, args ...string) {
	s := embeddedShop(t, args...)
	user, agent := s.person(t, "user"), s.person(t, "agent")
	for _, text := range hostile {
		c := user.opens(t, text)
		path := "/v1/conversations/" + c.ID
		require.Equal(t, 200, agent.Do(t, "POST", path+"/take", "").Status)
		a := agent.Do(t, "POST", path+"/messages", blackbox.Said(text))
		require.Equal(t, 201, a.Status, a)
		reason := string([]rune(text)[:min(500, len([]rune(text)))])
		a = agent.Do(t, "POST", path+"/close", jsonOf(t, map[string]string{"reason": reason}))
		require.Equal(t, 200, a.Status, a)
		c = conversationOf(t, a)
		require.Equal(t, reason, c.Reason)

		require.Equal(t, reason, conversationOf(t, user.reads(t, c, path)).Reason)
		requireBoth(t, text, user.messages(t, c))
		requireBoth(t, text, followed(t, user, path+"/updates"))
		search := "/v1/messages?account_id=" + user.account.String() + "&text=" + url.QueryEscape(part(text))
		requireBoth(t, text, page[blackbox.Message](t, agent.reads(t, c, search)))
		shown := program.Run(t, "events", "show", "conversations/"+c.ID, "--nats", s.nats)
		require.Zero(t, shown.Code, shown.ErrOut)
		requireInert(t, shown.Out)
		require.Contains(t, shown.Out, "haystack", "of the reason")
	}
}

// part is a piece of a text that may be searched for.
func part(text string) string {
	runes := []rune(text)
	from := len([]rune(text[:strings.Index(text, "haystack")]))
	return string(runes[max(0, from-5):min(len(runes), from+20)])
}

// requireBoth: what the user and the agent wrote, whatever the Bot said between.
func requireBoth(t *testing.T, text string, all []blackbox.Message) {
	t.Helper()
	wrote := map[string][]string{}
	for _, m := range all {
		wrote[m.Author] = append(wrote[m.Author], m.Text)
	}
	require.Equal(t, []string{text}, wrote["user"])
	require.Equal(t, []string{text}, wrote["agent"])
}

// followed is the messages among the updates of a conversation.
func followed(t *testing.T, p person, path string) (all []blackbox.Message) {
	t.Helper()
	for _, u := range page[struct{ Message *blackbox.Message }](t, p.Do(t, "GET", path, "")) {
		if u.Message != nil {
			all = append(all, *u.Message)
		}
	}
	return all
}

// requireInert: nothing in it that a terminal acts on but the end of a line.
func requireInert(t *testing.T, shown string) {
	t.Helper()
	for i, r := range shown {
		require.True(t, unicode.IsPrint(r) || r == '\n' || r == '\t', "%q at %d of %q", r, i, shown)
	}
}
