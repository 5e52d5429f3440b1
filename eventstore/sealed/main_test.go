package sealed_test

import (
	"context"
	"testing"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/sealed"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { natstest.VerifyTestMain(m) }

func stream(t testing.TB, s *eventstore.Server) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(natstest.Conn(t, s))
	require.NoError(t, err)
	return js
}

// open is a copy of the program with a connection of its own.
func open(t testing.TB, s *eventstore.Server, cfg sealed.Config) *sealed.Keys {
	t.Helper()
	var k *sealed.Keys
	natstest.Again(t, func(ctx context.Context) (err error) {
		k, err = sealed.Open(ctx, stream(t, s), cfg)
		return err
	})
	return k
}

// run follows erasures until the test ends, and waits until keys are cached.
func run(t testing.TB, k *sealed.Keys) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- k.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	eventually(t, k.InTouch)
}

func field(t testing.TB) sealed.Field {
	t.Helper()
	return sealed.Field{Owner: uuid.New(), Aggregate: uuid.New(), Name: "note"}
}

func seal(t testing.TB, k *sealed.Keys, f sealed.Field, text string) sealed.Text {
	t.Helper()
	sealedText, err := k.Seal(natstest.Context(t), f, text)
	require.NoError(t, err)
	return sealedText
}

func requireOpens(t testing.TB, k *sealed.Keys, f sealed.Field, s sealed.Text, want string) {
	t.Helper()
	text, err := k.OpenText(natstest.Context(t), f, s)
	require.NoError(t, err)
	require.Equal(t, want, text)
}

func requireErased(t testing.TB, k *sealed.Keys, f sealed.Field, s sealed.Text) {
	t.Helper()
	_, err := k.OpenText(natstest.Context(t), f, s)
	require.ErrorIs(t, err, sealed.ErrErased)
	require.NotErrorIs(t, err, sealed.ErrNoKey)
	_, err = k.Seal(natstest.Context(t), f, "again")
	require.ErrorIs(t, err, sealed.ErrErased)
}

// subjectMessages counts what the stream holds for an owner.
func subjectMessages(t testing.TB, js jetstream.JetStream, owner uuid.UUID) uint64 {
	t.Helper()
	s, err := js.Stream(natstest.Context(t), sealed.StreamName)
	require.NoError(t, err)
	info, err := s.Info(natstest.Context(t), jetstream.WithSubjectFilter("keys."+owner.String()))
	require.NoError(t, err)
	return info.State.Subjects["keys."+owner.String()]
}
