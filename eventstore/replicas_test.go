package eventstore_test

import (
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// A copy that is configured with fewer replicas, or sees a part of the cluster, takes
// none away; one that is configured with more adds them.
func TestReplicasAreNeverLowered(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts three servers")
	}
	ctx := natstest.Context(t)
	nc, err := eventstore.Connect(ctx, startCluster(t)[0])
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	for _, step := range []struct{ wanted, then int }{{1, 1}, {3, 3}, {1, 3}, {0, 3}} {
		s := natstest.Stream(t, nc, eventstore.StreamConfig{Name: "KEPT", Replicas: step.wanted, Registry: toyRegistry()})
		info, err := s.JetStream().Stream(ctx, "KEPT")
		require.NoError(t, err)
		require.Equal(t, step.then, info.CachedInfo().Config.Replicas, "of the stream, opened with %d", step.wanted)

		_, err = eventstore.OpenBucket(ctx, s.JetStream(), jetstream.KeyValueConfig{Bucket: "kept", Replicas: step.wanted})
		require.NoError(t, err)
		info, err = s.JetStream().Stream(ctx, "KV_kept")
		require.NoError(t, err)
		require.Equal(t, step.then, info.CachedInfo().Config.Replicas, "of the bucket, opened with %d", step.wanted)
	}
}

func TestABucketIsOpenedAgain(t *testing.T) {
	t.Parallel()
	ctx := natstest.Context(t)
	js, err := jetstream.New(natstest.Conn(t, natstest.Server(t)))
	require.NoError(t, err)
	for _, ttl := range []time.Duration{time.Hour, time.Hour, time.Minute} {
		kv, err := eventstore.OpenBucket(ctx, js, jetstream.KeyValueConfig{Bucket: "again", TTL: ttl})
		require.NoError(t, err)
		_, err = kv.PutString(ctx, "key", "value")
		require.NoError(t, err)
		status, err := kv.Status(ctx)
		require.NoError(t, err)
		require.Equal(t, ttl, status.TTL())
		require.EqualValues(t, 1, status.Values(), "what it holds stays")
	}
	_, err = eventstore.OpenBucket(ctx, js, jetstream.KeyValueConfig{Bucket: "three", Replicas: 3})
	require.ErrorIs(t, err, eventstore.ErrMisconfigured, "one server has no place for three")
	js.Conn().Close()
	_, err = eventstore.OpenBucket(ctx, js, jetstream.KeyValueConfig{Bucket: "again"})
	require.ErrorIs(t, err, eventstore.ErrUnavailable)
}

// An operator's settings of a bucket stay when the program changes those that are its own.
func TestABucketKeepsWhatAnOperatorHasSet(t *testing.T) {
	t.Parallel()
	ctx := natstest.Context(t)
	js, err := jetstream.New(natstest.Conn(t, natstest.Server(t)))
	require.NoError(t, err)
	_, err = eventstore.OpenBucket(ctx, js, jetstream.KeyValueConfig{Bucket: "set", TTL: time.Hour})
	require.NoError(t, err)
	stream, err := js.Stream(ctx, "KV_set")
	require.NoError(t, err)
	want := stream.CachedInfo().Config
	want.Description, want.MaxBytes, want.Compression, want.MaxMsgsPerSubject = "of an operator", 1<<20, jetstream.S2Compression, 5
	want.AllowMsgTTL, want.MaxConsumers, want.Duplicates = true, 7, 90*time.Second
	want.Metadata["team"] = "tickets"
	stream, err = js.UpdateStream(ctx, want)
	require.NoError(t, err)
	want = stream.CachedInfo().Config
	for _, ttl := range []time.Duration{2 * time.Hour, time.Minute, 0} {
		kv, err := eventstore.OpenBucket(ctx, js, jetstream.KeyValueConfig{Bucket: "set", Description: "of the program", History: 1, TTL: ttl})
		require.NoError(t, err)
		_, err = kv.PutString(ctx, "key", "value")
		require.NoError(t, err)
		stream, err = js.Stream(ctx, "KV_set")
		require.NoError(t, err)
		want.MaxAge = ttl
		if ttl == time.Minute {
			want.Duplicates = ttl // it cannot be longer
		}
		require.Equal(t, want, stream.CachedInfo().Config)
	}
}
