package commands_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// A toy domain with a secret: notes, which are written in a form that differs each time.
type (
	notes struct {
		Texts []string `json:"texts"`
	}
	note    struct{ Texts []string } // one event for each
	noteAdd struct {
		Text string `json:"text"`
	}
)

func (noteAdd) EventType() string { return "notes.added.v1" }

func notesDecider() commands.Decider[notes, note] {
	return commands.Decider[notes, note]{
		Initial: func() notes { return notes{} },
		Decide: func(s notes, c note) ([]eventstore.Payload, error) {
			var events []eventstore.Payload
			for _, text := range c.Texts {
				events = append(events, noteAdd{text})
			}
			return events, nil
		},
		Evolve: func(s notes, p eventstore.Payload) notes {
			return notes{append(s.Texts[:len(s.Texts):len(s.Texts)], p.(noteAdd).Text)}
		},
		Seal: sealNote,
	}
}

// sealNote tells what it was called with, and something random.
func sealNote(_ context.Context, id uuid.UUID, s notes, p eventstore.Payload) (eventstore.Payload, error) {
	return noteAdd{fmt.Sprintf("%s %s %q %s", id, p.(noteAdd).Text, s.Texts[len(s.Texts)-1], uuid.NewString())}, nil
}

type notesHandler = commands.Handler[notes, note]

// setupNotes gives a stream on a connection with options, and processes on it.
func setupNotes(t *testing.T, opts ...nats.Option) (context.Context, *eventstore.Stream, func(change ...func(*commands.Decider[notes, note])) *notesHandler) {
	t.Helper()
	r := eventstore.NewRegistry()
	r.Register(noteAdd{})
	server := natstest.Server(t)
	nc, err := eventstore.Connect(natstest.Context(t), server.URL(), append(opts, nats.ReconnectWait(time.Millisecond))...)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	s := natstest.Stream(t, nc, eventstore.StreamConfig{Name: "NOTES", Registry: r})
	return natstest.Context(t), s, func(change ...func(*commands.Decider[notes, note])) *notesHandler {
		d := notesDecider()
		for _, c := range change {
			c(&d)
		}
		h, err := commands.New(s, nil, d, commands.Config{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, h.Close(context.Background())) })
		return h
	}
}

func write(id uuid.UUID, texts ...string) commands.Command[note] {
	return commands.Command[note]{ID: uuid.New(), Hash: "hash", Aggregate: id, Body: note{texts}}
}

func textsOf(t *testing.T, s *eventstore.Stream, id uuid.UUID) (texts []string) {
	t.Helper()
	for _, e := range logOf(t, s, id) {
		texts = append(texts, e.Payload.(noteAdd).Text)
	}
	return texts
}

func TestWhatIsSealedIsStoredAndKnown(t *testing.T) {
	t.Parallel()
	ctx, s, process := setupNotes(t)
	h, id := process(), uuid.New()
	c := write(id, "one", "two")
	res, err := h.Handle(ctx, c)
	require.NoError(t, err)
	stored := textsOf(t, s, id)
	require.Len(t, stored, 2)
	for i, text := range []string{"one", "two"} {
		require.Contains(t, stored[i], fmt.Sprintf("%s %s %q ", id, text, text), "with the state after the event")
	}
	require.Equal(t, stored, res.State.Texts, "what is cached is what is stored")
	for _, h := range []*notesHandler{h, process()} {
		again, err := h.Handle(ctx, c)
		require.NoError(t, err)
		require.True(t, again.Repeated)
		require.Equal(t, stored, again.State.Texts)
	}
}

// The second event is sealed knowing the first as it is written.
func TestSealFollowsWhatWasSealed(t *testing.T) {
	t.Parallel()
	ctx, _, process := setupNotes(t)
	var seen [][]string
	h := process(func(d *commands.Decider[notes, note]) {
		d.Seal = func(_ context.Context, _ uuid.UUID, s notes, p eventstore.Payload) (eventstore.Payload, error) {
			seen = append(seen, s.Texts)
			return noteAdd{"sealed " + p.(noteAdd).Text}, nil
		}
	})
	id := uuid.New()
	for _, c := range []commands.Command[note]{write(id, "one"), write(id, "two", "three"), write(id)} {
		_, err := h.Handle(ctx, c)
		require.NoError(t, err)
	}
	require.Equal(t, [][]string{{"one"}, {"sealed one", "two"}, {"sealed one", "sealed two", "three"}}, seen)
}

