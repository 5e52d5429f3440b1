package eventstore_test

import (
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

func TestStreamSettings(t *testing.T) {
	ctx := natstest.Context(t)
	s := setup(t, func(c *eventstore.StreamConfig) { c.MaxBytes, c.Partitions = 1<<20, 8 })
	h, err := s.JetStream().Stream(ctx, s.Name())
	require.NoError(t, err)
	c := h.CachedInfo().Config
	require.Equal(t, []string{s.Subject(uuid.Nil)[:len(s.Name())] + ".>"}, c.Subjects)
	require.Equal(t, jetstream.FileStorage, c.Storage)
	require.Equal(t, jetstream.DiscardNew, c.Discard)
	require.EqualValues(t, 1<<20, c.MaxBytes)
	require.Equal(t, 1, c.Replicas)
	require.True(t, c.DenyDelete && c.DenyPurge && c.AllowDirect && c.AllowAtomicPublish)
	require.False(t, c.AllowRollup)
	require.Equal(t, "8", c.Metadata["admitone-partitions"])
	require.Error(t, h.DeleteMsg(ctx, 1), "nothing can be removed")
	require.Error(t, h.Purge(ctx))

	state, err := s.State(ctx)
	require.NoError(t, err)
	require.True(t, state.Created.Equal(s.Created()))
	require.Zero(t, state.LastSequence)
}

func TestSubjectsAndPartitions(t *testing.T) {
	s := setup(t, func(c *eventstore.StreamConfig) { c.Name, c.Partitions = "TICKETS", 8 })
	id := uuid.MustParse("0190f3a1-7b1c-7c3e-9d55-8a4f5e6b7c3d") // 0x3d modulo 8 is 5
	require.Equal(t, 5, s.Partition(id))
	require.Equal(t, "tickets.5."+id.String(), s.Subject(id))
	require.Equal(t, "tickets.5.*", s.Filter(5))
}

func TestFilterIsEmptyWhereNothingElseIsThere(t *testing.T) {
	one := func(c *eventstore.StreamConfig) { c.Name, c.Partitions = "TICKETS", 1 }
	require.Empty(t, setup(t, one).Filter(0))
	shared := setup(t, one, func(c *eventstore.StreamConfig) { c.Shared = true })
	require.Equal(t, "tickets.0.*", shared.Filter(0))
}

func TestPartitionsAreFixed(t *testing.T) {
	ctx := natstest.Context(t)
	nc := natstest.Conn(t, natstest.Server(t))
	open := func(p int) (*eventstore.Stream, error) {
		return eventstore.OpenStream(ctx, nc, eventstore.StreamConfig{Name: "FIXED", Partitions: p, Registry: toyRegistry()})
	}
	_, err := open(8)
	require.NoError(t, err)
	_, err = open(4)
	require.ErrorIs(t, err, eventstore.ErrMisconfigured)
	require.ErrorContains(t, err, "it has 8 partitions, the configuration says 4")
	s, err := open(0)
	require.NoError(t, err, "0 follows the stream")
	require.Equal(t, 8, s.Partitions())
}

func TestConfigFaultsAreReportedAtOnce(t *testing.T) {
	nc := natstest.Conn(t, natstest.Server(t))
	_, err := eventstore.OpenStream(natstest.Context(t), nc, eventstore.StreamConfig{Name: "bad name", Partitions: 3, Replicas: 9, MaxBytes: -2})
	require.ErrorIs(t, err, eventstore.ErrMisconfigured)
	for _, fault := range []string{"bad name", "partitions are 3", "replicas are 9", "byte limit is -2", "registry"} {
		require.ErrorContains(t, err, fault)
	}
	r := eventstore.NewRegistry()
	r.Register(late{})
	_, err = eventstore.OpenStream(natstest.Context(t), nc, eventstore.StreamConfig{Name: "GOOD", Registry: r})
	require.ErrorContains(t, err, "no upcaster from")
}

func TestForeignStreamIsRefused(t *testing.T) {
	ctx := natstest.Context(t)
	nc := natstest.Conn(t, natstest.Server(t))
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	_, err = js.CreateStream(ctx, jetstream.StreamConfig{Name: "FOREIGN", Subjects: []string{"elsewhere"}, Storage: jetstream.MemoryStorage, MaxAge: time.Hour})
	require.NoError(t, err)
	_, err = eventstore.OpenStream(ctx, nc, eventstore.StreamConfig{Name: "FOREIGN", Registry: toyRegistry()})
	require.ErrorIs(t, err, eventstore.ErrMisconfigured)
	for _, fault := range []string{"admitone-partitions", "subjects", "not stored in files", "discard", "max-age", "deleted or purged", "direct get", "atomic batches"} {
		require.ErrorContains(t, err, fault)
	}
}

func TestOperatorsSettingsFollowTheConfiguration(t *testing.T) {
	ctx := natstest.Context(t)
	nc := natstest.Conn(t, natstest.Server(t))
	open := func(maxBytes int64, window time.Duration) jetstream.StreamConfig {
		s := natstest.Stream(t, nc, eventstore.StreamConfig{Name: "LIMITS", MaxBytes: maxBytes, DuplicateWindow: window, Registry: toyRegistry()})
		h, err := s.JetStream().Stream(ctx, s.Name())
		require.NoError(t, err)
		return h.CachedInfo().Config
	}
	open(1<<20, time.Minute)
	c := open(2<<20, 2*time.Minute)
	require.EqualValues(t, 2<<20, c.MaxBytes)
	require.Equal(t, 2*time.Minute, c.Duplicates)
	c = open(0, 0)
	require.EqualValues(t, 2<<20, c.MaxBytes, "what is not named stays")
}

func TestManyOpenTheSameStreamAtOnce(t *testing.T) {
	server := natstest.Server(t)
	var wg sync.WaitGroup
	for i := range 16 {
		nc := natstest.Conn(t, server)
		wg.Go(func() {
			// Half of them would make it with another P: one kind wins, and follows.
			_, err := eventstore.OpenStream(t.Context(), nc, eventstore.StreamConfig{Name: "RACE", Registry: toyRegistry(), MaxBytes: int64(1+i%2) << 20})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestRecordsRefuseAnotherLog(t *testing.T) {
	type world struct {
		s    *eventstore.Stream
		path string
	}
	begin := func(t *testing.T) world {
		w := world{s: setup(t), path: filepath.Join(t.TempDir(), "streams.json")}
		id := newID(t)
		_, err := appendOne(natstest.Context(t), w.s, id, 0, events(t, id, 1, 5)...)
		require.NoError(t, err)
		records, err := eventstore.OpenRecords(w.path)
		require.NoError(t, err)
		require.Nil(t, records.Expect(w.s.Name()))
		require.NoError(t, records.Save(natstest.Context(t), w.s))
		return w
	}
	reopen := func(t *testing.T, w world) (*eventstore.Stream, *eventstore.Records, error) {
		records, err := eventstore.OpenRecords(w.path)
		require.NoError(t, err)
		s, err := eventstore.OpenStream(natstest.Context(t), w.s.Conn(), eventstore.StreamConfig{
			Name: w.s.Name(), Registry: toyRegistry(), Expect: records.Expect(w.s.Name()),
		})
		return s, records, err
	}
	remove := func(t *testing.T, w world) {
		require.NoError(t, w.s.JetStream().DeleteStream(natstest.Context(t), w.s.Name()))
	}
	recreate := func(t *testing.T, w world, n uint64) {
		remove(t, w)
		s := natstest.Stream(t, w.s.Conn(), eventstore.StreamConfig{Name: w.s.Name(), Registry: toyRegistry()})
		id := newID(t)
		_, err := appendOne(natstest.Context(t), s, id, 0, events(t, id, 1, n)...)
		require.NoError(t, err)
	}
	t.Run("the same", func(t *testing.T) {
		w := begin(t)
		s, records, err := reopen(t, w)
		require.NoError(t, err)
		require.NoError(t, records.Save(natstest.Context(t), s))
	})
	t.Run("gone", func(t *testing.T) {
		w := begin(t)
		remove(t, w)
		_, _, err := reopen(t, w)
		require.ErrorIs(t, err, eventstore.ErrLogChanged)
		require.ErrorContains(t, err, "does not exist")
		require.ErrorContains(t, err, w.path)
		_, err = w.s.JetStream().Stream(natstest.Context(t), w.s.Name())
		require.ErrorIs(t, err, jetstream.ErrStreamNotFound, "it must not be made anew")
	})
	t.Run("created anew", func(t *testing.T) {
		w := begin(t)
		recreate(t, w, 9)
		_, records, err := reopen(t, w)
		require.ErrorIs(t, err, eventstore.ErrLogChanged)
		require.ErrorContains(t, err, "created anew")
		require.ErrorIs(t, records.Save(natstest.Context(t), w.s), eventstore.ErrLogChanged)
	})
	t.Run("shortened", func(t *testing.T) {
		w := begin(t)
		// As if the record were of a longer log of the same name and time.
		expect := eventstore.LogRecord{Stream: w.s.Name(), Created: w.s.Created(), LastSequence: 8}
		_, err := eventstore.OpenStream(natstest.Context(t), w.s.Conn(), eventstore.StreamConfig{Name: w.s.Name(), Registry: toyRegistry(), Expect: &expect})
		require.ErrorIs(t, err, eventstore.ErrLogChanged)
		require.ErrorContains(t, err, "its last 3 events are lost")
	})
}

func TestRecordsThatCannotBeRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "streams.json")
	writeText(t, path, "{")
	_, err := eventstore.OpenRecords(path)
	require.ErrorIs(t, err, eventstore.ErrMisconfigured)
	require.ErrorContains(t, err, path)
}

func TestSharedStreamHoldsOtherSubjects(t *testing.T) {
	ctx := natstest.Context(t)
	s := setup(t, func(c *eventstore.StreamConfig) { c.Name, c.Shared = "ACCOUNTS", true })
	id := newID(t)
	_, err := appendOne(ctx, s, id, 0, event(t, id, 1))
	require.NoError(t, err)
	_, err = s.JetStream().Publish(ctx, "accounts.email.abc", nil)
	require.NoError(t, err)
	for i, to := range []uint64{1, 2, 99} {
		var seen []uint64
		require.NoError(t, s.Scan(ctx, 1, to, func(m eventstore.Message) error {
			seen = append(seen, m.Sequence)
			return nil
		}), "round "+strconv.Itoa(i))
		require.Equal(t, []uint64{1}, seen)
	}
}
