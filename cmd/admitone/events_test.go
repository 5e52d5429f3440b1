package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// tailed runs events tail and returns its events.
func tailed(t testing.TB, data string, args ...string) []loggedEvent {
	t.Helper()
	r := program.Run(t, append([]string{"events", "tail", "--json", "--data", data}, args...)...)
	require.Zero(t, r.Code, r.ErrOut)
	return eventsIn(t, r.Out)
}

func eventsIn(t testing.TB, out string) (events []loggedEvent) {
	t.Helper()
	for line := range strings.Lines(out) {
		var e loggedEvent
		require.NoError(t, json.Unmarshal([]byte(line), &e), line)
		events = append(events, e)
	}
	return events
}

func versionsOf(events []loggedEvent) (versions []string) {
	for _, e := range events {
		versions = append(versions, e.reference())
	}
	return versions
}

func TestEventsTail(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := program.Serve(t, data, "--partitions", "4")
	c := seller(t, data)
	ids := list(t, c, 3)
	require.Equal(t, 200, c.Do(t, "PUT", "/v1/tickets/"+ids[0]+"/price", blackbox.Price(7)).Status)
	all := []string{"tickets/" + ids[0] + "@1", "tickets/" + ids[1] + "@1", "tickets/" + ids[2] + "@1", "tickets/" + ids[0] + "@2"}

	require.Equal(t, all, versionsOf(tailed(t, data)))
	require.Equal(t, all[:2], versionsOf(tailed(t, data, "--limit", "2")))
	require.Equal(t, all[2:], versionsOf(tailed(t, data, "--stream", "tickets", "--from-seq", "3")))
	require.Empty(t, tailed(t, data, "--stream", "tickets", "--from-seq", "5"))
	require.Empty(t, tailed(t, data, "--stream", "orders"))
	require.Equal(t, []string{all[0], all[3]}, versionsOf(tailed(t, data, "--aggregate", ids[0])))
	require.Equal(t, all[3:], versionsOf(tailed(t, data, "--type", "ticket.repriced")))
	require.Equal(t, all[:3], versionsOf(tailed(t, data, "--type", "ticket.listed.v1")))
	require.Empty(t, tailed(t, data, "--type", "ticket.list"))
	require.Equal(t, all, versionsOf(tailed(t, data, "--since", "1h")))
	stored := tailed(t, data)[2].StoredAt
	require.Equal(t, all[2:], versionsOf(tailed(t, data, "--since", stored.Format(time.RFC3339Nano))))
	require.Empty(t, tailed(t, data, "--since", stored.Add(time.Hour).Format(time.RFC3339Nano)))

	for _, wrong := range [][]string{
		{"--stream", "songs"}, {"--from-seq", "2"}, {"--since", "yesterday"}, {"--aggregate", "x"}, {"--limit", "-1"}, {"--since", "1h", "--from-seq", "1", "--stream", "tickets"},
	} {
		r := program.Run(t, append([]string{"events", "tail", "--data", data}, wrong...)...)
		require.Equal(t, 1, r.Code, wrong)
		require.Contains(t, r.ErrOut, strings.TrimLeft(wrong[0], "-"))
	}
	require.Zero(t, s.Stop(), s.Log())
	require.Equal(t, 1, program.Run(t, "events", "tail", "--data", data).Code)
}

// Following goes on over a restart of the broker, and misses and repeats nothing.
func TestEventsTailFollows(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := program.Serve(t, data)
	ids := list(t, seller(t, data), 1)
	following := program.Begin(t.Context(), "events", "tail", "-f", "--limit", "7", "--json", "--data", data)
	ids = append(ids, list(t, seller(t, data), 2)...)
	s.Kill()
	s = program.Serve(t, data)
	ids = append(ids, list(t, seller(t, data), 2)...)
	require.Zero(t, s.Stop(), s.Log())
	program.Serve(t, data)
	ids = append(ids, list(t, seller(t, data), 2)...)
	r := <-following
	require.Zero(t, r.Code, r.ErrOut)
	var want []string
	for _, id := range ids {
		want = append(want, "tickets/"+id+"@1")
	}
	require.Equal(t, want, versionsOf(eventsIn(t, r.Out)))
}

// shown runs events show and returns its events with their states.
func shown(t testing.TB, data, reference string) (events []statedEvent) {
	t.Helper()
	r := program.Run(t, "events", "show", reference, "--json", "--data", data)
	require.Zero(t, r.Code, r.ErrOut)
	for line := range strings.Lines(r.Out) {
		var e statedEvent
		require.NoError(t, json.Unmarshal([]byte(line), &e), line)
		events = append(events, e)
	}
	return events
}

func statusOf(t testing.TB, state []byte) string {
	t.Helper()
	var s struct {
		Status string
		Price  struct{ Amount int64 }
	}
	require.NoError(t, json.Unmarshal(state, &s), string(state))
	return fmt.Sprint(s.Status, " ", s.Price.Amount)
}

