package processes_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/processes"
	"github.com/admitone/admitone/processes/timers"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { natstest.VerifyTestMain(m) }

// The toy domain: bells that are rung. The porter, a process, puts a coin into a jar
// for each ring, and into the spare one where the jar is closed.
type (
	rung struct {
		Jar  uuid.UUID `json:"jar"`
		Coin int       `json:"coin"`
	}
	muted struct{} // wakes the porter in a second
	oiled struct{} // nothing to the porter
)

func (rung) EventType() string  { return "bell.rung.v1" }
func (muted) EventType() string { return "bell.muted.v1" }
func (oiled) EventType() string { return "bell.oiled.v1" }

type (
	jar struct {
		Coins  []int `json:"coins"`
		Closed bool  `json:"closed"`
	}
	put  struct{ Coin int }
	shut struct{}

	coinPut struct {
		Coin int `json:"coin"`
	}
	jarClosed struct{}
)

func (coinPut) EventType() string   { return "jar.coin_put.v1" }
func (jarClosed) EventType() string { return "jar.closed.v1" }

var errClosed = errors.New("the jar is closed")

func jars() commands.Decider[jar, any] {
	return commands.Decider[jar, any]{
		Initial: func() jar { return jar{} },
		Decide: func(s jar, command any) ([]eventstore.Payload, error) {
			switch c := command.(type) {
			case put:
				if s.Closed {
					return nil, errClosed
				}
				return []eventstore.Payload{coinPut(c)}, nil
			case shut:
				return []eventstore.Payload{jarClosed{}}, nil
			}
			return nil, errors.New("no such command")
		},
		Evolve: func(s jar, p eventstore.Payload) jar {
			switch e := p.(type) {
			case coinPut:
				s.Coins = append(s.Coins[:len(s.Coins):len(s.Coins)], e.Coin)
			case jarClosed:
				s.Closed = true
			}
			return s
		},
	}
}

var spare = uuid.MustParse("01900000-0000-7000-8000-0000000000ff")

func putInto(jar uuid.UUID, coin int) processes.Step {
	return processes.Send{To: "jars", Operation: "jar.put", Aggregate: jar, Body: put{coin}}
}

type definition = processes.Definition[struct{}]

func porter(change ...func(*definition)) definition {
	d := definition{
		Name: "porter", Stream: "BELLS", Start: processes.Beginning, Reacts: []eventstore.Payload{rung{}, muted{}},
		Decide: func(_ struct{}, e eventstore.Event, answers []processes.Answer) processes.Step {
			switch p := e.Payload.(type) {
			case rung:
				switch {
				case len(answers) == 0:
					return putInto(p.Jar, p.Coin)
				case len(answers) == 1 && errors.Is(answers[0].Refusal, errClosed):
					return putInto(spare, p.Coin)
				}
			case muted:
				if len(answers) == 0 {
					return processes.SetTimer{ID: e.Aggregate, At: e.Time.Add(time.Second)}
				}
			}
			return nil
		},
		Timer: "bell",
		Due: func(d processes.Due, answers []processes.Answer) processes.Step {
			if len(answers) > 0 {
				return nil
			}
			return putInto(d.ID, -1)
		},
	}
	for _, c := range change {
		c(&d)
	}
	return d
}

// house is a server with both streams.
type house struct {
	nc    *nats.Conn
	bells *eventstore.Stream
	jars  *eventstore.Stream
	log   *slog.Logger
	sent  map[uuid.UUID]uint64 // last sequence by bell
}

func setup(t testing.TB, partitions int) *house {
	return furnish(t, natstest.Conn(t, natstest.Server(t)), partitions)
}

func furnish(t testing.TB, nc *nats.Conn, partitions int) *house {
	t.Helper()
	registry := func(payloads ...eventstore.Payload) *eventstore.Registry {
		r := eventstore.NewRegistry()
		r.Register(payloads...)
		return r
	}
	h := &house{
		nc:    nc,
		bells: natstest.Stream(t, nc, eventstore.StreamConfig{Name: "BELLS", Partitions: partitions, Registry: registry(rung{}, muted{}, oiled{})}),
		jars:  natstest.Stream(t, nc, eventstore.StreamConfig{Name: "JARS", Partitions: 1, Registry: registry(coinPut{}, jarClosed{})}),
		log:   slog.New(slog.DiscardHandler), sent: map[uuid.UUID]uint64{},
	}
	if os.Getenv("VERBOSE") != "" {
		h.log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return h
}

// handler is the jars as one program caches them.
func (h *house) handler(t testing.TB) *commands.Handler[jar, any] {
	t.Helper()
	handler, err := commands.New(h.jars, nil, jars(), commands.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, handler.Close(context.Background())) })
	return handler
}

// target is the port of a handler.
func target(handler *commands.Handler[jar, any]) processes.Target { return processes.To(handler) }

