package timers

import (
	"testing"
	"time"

	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// While it reads, what was still to come is removed: it ends, instead of waiting for
// that.
func TestReadingEndsWhereTheRestIsRemoved(t *testing.T) {
	t.Parallel()
	nc := natstest.Conn(t, natstest.Server(t))
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	ctx := natstest.Context(t)
	set, err := Open(ctx, js, Config{})
	require.NoError(t, err)
	for range 1000 { // more than are sent ahead
		require.NoError(t, set.Schedule(ctx, Timer{Kind: "egg", ID: uuid.New(), At: time.Now().Add(time.Hour)}))
	}
	read, ended := 0, make(chan error, 1)
	go func() {
		ended <- set.each(ctx, pendingSubjects("egg"), func(jetstream.Msg) error {
			if read++; read > 1 {
				return nil
			}
			return set.stream.Purge(ctx)
		})
	}()
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = ctx.Err()
	}
	require.NoError(t, err)
	require.Less(t, read, 1000)
}
