package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/stretchr/testify/require"
)

// supportFleet is three copies of each role that handles messages.
var supportFleet = []string{roleAPI, roleAPI, roleProjector, roleBot, roleBot, roleBot, roleAuditor, roleAuditor, roleAuditor}

// TestProofSupportDesk has 200 users write 10,000 messages to three Bots and three
// Auditors: each message is answered once and stored once.
func TestProofSupportDesk(t *testing.T) {
	proof(t)
	const users, each = 200, 50
	s := fleetShop(fleetCQL(t, supportFleet))
	talk := blackbox.NewInquiries(blackbox.InquiriesConfig{Speakers: s.speakers(t, users), Messages: each, Strict: true})
	began := time.Now()
	talk.Run(t.Context(), t.Context())
	written := time.Since(began)
	s.rests(t)
	answered := time.Since(began)
	require.EqualValues(t, users*each, talk.Commands())
	requireDesk(t, s, talk)
	t.Logf("messages/s: %.0f written, %.0f written and answered", users*each/written.Seconds(), users*each/answered.Seconds())
}

// speakers are new users who write to support.
func (s *shop) speakers(t testing.TB, n int) []blackbox.Speaker {
	t.Helper()
	all := make([]blackbox.Speaker, n)
	for i := range all {
		p := s.person(t, "user")
		all[i] = blackbox.Speaker{Account: p.account.String(), Client: p.Client}
	}
	return all
}

// requireDesk compares what users were told, the log, and the rows, where nothing is
// under way.
func requireDesk(t *testing.T, s *shop, talk *blackbox.Inquiries, sent ...blackbox.Sent) {
	t.Helper()
	require.Empty(t, strings.Join(talk.Faults(), "\n"))
	s.rests(t)
	log := blackbox.Desk(blackbox.ReadStream(t, s.nats, "CONVERSATIONS"))
	require.NotEmpty(t, log)
	require.Empty(t, strings.Join(log.Check(), "\n"))
	require.Empty(t, strings.Join(talk.Compare(log), "\n"))
	require.Empty(t, strings.Join(log.Lacks(sent), "\n"))
	requireSoundFrom(t, s)
	parked := program.Run(t, "parked", "list", "--nats", s.nats)
	require.Equal(t, "nothing is parked\n", parked.Out)

	admin := s.person(t, "admin")
	requireLists(t, admin, log)
	stored := 0
	for id := range log {
		stored += requireStored(t, admin, log, talk, id)
	}
	t.Logf("%d conversations with %d messages: %d of users, %d failed on their way", len(log), stored, talk.Commands(), talk.Away())
}

// requireStored: each message of the log once, in order, with its words. How many
// these are.
func requireStored(t *testing.T, admin person, log blackbox.Desk, talk *blackbox.Inquiries, id string) int {
	t.Helper()
	rows := walk[blackbox.Message](t, admin, "/v1/conversations/"+id+"/messages?limit=100")
	for i, m := range rows {
		if text := talk.Text(id, m.Version); m.Author == "user" && text != "" {
			require.Equal(t, text, m.Text)
		}
		require.NotEmpty(t, m.Text)
		rows[i].Text = ""
	}
	require.Equal(t, log.Messages(id), rows)
	return len(rows)
}

// requireLists: all lists have what the log says, each conversation once and in its
// place.
func requireLists(t *testing.T, admin person, log blackbox.Desk) {
	t.Helper()
	listed := 0
	for _, status := range []string{"open", "waiting", "taken", "closed"} {
		rows := walk[blackbox.Conversation](t, admin, "/v1/conversations?limit=100&status="+status)
		last := ""
		for _, c := range rows {
			require.Equal(t, status, c.Status)
			require.Equal(t, log.Conversation(c.ID), inUTC(t, c))
			place := c.Since
			if place == "" {
				place = "without a message that waits"
			}
			require.LessOrEqual(t, sortable(last), sortable(place), "who waits longest comes first")
			last = place
		}
		listed += len(rows)
	}
	require.Equal(t, len(log), listed)
	seen := map[string]bool{}
	for _, c := range walk[blackbox.Conversation](t, admin, "/v1/conversations?limit=100") {
		require.False(t, seen[c.ID], "listed twice: %s", c.ID)
		seen[c.ID] = true
		require.Equal(t, log.Conversation(c.ID), inUTC(t, c))
	}
	require.Len(t, seen, len(log))
}

// inUTC writes the time in the one form that there is of it.
func inUTC(t *testing.T, c blackbox.Conversation) blackbox.Conversation {
	t.Helper()
	if c.Since != "" {
		at, err := time.Parse(time.RFC3339Nano, c.Since)
		require.NoError(t, err)
		c.Since = at.UTC().Format(time.RFC3339Nano)
	}
	return c
}

// sortable: texts of times sort like them, and before words, but for their fractions.
func sortable(since string) string {
	at, err := time.Parse(time.RFC3339Nano, since)
	if err != nil {
		return since
	}
	return at.UTC().Format("2006-01-02T15:04:05.000")
}

// walk reads a list to its end.
func walk[T any](t testing.TB, p person, path string) (all []T) {
	t.Helper()
	err := eachPage(t.Context(), p, path, func(items []T) { all = append(all, items...) })
	require.NoError(t, err)
	return all
}

// eachPage hands over one page after the other.
func eachPage[T any](ctx context.Context, p person, path string, take func([]T)) error {
	for cursor := ""; ; {
		a, err := p.Send(ctx, "GET", path+"&cursor="+cursor, "")
		if err != nil || a.Status != 200 {
			return fmt.Errorf("GET %s was answered %s (%w)", path, a, err)
		}
		page, err := blackbox.PageOf[T](a)
		if err != nil {
			return err
		}
		take(page.Items)
		if cursor = page.Next; cursor == "" {
			return nil
		}
	}
}