func TestEventsShow(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	program.Serve(t, data)
	c := seller(t, data)
	id := list(t, c, 1)[0]
	require.Equal(t, 200, c.Do(t, "PUT", "/v1/tickets/"+id+"/price", blackbox.Price(7)).Status)
	require.Equal(t, 200, c.Do(t, "POST", "/v1/tickets/"+id+"/withdraw", "").Status)
	events := shown(t, data, "tickets/"+id)
	require.Len(t, events, 3)
	for i, want := range []string{"available 100", "available 7", "withdrawn 7"} {
		require.Equal(t, want, statusOf(t, events[i].State))
	}

	second := events[1].StoredAt.Format(time.RFC3339Nano)
	for at, want := range map[string]string{"1": "available 100", "3": "withdrawn 7", second: "available 7", "0s": "withdrawn 7"} {
		r := program.Run(t, "events", "show", "TICKETS/"+id, "--at", at, "--json", "--data", data)
		require.Zero(t, r.Code, r.ErrOut)
		var then struct{ State json.RawMessage }
		require.NoError(t, json.Unmarshal([]byte(r.Out), &then))
		require.Equal(t, want, statusOf(t, then.State), at)
	}
	for at, words := range map[string]string{"4": "last one is 3", "1h": "did not exist", "soon": "neither"} {
		r := program.Run(t, "events", "show", "tickets/"+id, "--at", at, "--data", data)
		require.Equal(t, 1, r.Code)
		require.Contains(t, r.ErrOut, words)
	}
	for reference, words := range map[string]string{"tickets/" + uuid.NewString(): "no event", "songs/" + id: "not known", id: "names no aggregate"} {
		r := program.Run(t, "events", "show", reference, "--data", data)
		require.Equal(t, 1, r.Code)
		require.Contains(t, r.ErrOut, words)
	}
}

// What cannot be read, or does not count, is shown as such, and does no harm to a
// terminal.
func TestEventsShowHostile(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := program.Serve(t, data)
	w := newWriter(t, s)
	unread, hole, twice, nothing := uuid.NewString(), uuid.NewString(), uuid.NewString(), uuid.NewString()
	w.publishListed(unread, 1)
	w.publish(unread, 2, "ticket.sung.v1", "{\"a\":\n\"\u009b31m\u202e\"}")
	w.publish(unread, 3, "ticket.withdrawn.v1", "{}")
	w.publish(hole, 3, "ticket.withdrawn.v1", "{}")
	w.publishListed(hole, 1)
	w.publishListed(twice, 1)
	w.publish(twice, 1, "ticket.withdrawn.v1", "{}")
	w.publish(twice, 2, "ticket.repriced.v1", `{"price":{"amount":9,"currency":"EUR"}}`)
	w.publish(nothing, 0, "\x1b]0;x", "\x1b[31m\xff")

	events := shown(t, data, "tickets/"+unread)
	require.Equal(t, "available 5", statusOf(t, events[0].State))
	require.Contains(t, events[1].Problem, "cannot be read")
	require.Contains(t, events[1].Unknown, "version 2 cannot be read")
	require.Contains(t, events[2].Unknown, "version 2 cannot be read")
	require.Equal(t, "null", string(events[2].State))

	events = shown(t, data, "tickets/"+hole)
	require.Equal(t, "available 5", statusOf(t, events[0].State), "order is by version")
	require.Contains(t, events[1].Unknown, "version 2 is not in the stream")

	events = shown(t, data, "tickets/"+twice)
	require.Contains(t, events[1].Problem, "does not count")
	require.Equal(t, "available 9", statusOf(t, events[2].State), "the first in the stream counts")
	r := program.Run(t, "events", "show", "tickets/"+unread, "--at", "3", "--data", data)
	require.Equal(t, 1, r.Code)
	require.Contains(t, r.ErrOut, "not known")

	for _, args := range [][]string{{"show", "tickets/" + unread}, {"show", "tickets/" + nothing}, {"tail"}, {"tail", "--json"}, {"show", "tickets/" + nothing, "--json"}} {
		r := program.Run(t, append([]string{"events", "--data", data}, args...)...)
		require.Zero(t, r.Code, r.ErrOut)
		require.NotContains(t, r.Out, "\x1b")
		require.NotContains(t, r.Out, "\u009b")
		require.NotContains(t, r.Out, "\u202e")
		require.Equal(t, strings.ToValidUTF8(r.Out, ""), r.Out)
	}
	require.Len(t, tailed(t, data), 9)
}

// Each stream's events become a state.
func TestFoldsAreComplete(t *testing.T) {
	t.Parallel()
	for _, c := range contexts() {
		next, ok := folds()[c.stream]
		require.True(t, ok, "%s has no fold", c.stream)
		for _, e := range c.events {
			require.NotPanics(t, func() { next()(e) })
		}
	}
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	require.Equal(t, "Zoë 音楽 🎫", printable("Zoë 音楽 🎫"))
	require.Equal(t, `\u001b[2J\u000a\u009b\u202e\ufffd\u007f`, printable("\x1b[2J\n\u009b\u202e\xff\x7f"))
	var back string
	require.NoError(t, json.Unmarshal([]byte(printable("\"\U000e0001\u200b\"")), &back))
	require.Equal(t, "\U000e0001\u200b", back, "JSON stays the same JSON")
}

// Several streams are shown in the one order that their events were stored in.
func TestEventsTailMerges(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	w := newWriter(t, program.Serve(t, data))
	var want []string
	for range 5 {
		ticket, order := uuid.NewString(), uuid.NewString()
		w.publishListed(ticket, 1)
		require.NoError(t, blackbox.Publish(t.Context(), w.js, "orders.0."+order, blackbox.EventHeader(order, "order.sung.v1", 1), []byte("{}")))
		want = append(want, "tickets/"+ticket+"@1", "orders/"+order+"@1")
	}
	require.Equal(t, want, versionsOf(tailed(t, data)))
	require.Equal(t, want, versionsOf(tailed(t, data, "--follow", "--limit", "10")))
}
