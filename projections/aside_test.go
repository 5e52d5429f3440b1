package projections_test

import (
	"slices"
	"testing"
	"time"

	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/projections"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// A copy that set versions aside may die, and another one's checkpoint may be
// beyond them: the highest version must still come, so that somebody looks.
func TestHighestWaitingVersionStaysWithTheBroker(t *testing.T) {
	w, r := newWorld(t, 1, nil), seeded(t)
	p := w.startLive(t, projections.Config{HealAfter: time.Hour, Lanes: 1})
	facts := lives(r, 1, 300)
	for part := range slices.Chunk(facts[1:], 50) {
		before := status(t, p).Counters.Gaps
		w.publish(t, part...)
		eventually(t, 2*time.Minute, "they wait", func() bool { return status(t, p).Counters.Gaps >= before+uint64(len(part)) })
	}
	consumer, err := w.js.Consumer(natstest.Context(t), "BOXES", "boxes_g1_p0")
	require.NoError(t, err)
	eventually(t, 2*time.Minute, "most are set aside", func() bool {
		info, err := consumer.Info(natstest.Context(t))
		return err == nil && info.NumAckPending <= 65
	})
	p.stop()

	var versions []string
	eventually(t, 2*time.Minute, "the highest version comes again", func() bool {
		batch, err := consumer.Fetch(100, jetstream.FetchMaxWait(time.Second))
		require.NoError(t, err)
		for m := range batch.Messages() {
			versions = append(versions, m.Headers().Get("ce-version"))
		}
		return slices.Contains(versions, "300")
	})
}
