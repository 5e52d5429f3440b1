package commands_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// What is checked here: each command has exactly one effect, for ever.

func TestTwentyAtOnceWithOneID(t *testing.T) {
	t.Parallel()
	ctx, _, s := setup(t)
	processes := []*handler{newHandler(t, s), newHandler(t, s)}
	c := cmd(uuid.New(), put{[]int{7, 8}})
	results := make([]commands.Result[jar], 20)
	var g errgroup.Group
	for i := range results {
		g.Go(func() (err error) {
			results[i], err = processes[i%2].Handle(ctx, c)
			return err
		})
	}
	require.NoError(t, g.Wait())
	effects := 0
	for _, res := range results {
		require.Equal(t, jar{Coins: []int{7, 8}}, res.State)
		require.Equal(t, uint64(2), res.Version)
		require.NotEqual(t, res.Appended, res.Repeated)
		if res.Appended {
			effects++
		}
	}
	require.Equal(t, 1, effects)
	require.Len(t, logOf(t, s, c.Aggregate), 2)
}

func TestARepeatAnswersAsTheFirstDid(t *testing.T) {
	t.Parallel()
	ctx, _, s := setup(t)
	h := newHandler(t, s)
	id := uuid.New()
	_, err := h.Handle(ctx, cmd(id, put{[]int{1}}))
	require.NoError(t, err)
	c := cmd(id, put{[]int{2, 3, 4}})
	first, err := h.Handle(ctx, c)
	require.NoError(t, err)
	_, err = h.Handle(ctx, cmd(id, put{[]int{5, 6}}))
	require.NoError(t, err)
	_, err = h.Handle(ctx, cmd(id, shut{}))
	require.NoError(t, err)
	for _, process := range []*handler{h, newHandler(t, s)} {
		again, err := process.Handle(ctx, c)
		require.NoError(t, err, "the jar is closed now, but the command was handled before")
		require.Equal(t, commands.Result[jar]{State: first.State, Version: 4, Repeated: true, Created: first.Created, Updated: first.Updated}, again)
	}
	require.Len(t, logOf(t, s, id), 7)
}

// Two commands with one cause (an event and two ordinals) stay two.
func TestCommandsOfOneCauseAreToldApart(t *testing.T) {
	t.Parallel()
	ctx, _, s := setup(t)
	id := uuid.New()
	one, two := cmd(id, put{[]int{1, 2}}), cmd(id, put{[]int{3}})
	one.CausationID, two.CausationID = "an event", "an event"
	for _, c := range []commands.Command[any]{one, two, cmd(id, shut{})} {
		_, err := newHandler(t, s).Handle(ctx, c)
		require.NoError(t, err)
	}
	for version, c := range map[uint64]commands.Command[any]{2: one, 3: two} {
		res, err := newHandler(t, s).Handle(ctx, c)
		require.NoError(t, err)
		require.True(t, res.Repeated)
		require.Equal(t, version, res.Version)
	}
}

// An event that another program published right after a command is not the command's.
func TestAStrangersEventIsNoPartOfACommand(t *testing.T) {
	t.Parallel()
	ctx, _, s := setup(t)
	c := cmd(uuid.New(), put{[]int{1}})
	_, err := newHandler(t, s).Handle(ctx, c)
	require.NoError(t, err)
	publish(t, s, c.Aggregate, 2, coinPut{Coin: 2})
	res, err := newHandler(t, s).Handle(ctx, c)
	require.NoError(t, err)
	require.Equal(t, commands.Result[jar]{State: jar{Coins: []int{1}}, Version: 1, Repeated: true}, timeless(t, res))
}

func TestAnotherRequestWithTheSameID(t *testing.T) {
	t.Parallel()
	ctx, _, s := setup(t)
	h := newHandler(t, s)
	c := cmd(uuid.New(), put{[]int{1}})
	_, err := h.Handle(ctx, c)
	require.NoError(t, err)
	c.Hash = "another"
	for _, process := range []*handler{h, newHandler(t, s)} {
		_, err = process.Handle(ctx, c)
		require.ErrorIs(t, err, commands.ErrKeyReused)
	}
}

func TestRefusalsAreNotRemembered(t *testing.T) {
	t.Parallel()
	ctx, _, s := setup(t)
	h := newHandler(t, s)
	id := uuid.New()
	_, err := h.Handle(ctx, cmd(id, shut{}))
	require.NoError(t, err)
	c := cmd(id, put{[]int{1}})
	_, err = h.Handle(ctx, c)
	require.ErrorIs(t, err, errClosed)
	_, err = h.Handle(ctx, cmd(id, reopen{}))
	require.NoError(t, err)
	res, err := h.Handle(ctx, c)
	require.NoError(t, err)
	require.True(t, res.Appended)
}

