package eventstore

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Answers as the server words them; several come from clusters under pressure only.
func TestAnswersAreWeighed(t *testing.T) {
	t.Parallel()
	s := &Stream{cfg: StreamConfig{Name: "TOYS"}}
	for text, want := range map[string]answer{
		`{"stream":"TOYS","seq":7}`:                  {verdict: stored, first: 7},
		`{"stream":"TOYS","seq":7,"duplicate":true}`: {verdict: stored, first: 7},
		`{"stream":"ELSE","seq":7}`:                  {verdict: refused},
		``:                                           {verdict: unknown},
		`{"error":{"err_code":10071,"description":"wrong last sequence: 31"}}`: {verdict: conflict, actual: 31},
		`{"error":{"err_code":10164,"description":"wrong last sequence"}}`:     {verdict: inFlight},
		`{"error":{"err_code":10158}}`:                                         {verdict: duplicate},
		`{"error":{"err_code":10201}}`:                                         {verdict: duplicate},
		`{"error":{"err_code":10210}}`:                                         {verdict: notStored},
		`{"error":{"err_code":10176}}`:                                         {verdict: notStored},
		`{"error":{"err_code":10023}}`:                                         {verdict: full},
		`{"error":{"err_code":10047}}`:                                         {verdict: full},
		`{"error":{"err_code":10077,"description":"maximum bytes exceeded"}}`:  {verdict: full},
		`{"error":{"err_code":10077,"description":"message too large"}}`:       {verdict: refused},
		`{"error":{"err_code":10077,"description":"write failed"}}`:            {verdict: unknown},
		`{"error":{"err_code":10060}}`:                                         {verdict: refused},
	} {
		got := s.weigh([]byte(text), 1)
		got.err = nil
		require.Equal(t, want, got, text)
	}
	batch := s.weigh([]byte(`{"stream":"TOYS","seq":7,"batch":"x","count":3}`), 3)
	require.Equal(t, answer{verdict: stored, first: 5}, batch)
	require.Equal(t, unknown, s.weigh([]byte(`{"stream":"TOYS","seq":7,"count":2}`), 3).verdict)
}

func TestServerVersions(t *testing.T) {
	t.Parallel()
	for version, old := range map[string]bool{
		"2.14.4": false, "2.14.3": true, "2.15.0-beta.1": false, "v3.0.0": false, "1.99.9": true, "": true, "2.14": true, "x.y.z": true,
	} {
		require.Equal(t, old, olderThan(version, oldestServer), version)
	}
}

func TestAckSubjects(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{
		"$JS.ACK.TOYS.consumer.1.42.7.1700000000000000001.3",
		"$JS.ACK.domain.hash.TOYS.consumer.1.42.7.1700000000000000001.3",
		"$JS.ACK.domain.hash.TOYS.consumer.1.42.7.1700000000000000001.3.token",
	} {
		r, ok := ReceiptOf(reply)
		require.True(t, ok, reply)
		require.Equal(t, Receipt{Sequence: 42, Number: 7, Deliveries: 1, Stored: time.Unix(0, 1700000000000000001), Pending: 3}, r)
	}
	for _, reply := range []string{"", "_INBOX.x", "$JS.ACK.TOYS.consumer.1.x.7.1.3", "$JS.ACK.TOYS.consumer.1.42.7.1700000000000000001"} {
		_, ok := ReceiptOf(reply)
		require.False(t, ok, reply)
	}
}
