package projections_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/projections"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// refused runs a projector that must not go on, and returns what it says.
func (w *world) refused(t *testing.T) string {
	t.Helper()
	p, err := projections.New(natstest.Context(t), w.store, map[string]*eventstore.Stream{"BOXES": w.stream}, projections.Config{}, w.def)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err = p.Run(ctx)
	require.ErrorIs(t, err, projections.ErrLogChanged)
	return err.Error()
}

// accepted runs one that was told to begin anew, and compares its rows.
func (w *world) accepted(t *testing.T, facts []fact) {
	t.Helper()
	p := w.startLive(t, projections.Config{RebuildOnLogChange: true})
	require.Equal(t, model(facts), dump(t, p.Projector, w.store))
	v, err := p.Verify(natstest.Context(t), nil)
	require.NoError(t, err)
	require.Zero(t, v.Errors, v.Findings)
	p.stop()
	p = w.startLive(t, projections.Config{})
	require.Equal(t, model(facts), dump(t, p.Projector, w.store))
}

func TestStreamCreatedAnew(t *testing.T) {
	w, r := newWorld(t, 2, nil), seeded(t)
	p := w.startLive(t, projections.Config{})
	w.publish(t, lives(r, 20, 5)...)
	idle(t, 2*time.Minute, p.Projector)
	p.stop()
	require.NoError(t, w.js.DeleteStream(natstest.Context(t), "BOXES"))
	w.stream = natstest.Stream(t, w.nc, eventstore.StreamConfig{Name: "BOXES", Partitions: 2, Registry: registry(t)})
	facts := lives(r, 50, 5)
	w.publish(t, facts...)

	text := w.refused(t)
	require.Contains(t, text, "stream BOXES was created at")
	require.Contains(t, text, "restore the log that belongs to this read store")
	w.accepted(t, facts)
}

// The broker's whole memory is new, generation numbers begin anew too.
func TestBrokerReplaced(t *testing.T) {
	w, r := newWorld(t, 1, nil), seeded(t)
	p := w.startLive(t, projections.Config{})
	w.publish(t, lives(r, 20, 5)...)
	idle(t, 2*time.Minute, p.Projector)
	_, err := p.Rebuild(natstest.Context(t), "boxes")
	require.NoError(t, err)
	rebuilt(t, p, 2)
	p.stop()

	other := newWorld(t, 1, w.store)
	facts := lives(r, 5, 2)
	other.publish(t, facts...)
	require.Contains(t, other.refused(t), "stream BOXES was created at")
	other.accepted(t, facts)
}

// The log is put back to an older copy, so that the rows are ahead of it.
func TestLogLostItsTail(t *testing.T) {
	t.Parallel()
	for _, rebuiltBetween := range []bool{false, true} {
		t.Run(map[bool]string{false: "same generation", true: "rebuilt between"}[rebuiltBetween], func(t *testing.T) {
			dir := t.TempDir()
			store := newSQLite(t)
			w, r := &world{store: store, def: boxes(t, "BOXES")}, seeded(t)
			w.serve(t, dir)
			p := w.startLive(t, projections.Config{})
			facts := lives(r, 40, 5)
			w.publish(t, facts[:100]...)
			idle(t, 2*time.Minute, p.Projector)
			p.stop()
			w.server.Close()
			old := filepath.Join(t.TempDir(), "old")
			require.NoError(t, os.CopyFS(old, os.DirFS(dir)))

			w.serve(t, dir)
			p = w.startLive(t, projections.Config{})
			w.publish(t, facts[100:]...)
			idle(t, 2*time.Minute, p.Projector)
			if rebuiltBetween {
				_, err := p.Rebuild(natstest.Context(t), "boxes")
				require.NoError(t, err)
				rebuilt(t, p, 2)
			}
			p.stop()
			w.server.Close()

			w.serve(t, old)
			require.Contains(t, w.refused(t), "stream BOXES ends at sequence 100, but the read store was filled up to 200")
			w.accepted(t, facts[:100])
		})
	}
}

// serve starts the world's broker on a folder.
func (w *world) serve(t *testing.T, dir string) {
	server, err := eventstore.StartServer(natstest.Context(t), eventstore.ServerConfig{Dir: dir, SyncInterval: time.Minute})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	w.server, w.nc = server, natstest.Conn(t, server)
	w.js, err = jetstream.New(w.nc)
	require.NoError(t, err)
	w.stream = natstest.Stream(t, w.nc, eventstore.StreamConfig{Name: "BOXES", Registry: registry(t)})
}