func TestARepeatAfterTheDuplicateWindowAndARestart(t *testing.T) {
	t.Parallel()
	ctx := natstest.Context(t)
	const window = 100 * time.Millisecond
	dir := t.TempDir()
	start := func() (*eventstore.Stream, func()) {
		server, err := eventstore.StartServer(ctx, eventstore.ServerConfig{Dir: dir})
		require.NoError(t, err)
		nc, err := server.Connect()
		require.NoError(t, err)
		s := natstest.Stream(t, nc, eventstore.StreamConfig{Name: "JARS", Registry: registry(t), DuplicateWindow: window})
		return s, func() { nc.Close(); server.Close() }
	}
	s, stop := start()
	h := newHandler(t, s)
	c := cmd(uuid.New(), put{[]int{1}})
	_, err := h.Handle(ctx, c)
	require.NoError(t, err)
	<-time.After(2 * window) // the time itself is what is tested

	again, err := h.Handle(ctx, c)
	require.NoError(t, err)
	require.True(t, again.Repeated)
	stop()

	s, stop = start()
	defer stop()
	again, err = newHandler(t, s).Handle(ctx, c)
	require.NoError(t, err)
	require.Equal(t, commands.Result[jar]{State: jar{Coins: []int{1}}, Version: 1, Repeated: true}, timeless(t, again))
	require.Len(t, logOf(t, s, c.Aggregate), 1)
}

// A command whose outcome the caller never learned is sent again when the broker is back.
func TestACommandSentAgainAfterTheBrokerWasAway(t *testing.T) {
	t.Parallel()
	ctx := natstest.Context(t)
	cfg := eventstore.ServerConfig{Dir: t.TempDir()}
	server, err := eventstore.StartServer(ctx, cfg)
	require.NoError(t, err)
	nc, err := server.Connect()
	require.NoError(t, err)
	h := newHandler(t, natstest.Stream(t, nc, eventstore.StreamConfig{Name: "JARS", Registry: registry(t)}))
	id := uuid.New()
	_, err = h.Handle(ctx, cmd(id, put{[]int{1}}))
	require.NoError(t, err)
	server.Close()
	c := cmd(id, put{[]int{2}})
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, err = h.Handle(short, c)
	require.Error(t, err)
	require.True(t, errors.Is(err, eventstore.ErrUnavailable) || errors.Is(err, eventstore.ErrUnknownOutcome), "%v", err)
	nc.Close()

	server, err = eventstore.StartServer(ctx, cfg)
	require.NoError(t, err)
	defer server.Close()
	s := natstest.Stream(t, natstest.Conn(t, server), eventstore.StreamConfig{Name: "JARS", Registry: registry(t)})
	for range 2 {
		res, err := newHandler(t, s).Handle(ctx, c)
		require.NoError(t, err)
		require.Equal(t, uint64(2), res.Version)
	}
	require.Len(t, logOf(t, s, id), 2)
}

// Two processes race on one aggregate, in rounds so that they meet; a command that
// was refused for contention is sent again with its id, as a client would.
func TestTwoProcessesRaceOnOneAggregate(t *testing.T) {
	t.Parallel()
	ctx, _, s := setup(t)
	const rounds, workers = 250, 2
	id := uuid.New()
	processes := []*handler{newHandler(t, s), newHandler(t, s)}
	coin := 0
	var contended atomic.Int64
	for range rounds {
		var g errgroup.Group
		for i := range len(processes) * workers {
			c := cmd(id, put{[]int{coin}})
			coin++
			g.Go(func() error { return untilHandled(ctx, processes[i%2], c, &contended) })
		}
		require.NoError(t, g.Wait())
	}
	var coins []int
	for i, e := range logOf(t, s, id) {
		require.Equal(t, uint64(i)+1, e.Version)
		coins = append(coins, e.Payload.(coinPut).Coin)
	}
	slices.Sort(coins)
	require.Len(t, coins, coin)
	require.Len(t, slices.Compact(coins), coin)
	t.Logf("%d of %d commands had to be sent again", contended.Load(), coin)
}

func untilHandled(ctx context.Context, h *handler, c commands.Command[any], contended *atomic.Int64) error {
	for {
		_, err := h.Handle(ctx, c)
		if !errors.Is(err, commands.ErrContention) {
			return err
		}
		contended.Add(1)
	}
}

// TestWritersThatTakeTurnsDoNotCollide: who was overtaken once looks before he decides
// again, until he is alone again.
func TestWritersThatTakeTurnsDoNotCollide(t *testing.T) {
	t.Parallel()
	var conflicts, appends atomic.Int64
	s := natstest.Stream(t, natstest.Conn(t, natstest.Server(t)), eventstore.StreamConfig{
		Name: "JARS", Registry: registry(t), Observe: func(o eventstore.AppendObservation) {
			appends.Add(1)
			if errors.Is(o.Err, eventstore.ErrConflict) {
				conflicts.Add(1)
			}
		},
	})
	ctx, id := natstest.Context(t), uuid.New()
	one, other := newHandler(t, s), newHandler(t, s)
	for i := range 10 {
		for _, h := range []*handler{one, other} {
			_, err := h.Handle(ctx, cmd(id, put{Coins: []int{i}}))
			require.NoError(t, err)
		}
	}
	require.EqualValues(t, 2, conflicts.Load(), "once each, of %d appends", appends.Load())
}
