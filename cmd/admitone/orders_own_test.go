package main

import (
	"testing"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// An order is its buyer's alone. Others are answered as if there were none, at once,
// also with the token of the write; an admin has its events.
func TestNobodyReadsAnothersOrder(t *testing.T) {
	t.Parallel()
	s := embeddedShop(t, "--sync-interval", "2m")
	seller, buyer, admin := s.person(t, "user"), s.person(t, "user"), s.person(t, "admin")
	others := []person{seller, s.person(t, "user"), s.person(t, "agent"), admin, s.person(t, "bot")}
	a := buyer.Do(t, "POST", "/v1/orders", blackbox.Wanted(offerTicket(t, seller.Client, 2500)), "Prefer", "wait=10")
	require.Equal(t, 201, a.Status, a)
	path, token := a.Header.Get("Location"), a.Header.Get("Consistency-Token")
	reads := func(p person, path, token string) (a blackbox.Answer) {
		t.Helper()
		eventually(t, "the row is there", func() bool {
			a = p.Do(t, "GET", path, "", "Consistency-Token", token, "Prefer", "wait=10")
			return a.Code() != "not_yet"
		})
		return a
	}
	require.Equal(t, 200, reads(buyer, path, token).Status)
	require.Contains(t, string(reads(buyer, "/v1/orders", token).Body), orderOf(t, a).ID)
	late := "orders/" + orderOf(t, a).ID + "@99"
	for _, p := range others {
		for _, token := range []string{token, late} {
			theirs := p.Do(t, "GET", path, "", "Consistency-Token", token)
			require.Equal(t, 404, theirs.Status, theirs)
			none := p.Do(t, "GET", "/v1/orders/"+uuid.NewString(), "")
			require.Equal(t, withoutID(none), withoutID(theirs))
			list := p.Do(t, "GET", "/v1/orders", "", "Consistency-Token", token)
			require.JSONEq(t, `{"items":[],"next_cursor":""}`, string(list.Body))
		}
	}
	require.Equal(t, 200, admin.Do(t, "GET", "/v1/admin/events"+path[len("/v1"):], "").Status)

	// What nobody can read tells nobody whose it is.
	js, err := jetstream.New(blackbox.Connect(t, s.nats))
	require.NoError(t, err)
	broken := uuid.NewString()
	require.NoError(t, blackbox.Publish(t.Context(), js, "orders.0."+broken, blackbox.EventHeader(broken, "order.sung.v1", 1), []byte("{}")))
	for _, p := range append(others, buyer) {
		for _, path := range []string{"/v1/orders/" + broken, "/v1/orders"} {
			require.Equal(t, "parked", reads(p, path, "orders/"+broken+"@1").Code())
		}
	}
}