func TestWhatCannotBeSealedIsNotAppended(t *testing.T) {
	t.Parallel()
	ctx, s, process := setupNotes(t)
	broken := errors.New("the owner is erased")
	h, other := process(func(d *commands.Decider[notes, note]) {
		d.Seal = func(ctx context.Context, id uuid.UUID, s notes, p eventstore.Payload) (eventstore.Payload, error) {
			if p.(noteAdd).Text == "two" {
				return nil, broken
			}
			return sealNote(ctx, id, s, p)
		}
	}), process()
	id := uuid.New()
	_, err := h.Handle(ctx, write(id, "one", "two"))
	require.ErrorIs(t, err, broken)
	require.Empty(t, logOf(t, s, id))

	_, err = h.Handle(ctx, write(id, "one"))
	require.NoError(t, err)
	c := write(id, "two")
	_, err = other.Handle(ctx, c)
	require.NoError(t, err)
	res, err := h.Handle(ctx, c)
	require.NoError(t, err, "a repeat, which only the current state tells")
	require.True(t, res.Repeated)
	require.Len(t, logOf(t, s, id), 2)
}

func TestAConflictIsSealedAnew(t *testing.T) {
	t.Parallel()
	ctx, s, process := setupNotes(t)
	id, calls := uuid.New(), 0
	other := process()
	h := process(func(d *commands.Decider[notes, note]) {
		d.Seal = func(ctx context.Context, id uuid.UUID, s notes, p eventstore.Payload) (eventstore.Payload, error) {
			if calls++; calls == 1 {
				_, err := other.Handle(ctx, write(id, "rival"))
				require.NoError(t, err)
			}
			sealed, err := sealNote(ctx, id, s, p)
			return noteAdd{fmt.Sprintf("%s of attempt %d", sealed.(noteAdd).Text, calls)}, err
		}
	})
	res, err := h.Handle(ctx, write(id, "mine"))
	require.NoError(t, err)
	require.Equal(t, 2, calls)
	stored := textsOf(t, s, id)
	require.Equal(t, stored, res.State.Texts)
	require.Len(t, stored, 2)
	require.Contains(t, stored[1], "of attempt 2")
}

// An attempt whose outcome nobody knows is repeated with what it was, not sealed anew.
func TestALostRequestIsSentAgainAsItWas(t *testing.T) {
	t.Parallel()
	wire := &cutWire{}
	ctx, s, process := setupNotes(t, nats.SetCustomDialer(wire))
	id, calls := uuid.New(), 0
	h := process(func(d *commands.Decider[notes, note]) {
		d.Seal = func(ctx context.Context, id uuid.UUID, s notes, p eventstore.Payload) (eventstore.Payload, error) {
			calls++
			return sealNote(ctx, id, s, p)
		}
	})
	_, err := h.Handle(ctx, write(id, "one"))
	require.NoError(t, err)
	wire.cutNext("NATS/1.0")
	_, err = h.Handle(ctx, write(id, "two"))
	require.NoError(t, err)
	require.Equal(t, 2, calls)
	require.Len(t, wire.sent(), 2, "it was sent twice")
	lines := func(sent string) []string { return strings.Split(sent, "\r\n") } // headers have no order
	require.ElementsMatch(t, lines(wire.sent()[0]), lines(wire.sent()[1]))
	require.Len(t, logOf(t, s, id), 2)
}

// cutWire dials connections that break once, instead of sending a text, and keeps
// what was sent from that text on.
type cutWire struct {
	mu   sync.Mutex
	text []byte
	cut  bool
	kept []string
}

func (w *cutWire) Dial(network, address string) (net.Conn, error) {
	conn, err := net.Dial(network, address)
	return &cutConn{conn, w}, err
}

func (w *cutWire) cutNext(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text, w.cut = []byte(text), true
}

func (w *cutWire) sent() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.kept
}

// passes notes what is sent, and says whether it may.
func (w *cutWire) passes(b []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := bytes.Index(b, w.text)
	if w.text == nil || at < 0 {
		return true
	}
	w.kept = append(w.kept, string(b[at:]))
	cut := w.cut
	w.cut = false
	return !cut
}

type cutConn struct {
	net.Conn
	wire *cutWire
}

func (c *cutConn) Write(b []byte) (int, error) {
	if !c.wire.passes(b) {
		_ = c.Close()
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}
