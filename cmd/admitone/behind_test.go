package main

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// talked is a stream with one conversation, in which the sequences are the versions.
func talked(t *testing.T, n int) (conversationLog, uuid.UUID) {
	t.Helper()
	registry := eventstore.NewRegistry()
	for _, e := range conversation.Events() {
		registry.Register(e)
	}
	s := natstest.Stream(t, natstest.Conn(t, natstest.Server(t)), eventstore.StreamConfig{Registry: registry})
	id, last := uuid.New(), uint64(0)
	for some := range slices.Chunk(make([]eventstore.Event, n), 250) {
		for i := range some {
			some[i] = eventstore.Event{
				ID: uuid.Must(uuid.NewV7()), Aggregate: id, Version: last + uint64(i) + 1, Time: time.Now(), Payload: conversation.Taken{AgentID: uuid.New()},
			}
		}
		sequences, err := s.Append(natstest.Context(t), eventstore.Append{Aggregate: id, ExpectedSequence: last, Events: some})
		require.NoError(t, err)
		last = sequences[0]
	}
	require.EqualValues(t, n, last)
	return conversationLog{stream: s}, id
}

// What follows a version is found without reading all that is before it.
func TestBehindReadsLittleOfALongConversation(t *testing.T) {
	t.Parallel()
	const n, limit = 3000, 20
	log, id := talked(t, n)
	ctx := natstest.Context(t)
	asked, err := log.stream.Conn().SubscribeSync("$JS.API.DIRECT.GET.>")
	require.NoError(t, err)
	for _, version := range []uint64{0, 150, 1000, n - 5} {
		found, err := log.Behind(ctx, id, version, 0, limit)
		require.NoError(t, err)
		require.Len(t, found.Items, min(limit, n-int(version)))
		for i, e := range found.Items {
			require.Equal(t, version+uint64(i)+1, e.Version)
			require.Equal(t, e.Version, e.Sequence)
		}
		require.Equal(t, found.Items[len(found.Items)-1].Sequence, found.Sequence)
		require.NoError(t, log.stream.Conn().Flush())
		requests, _, err := asked.Pending()
		require.NoError(t, err)
		for range requests {
			m, err := asked.NextMsgWithContext(ctx)
			require.NoError(t, err)
			var r struct{ Seq, Batch uint64 }
			require.NoError(t, json.Unmarshal(m.Data, &r))
			require.True(t, r.Batch == 1 || version+1-r.Seq <= 200, "%d from %d on are read for what is behind %d", r.Batch, r.Seq, version)
		}
	}
}

// What stands before the place that a cursor names, in a log that is not in order, is found
// all the same.
func TestBehindFindsWhatStandsBefore(t *testing.T) {
	t.Parallel()
	log, id := talked(t, 600)
	ctx := natstest.Context(t)
	for _, version := range []uint64{0, 7, 300} {
		found, err := log.Behind(ctx, id, version, version+1, 5) // where the next one is
		require.NoError(t, err)
		require.Len(t, found.Items, 5)
		require.Equal(t, version+1, found.Items[0].Version)
	}
}
