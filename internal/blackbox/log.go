package blackbox

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// Logged is one event as it stands in the log.
type Logged struct {
	Sequence  uint64
	Version   uint64
	Type      string
	CommandID string
	Price     int64     // 0 where the event holds none
	Seller    string    // empty where the event holds none
	Time      time.Time // when it happened, by the clock of the copy that handled the command
	Stored    time.Time // by the broker's clock
	Data      []byte
}

// ReadLog reads stream TICKETS from a broker: all events by aggregate, in the
// order of the log.
func ReadLog(t testing.TB, url string) map[string][]Logged {
	t.Helper()
	return ReadStream(t, url, "TICKETS")
}

// ReadStream is ReadLog of another event stream.
func ReadStream(t testing.TB, url, name string) map[string][]Logged {
	t.Helper()
	nc := Connect(t, url)
	defer nc.Close()
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	stream, err := js.Stream(t.Context(), name)
	require.NoError(t, err)
	consumer, err := stream.OrderedConsumer(t.Context(), jetstream.OrderedConsumerConfig{})
	require.NoError(t, err)
	events := map[string][]Logged{}
	for left := stream.CachedInfo().State.Msgs; left > 0; {
		batch, err := consumer.Fetch(int(min(left, 1000)), jetstream.FetchMaxWait(10*time.Second))
		require.NoError(t, err)
		before := left
		for m := range batch.Messages() {
			id := m.Subject()[strings.LastIndexByte(m.Subject(), '.')+1:]
			events[id] = append(events[id], logged(t, m))
			left--
		}
		require.NoError(t, batch.Error())
		require.Less(t, left, before, "the log ends before its last event")
	}
	return events
}

func logged(t testing.TB, m jetstream.Msg) Logged {
	meta, err := m.Metadata()
	require.NoError(t, err)
	h := m.Headers()
	version, _ := strconv.ParseUint(h.Get("ce-version"), 10, 64)
	happened, _ := time.Parse(time.RFC3339Nano, h.Get("ce-time"))
	var payload struct {
		Seller string `json:"seller_id"`
		Price  struct{ Amount int64 }
	}
	_ = json.Unmarshal(m.Data(), &payload)
	return Logged{
		Sequence: meta.Sequence.Stream, Version: version, Type: h.Get("ce-type"),
		CommandID: h.Get("ce-commandid"), Price: payload.Price.Amount, Seller: payload.Seller, Time: happened, Stored: meta.Timestamp, Data: m.Data(),
	}
}

// Connect opens a connection to a broker, until the end of the test at most.
func Connect(t testing.TB, url string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, nats.Name(t.Name()), nats.Timeout(10*time.Second))
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// Publish stores a message in an event stream as any other writer could, and
// returns once it is stored.
func Publish(ctx context.Context, js jetstream.JetStream, subject string, header map[string]string, body []byte) error {
	m := nats.NewMsg(subject)
	for name, value := range header {
		m.Header.Set(name, value)
	}
	m.Data = body
	_, err := js.PublishMsg(ctx, m)
	return err
}