// runner is one copy.
type runner struct {
	*processes.Runner
	stop func()
}

// run runs one copy until the test ends or stop is called.
func (h *house) run(t testing.TB, d definition, change ...func(*processes.Config)) *runner {
	t.Helper()
	r := h.prepare(t, d, change...)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(stop)
	select {
	case <-r.Started():
	case <-natstest.Context(t).Done():
		require.FailNow(t, "not started")
	}
	return &runner{r, stop}
}

func (h *house) prepare(t testing.TB, d definition, change ...func(*processes.Config)) *processes.Runner {
	t.Helper()
	js, err := jetstream.New(h.nc)
	require.NoError(t, err)
	set, err := timers.Open(natstest.Context(t), js, timers.Config{Logger: h.log})
	require.NoError(t, err)
	cfg := processes.Config{
		Streams: map[string]*eventstore.Stream{"BELLS": h.bells, "JARS": h.jars},
		Targets: map[string]processes.Target{"jars": target(h.handler(t))},
		Timers:  set, Logger: h.log, AckWait: time.Second, RetryAfter: time.Hour,
		IsRefusal: func(err error) bool { return errors.Is(err, errClosed) },
	}
	for _, c := range change {
		c(&cfg)
	}
	p, err := processes.Define(d)
	require.NoError(t, err)
	r, err := processes.New(natstest.Context(t), cfg, p)
	require.NoError(t, err)
	return r
}

// into wraps the target.
func into(wrap func(next processes.Target) processes.Target) func(*processes.Config) {
	return func(c *processes.Config) { c.Targets["jars"] = wrap(c.Targets["jars"]) }
}

// ring appends the next version of a bell.
func (h *house) ring(t testing.TB, bell uuid.UUID, version uint64, p eventstore.Payload) eventstore.Event {
	t.Helper()
	e := eventstore.Event{
		ID: uuid.Must(uuid.NewV7()), Aggregate: bell, Version: version, Time: time.Now().UTC().Truncate(time.Millisecond),
		CorrelationID: "request " + strconv.FormatUint(version, 10), Actor: "somebody",
		TraceParent: fmt.Sprintf("00-0af7651916cd43dd8448eb211c80319c-%016x-01", version), Payload: p,
	}
	sequences, err := h.bells.Append(natstest.Context(t), eventstore.Append{Aggregate: bell, ExpectedSequence: h.sent[bell], Events: []eventstore.Event{e}})
	require.NoError(t, err)
	h.sent[bell] = sequences[0]
	return e
}

// raw publishes what no handler would write.
func (h *house) raw(t testing.TB, bell uuid.UUID, version uint64, typ, body string) {
	t.Helper()
	m := nats.NewMsg(h.bells.Subject(bell))
	m.Header = nats.Header{
		"ce-id": {uuid.NewString()}, "ce-type": {typ}, "ce-subject": {bell.String()}, "ce-version": {strconv.FormatUint(version, 10)},
	}
	m.Data = []byte(body)
	ack, err := h.bells.JetStream().PublishMsg(natstest.Context(t), m)
	require.NoError(t, err)
	h.sent[bell] = ack.Sequence
}

// coins is what a jar holds.
func (h *house) coins(t testing.TB, id uuid.UUID) (coins []int) {
	t.Helper()
	for _, e := range h.history(t, id) {
		if p, ok := e.Payload.(coinPut); ok {
			coins = append(coins, p.Coin)
		}
	}
	return coins
}

func (h *house) history(t testing.TB, id uuid.UUID) []eventstore.Event {
	t.Helper()
	log, err := h.jars.Load(natstest.Context(t), id, 0, 0)
	require.NoError(t, err)
	return log.Events
}

// holds waits until a jar holds just these coins.
func (h *house) holds(t testing.TB, id uuid.UUID, coins ...int) {
	t.Helper()
	eventually(t, fmt.Sprintf("the jar holds %v", coins), func() bool { return len(h.coins(t, id)) >= len(coins) })
	require.Equal(t, coins, h.coins(t, id))
}

// rests waits until a runner has nothing to do.
func (r *runner) rests(t testing.TB) {
	t.Helper()
	eventually(t, "all is handled", func() bool { return r.status(t).LagEvents == 0 })
}

func (r *runner) status(t testing.TB) processes.Status {
	t.Helper()
	all, err := r.Status(natstest.Context(t))
	require.NoError(t, err)
	require.Len(t, all, 1)
	return all[0]
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		require.False(t, time.Now().After(deadline), "not in time: %s", what)
		time.Sleep(2 * time.Millisecond)
	}
}

// bellOf is a bell of a partition.
func bellOf(partition int) uuid.UUID {
	id := uuid.New()
	id[15] = id[15]&^0x7 | byte(partition)
	return id
}
