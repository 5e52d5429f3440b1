package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// writer publishes into TICKETS as a foreign program could.
type writer struct {
	t  testing.TB
	js jetstream.JetStream
}

func newWriter(t testing.TB, s *blackbox.Server) writer {
	nc := blackbox.Connect(t, s.NATS())
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	return writer{t, js}
}

func (w writer) publish(id string, version int, kind, body string) {
	w.t.Helper()
	header := blackbox.EventHeader(id, kind, version)
	require.NoError(w.t, blackbox.Publish(w.t.Context(), w.js, "tickets.0."+id, header, []byte(body)))
}

func (w writer) publishListed(id string, version int) {
	w.publish(id, version, "ticket.listed.v1", `{"seller_id":"`+uuid.NewString()+`","title":"Seat","price":{"amount":5,"currency":"EUR"}}`)
}

// parkedItem is one item of GET /v1/admin/parked.
type parkedItem struct {
	Projection  string
	Stream      string
	AggregateID string `json:"aggregate_id"`
	Version     uint64
	Cause       string
	Attempts    int
	Since       time.Time
}

// parkedOver is what the projection of tickets has parked; orders' own copy of them
// parks the same.
func parkedOver(t testing.TB, c *blackbox.Client) map[string]parkedItem {
	t.Helper()
	a := c.Do(t, "GET", "/v1/admin/parked", "")
	require.Equal(t, 200, a.Status, a)
	var page struct{ Items []parkedItem }
	require.NoError(t, json.Unmarshal(a.Body, &page))
	byID := map[string]parkedItem{}
	for _, p := range page.Items {
		if p.Projection == "tickets" {
			byID[p.AggregateID] = p
		}
	}
	return byID
}

// Three events that cannot be read park three tickets, and no others.
func TestPoison(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := program.Serve(t, data)
	w, admin, c := newWriter(t, s), operator(t, data), seller(t, data)
	healthy := list(t, c, 1)[0]
	notJSON, unknown, late := uuid.NewString(), uuid.NewString(), uuid.NewString()
	w.publish(notJSON, 1, "ticket.listed.v1", "{")
	w.publishListed(unknown, 1)
	w.publish(unknown, 2, "ticket.sung.v1", "{}")
	w.publish(late, 2, "ticket.withdrawn.v1", "{}")
	eventually(t, "all three are parked", func() bool { return len(parkedOver(t, admin)) == 3 })

	parked := parkedOver(t, admin)
	require.Equal(t, "tickets", parked[notJSON].Projection)
	require.Equal(t, "TICKETS", parked[notJSON].Stream)
	require.EqualValues(t, 1, parked[notJSON].Version)
	require.Contains(t, parked[unknown].Cause, "ticket.sung.v1")
	require.EqualValues(t, 2, parked[unknown].Version)
	require.Contains(t, parked[late].Cause, "version 1 is not in the stream")
	require.WithinDuration(t, time.Now(), parked[late].Since, time.Minute)
	cli := program.Run(t, "parked", "list", "--json", "--data", data)
	require.Zero(t, cli.Code, cli.ErrOut)
	require.Contains(t, cli.Out, notJSON)
	shown := program.Run(t, "parked", "show", "tickets", unknown, "--data", data)
	require.Contains(t, shown.Out, "ticket.sung.v1")

	// Others go on; this one says so at once, and shows its last good version without a token.
	require.Equal(t, 200, c.Do(t, "PUT", "/v1/tickets/"+healthy+"/price", blackbox.Price(3)).Status)
	requireReadable(t, data, healthy)
	a := c.Do(t, "GET", "/v1/tickets/"+unknown, "", "Consistency-Token", "tickets/"+unknown+"@2", "Prefer", "wait=10")
	require.Equal(t, 503, a.Status, a)
	require.Equal(t, "parked", a.Code(), a)
	require.EqualValues(t, 1, ticketOf(t, c.Do(t, "GET", "/v1/tickets/"+unknown, "")).Version)

	// What can still not be read stays parked, also over a restart.
	require.Equal(t, 204, admin.Do(t, "POST", "/v1/admin/parked/tickets/"+notJSON+"/retry", "").Status)
	require.Equal(t, 204, admin.Do(t, "POST", "/v1/admin/parked/tickets/"+healthy+"/retry", "").Status, "nothing is parked there")
	nothing := admin.Do(t, "POST", "/v1/admin/parked/seats/"+healthy+"/retry", "")
	require.Equal(t, 404, nothing.Status)
	require.Contains(t, string(nothing.Body), "orders_tickets", "it names the projections")
	require.Contains(t, string(nothing.Body), "reservation", "and the processes")
	nothing = admin.Do(t, "POST", "/v1/admin/projections/reservation/rebuild", "")
	require.Equal(t, 404, nothing.Status)
	require.Contains(t, string(nothing.Body), "The names are tickets, orders_tickets")
	retried := program.Run(t, "parked", "retry", "tickets", notJSON, "--data", data)
	require.Equal(t, 1, retried.Code)
	require.Contains(t, retried.ErrOut, "still parked")
	require.Len(t, parkedOver(t, admin), 3)
	require.Zero(t, s.Stop(), s.Log())
	s = program.Serve(t, data)
	require.Len(t, parkedOver(t, admin), 3)

	// The version that was missing comes, and it goes on by itself.
	newWriter(t, s).publishListed(late, 1)
	eventually(t, "it is un-parked", func() bool { return len(parkedOver(t, admin)) == 2 })
	a = c.Do(t, "GET", "/v1/tickets/"+late, "", "Consistency-Token", "tickets/"+late+"@2")
	require.Equal(t, 200, a.Status, a)
	require.Equal(t, "withdrawn", ticketOf(t, a).Status)

	// A rebuild meets the same events, and is content with the same tickets parked.
	rebuilt := program.Run(t, "rebuild", "tickets", "--data", data)
	require.Zero(t, rebuilt.Code, rebuilt.ErrOut)
	eventually(t, "the old generation's marks are gone", func() bool { return len(parkedOver(t, admin)) == 2 })
}
