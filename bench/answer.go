package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/admitone/admitone/bench/lab"
	"github.com/admitone/admitone/bench/market"
	"github.com/admitone/admitone/bench/meter"
	"github.com/admitone/admitone/bench/raw"
	"github.com/admitone/admitone/eventstore"
	tables "github.com/admitone/admitone/projections/market"
	"github.com/admitone/admitone/readapi"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
)

// Load on the Bot.
const (
	answersIdle  = 300 // messages, one after the other
	answersPace  = 500 // messages a second
	answersLoad  = 3000
	answersTalks = 200 // conversations that these are of
)

// answers: from the call that sends a user's message until the Bot's reply is in the
// stream, durable as by default, after it has looked up the user's order; beside a
// message that a plain consumer answers with another.
func answers() []measurement {
	const against = "publish, deliver, publish, deliver"
	return []measurement{
		{
			limit: 2 * time.Minute,
			rows:  []spec{latency("message to the Bot's reply, idle, p50", against, 0), latency("message to the Bot's reply, idle, p99", against, 0)},
			open:  each(botSide(oneByOne), echoSide(oneByOne)),
		},
		{
			limit: 3 * time.Minute,
			rows: []spec{
				latency("message to the Bot's reply, 500 messages/s, p50", against, 0),
				latency("message to the Bot's reply, 500 messages/s, p99", against, 0),
			},
			open: each(botSide(paced), echoSide(paced)),
		},
	}
}

// exchange sends the next message of a conversation, and returns once it is answered.
type exchange func(ctx context.Context, talk int) error

// pattern makes exchanges and returns what each took.
type pattern func(ctx context.Context, l *lab.Lab, do exchange) ([]time.Duration, error)

func oneByOne(ctx context.Context, l *lab.Lab, do exchange) ([]time.Duration, error) {
	n := l.Count(answersIdle)
	took := make([]time.Duration, 0, n)
	runtime.GC()
	for i := range n + n/10 {
		time.Sleep(probePause) // idle means that everything has come to rest
		began := time.Now()
		if err := do(ctx, 0); err != nil {
			return nil, err
		}
		if i >= n/10 {
			took = append(took, time.Since(began))
		}
	}
	return took, ctx.Err()
}

// paced begins an exchange at each beat, whether or not those before are over.
func paced(ctx context.Context, l *lab.Lab, do exchange) ([]time.Duration, error) {
	n := l.Count(answersLoad)
	took, failed := make([]time.Duration, n), make([]error, n)
	var running sync.WaitGroup
	runtime.GC()
	beat := time.NewTicker(time.Second / answersPace)
	defer beat.Stop()
	for i := range n {
		<-beat.C
		began := time.Now()
		running.Go(func() {
			failed[i] = do(ctx, i%answersTalks)
			took[i] = time.Since(began)
		})
	}
	running.Wait()
	for _, err := range failed {
		if err != nil {
			return nil, err
		}
	}
	return took[n/10:], nil
}

func botSide(p pattern) side {
	return func(ctx context.Context, l *lab.Lab) ([]float64, error) {
		b, err := l.Broker(ctx, lab.Durable)
		if err != nil {
			return nil, err
		}
		orders, err := market.OpenOrders(ctx, b.NC)
		if err != nil {
			return nil, err
		}
		list, projected, err := orderList(ctx, l, orders)
		if err != nil {
			return nil, err
		}
		desk, err := market.OpenDesk(ctx, orders, list, l.Later, answersTalks)
		if err != nil {
			return nil, err
		}
		if err := projected.Until(ctx, lab.IsLive); err != nil {
			return nil, err
		}
		if err := desk.Found(ctx, list); err != nil {
			return nil, err
		}
		took, err := p(ctx, l, desk.Exchange)
		return []float64{lab.P50(took), lab.P99(took)}, err
	}
}

// orderList is the market's read model of orders, in SQLite.
func orderList(ctx context.Context, l *lab.Lab, orders *eventstore.Stream) (*readapi.OrderQueries, *lab.Running, error) {
	store, err := l.SQLite()
	if err != nil {
		return nil, nil, err
	}
	def, err := tables.Orders()
	if err != nil {
		return nil, nil, err
	}
	projected, err := l.Project(ctx, orders, store, def)
	if err != nil {
		return nil, nil, err
	}
	reader, err := projected.Reader("orders")
	if err != nil {
		return nil, nil, err
	}
	list, err := readapi.NewOrderQueries(store, reader, []byte("no page is read with a cursor"))
	return list, projected, err
}

// echoSide has a plain consumer answer each plain message with another one.
func echoSide(p pattern) side {
	return func(ctx context.Context, l *lab.Lab) ([]float64, error) {
		b, s, err := meters(ctx, l, lab.Durable)
		if err != nil {
			return nil, err
		}
		e := &echo{stream: s, js: b.JS, answered: map[string]chan struct{}{}}
		c, err := b.JS.CreateConsumer(ctx, s.Name(), jetstream.ConsumerConfig{Durable: "raw", AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 10_000})
		if err != nil {
			return nil, fmt.Errorf("raw durable consumer: %w", err)
		}
		running, err := c.Consume(func(m jetstream.Msg) { e.take(ctx, m) })
		if err != nil {
			return nil, fmt.Errorf("raw consume: %w", err)
		}
		defer running.Stop()
		took, err := p(ctx, l, e.exchange)
		return []float64{lab.P50(took), lab.P99(took)}, err
	}
}

type echo struct {
	stream *eventstore.Stream
	js     jetstream.JetStream

	mu       sync.Mutex
	answered map[string]chan struct{} // by subject
}

func (e *echo) exchange(ctx context.Context, _ int) error {
	id, answered := uuid.New(), make(chan struct{})
	e.mu.Lock()
	e.answered[e.stream.Subject(id)] = answered
	e.mu.Unlock()
	if err := e.publish(ctx, id, 1, 0); err != nil {
		return err
	}
	select {
	case <-answered:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *echo) publish(ctx context.Context, id uuid.UUID, version, expected uint64) error {
	event := meter.Event(uuid.Must(uuid.NewV7()), id, version, nil)
	_, err := raw.Publish(ctx, e.js, raw.Message(e.stream, event, meter.Type, meter.Body(1)), expected)
	return err
}

// take answers a first message, and tells of a second.
func (e *echo) take(ctx context.Context, m jetstream.Msg) {
	defer func() { _ = m.Ack() }() // were it lost, it would come again when all is over
	if m.Headers().Get("ce-version") == "2" {
		e.mu.Lock()
		close(e.answered[m.Subject()])
		delete(e.answered, m.Subject())
		e.mu.Unlock()
		return
	}
	meta, err := m.Metadata()
	if err != nil {
		return
	}
	go func() { _ = e.publish(ctx, e.stream.Aggregate(m.Subject()), 2, meta.Sequence.Stream) }()
}
