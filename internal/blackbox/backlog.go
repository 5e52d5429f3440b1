package blackbox

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// repricings is how often each ticket of a backlog changes after it was listed.
const repricings = 9

// inFlight is how many messages of a backlog wait for their acknowledgement.
const inFlight = 4096

// backlogTimeout bounds the wait for an acknowledgement.
const backlogTimeout = 3 * time.Minute

// Backlog publishes tickets of ten events each straight into the stream of a
// server with one partition, those of a hundred tickets mixed, without a
// command's cost.
func Backlog(t testing.TB, url string, tickets int) {
	t.Helper()
	nc := Connect(t, url)
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(inFlight))
	require.NoError(t, err)
	seller := uuid.NewString()
	for left := tickets; left > 0; left -= 100 {
		ids := make([]string, min(left, 100))
		for i := range ids {
			ids[i] = uuid.Must(uuid.NewV7()).String()
		}
		for version := 1; version <= 1+repricings; version++ {
			for _, id := range ids {
				_, err := js.PublishMsgAsync(backlogEvent(t, id, seller, version), jetstream.WithStallWait(backlogTimeout))
				require.NoError(t, err)
			}
		}
	}
	awaitBacklog(t, js)
}

// OrderBacklog publishes orders that await their payment straight into the stream
// of a server with one partition.
func OrderBacklog(t testing.TB, url string, orders int, expires time.Time) {
	t.Helper()
	nc := Connect(t, url)
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(inFlight))
	require.NoError(t, err)
	placed := fmt.Sprintf(`{"ticket_id":%q,"buyer_id":%q,"seller_id":%q,"title":"Seat","price":%s,"expires_at":%q}`,
		uuid.NewString(), uuid.NewString(), uuid.NewString(), Price(1), expires.UTC().Format(time.RFC3339Nano))
	for range orders {
		id := uuid.Must(uuid.NewV7()).String()
		for i, e := range [][2]string{{"order.placed.v1", placed}, {"order.confirmed.v1", "{}"}} {
			m := nats.NewMsg("orders.0." + id)
			for name, value := range EventHeader(id, e[0], i+1) {
				m.Header.Set(name, value)
			}
			m.Header.Set("ce-source", "/orders")
			m.Data = []byte(e[1])
			_, err := js.PublishMsgAsync(m, jetstream.WithStallWait(backlogTimeout))
			require.NoError(t, err)
		}
	}
	awaitBacklog(t, js)
}

func awaitBacklog(t testing.TB, js jetstream.JetStream) {
	t.Helper()
	select {
	case <-js.PublishAsyncComplete():
	case <-time.After(backlogTimeout):
		require.FailNow(t, "the backlog is not acknowledged")
	}
}

func backlogEvent(t testing.TB, id, seller string, version int) *nats.Msg {
	kind := "ticket.repriced.v1"
	payload := map[string]any{"price": json.RawMessage(Price(int64(version)))}
	if version == 1 {
		kind = "ticket.listed.v1"
		payload["seller_id"], payload["title"] = seller, "Seat"
	}
	body, err := json.Marshal(payload)
	require.NoError(t, err)
	m := nats.NewMsg("tickets.0." + id)
	for name, value := range EventHeader(id, kind, version) {
		m.Header.Set(name, value)
	}
	m.Data = body
	return m
}

// EventHeader is the headers that every event of a ticket has.
func EventHeader(id, kind string, version int) map[string]string {
	event := uuid.Must(uuid.NewV7()).String()
	return map[string]string{
		"Nats-Msg-Id": event, "ce-id": event, "ce-specversion": "1.0", "ce-type": kind, "ce-source": "/tickets",
		"ce-subject": id, "ce-time": time.Now().UTC().Format(time.RFC3339Nano), "ce-version": fmt.Sprint(version),
	}
}
