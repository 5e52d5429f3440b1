package bot

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/commands/httpapi"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/sealed"
	"github.com/admitone/admitone/internal/blackbox"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/processes"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// office is a support desk without its HTTP half.
type office struct {
	js                    jetstream.JetStream
	conversations, orders *eventstore.Stream
	*program

	mu     sync.Mutex
	bought map[uuid.UUID][]uuid.UUID // an account's orders, newest first
	offers Offers
}

// program is what a copy has of its own.
type program struct {
	keys *sealed.Keys
	talk *Conversations
	buy  *Orders
}

func setup(t testing.TB, partitions int) *office {
	t.Helper()
	nc := natstest.Conn(t, natstest.Server(t))
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	o := &office{js: js, bought: map[uuid.UUID][]uuid.UUID{}}
	o.conversations = natstest.Stream(t, nc, eventstore.StreamConfig{Name: "CONVERSATIONS", Partitions: partitions, Registry: registryOf(conversation.Events())})
	o.orders = natstest.Stream(t, nc, eventstore.StreamConfig{Name: "ORDERS", Partitions: partitions, Registry: registryOf(order.Events())})
	o.program = o.open(t)
	return o
}

func registryOf[E eventstore.Payload](events []E) *eventstore.Registry {
	r := eventstore.NewRegistry()
	for _, e := range events {
		r.Register(e)
	}
	return r
}

// open is a program's keys and handlers.
func (o *office) open(t testing.TB) *program {
	t.Helper()
	p := &program{}
	var err error
	p.keys, err = sealed.Open(natstest.Context(t), o.js, sealed.Config{})
	require.NoError(t, err)
	p.talk, err = commands.New(o.conversations, nil, httpapi.ConversationDecider(p.keys), commands.Config{})
	require.NoError(t, err)
	p.buy, err = commands.New(o.orders, nil, commands.Adapt(order.Initial, order.Decide, order.Evolve), commands.Config{})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, p.talk.Close(context.Background()))
		require.NoError(t, p.buy.Close(context.Background()))
	})
	return p
}

// OrdersOf is the office's as a Catalog.
func (o *office) OrdersOf(_ context.Context, buyer uuid.UUID, limit int) ([]uuid.UUID, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	ids := o.bought[buyer]
	return ids[:min(limit, len(ids))], nil
}

// BuyerOf is the office's as a Catalog.
func (o *office) BuyerOf(ctx context.Context, id uuid.UUID) (uuid.UUID, error) {
	log, err := o.orders.LoadSome(ctx, id, 0, 0, 1)
	if err != nil || len(log.Events) == 0 {
		return uuid.Nil, err
	}
	return log.Events[0].Payload.(order.Placed).BuyerID, nil
}

// ForSale is the office's as a Catalog.
func (o *office) ForSale(context.Context, Wanted, int) (Offers, error) { return o.offers, nil }

type runner struct {
	*processes.Runner
	stop func()
}

// run runs the Bot in a program of its own until the test ends or stop is called.
func (o *office) run(t testing.TB, change ...func(*processes.Config)) *runner {
	t.Helper()
	own := o.open(t)
	cfg := processes.Config{
		Streams: map[string]*eventstore.Stream{"CONVERSATIONS": o.conversations}, IsRefusal: IsRefusal, AckWait: time.Second,
		Targets: Targets(own.talk, own.buy), Lookups: Lookups(own.talk, own.buy, own.keys, o),
	}
	if os.Getenv("VERBOSE") != "" {
		cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	for _, c := range change {
		c(&cfg)
	}
	p, err := Define(English{}, cfg.Logger)
	require.NoError(t, err)
	r, err := processes.New(natstest.Context(t), cfg, p)
	require.NoError(t, err)
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

// rests waits until the Bot has nothing to do.
func (r *runner) rests(t testing.TB) {
	t.Helper()
	eventually(t, "all is handled", func() bool {
		all, err := r.Status(natstest.Context(t))
		require.NoError(t, err)
		require.Zero(t, all[0].Parked)
		return all[0].LagEvents == 0
	})
}

func handle[S, C any](t testing.TB, h *commands.Handler[S, C], id uuid.UUID, c C) error {
	t.Helper()
	_, err := h.Handle(natstest.Context(t), commands.Command[C]{ID: uuid.New(), Hash: "-", Aggregate: id, Actor: "somebody", Body: c})
	return err
}

// begin opens a conversation of a user with a first message.
func (o *office) begin(t testing.TB, user uuid.UUID, text string) (id, message uuid.UUID) {
	t.Helper()
	id, message = uuid.New(), uuid.New()
	require.NoError(t, handle(t, o.talk, id, conversation.Command(conversation.Open{AccountID: user, Topic: conversation.TopicOrder, MessageID: message, Text: text})))
	return id, message
}

func (o *office) write(t testing.TB, id, user uuid.UUID, text string) uuid.UUID {
	t.Helper()
	message := uuid.New()
	require.NoError(t, handle(t, o.talk, id, conversation.Command(conversation.Send{
		MessageID: message, Author: conversation.AuthorUser, AuthorID: user, Text: text,
	})))
	return message
}

// place orders a ticket for a user.
func (o *office) place(t testing.TB, user uuid.UUID) uuid.UUID {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	require.NoError(t, handle(t, o.buy, id, order.Command(order.Place{
		TicketID: uuid.New(), BuyerID: user, SellerID: orderTwo, Title: "Carmen, row 3", Price: domain.Money{Amount: 2500, Currency: "EUR"},
		ExpiresAt: time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond),
	})))
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bought[user] = append([]uuid.UUID{id}, o.bought[user]...)
	return id
}

// publish puts an event behind the handlers' backs into an order's log.
func (o *office) publish(t testing.TB, id uuid.UUID, version int, kind string) {
	t.Helper()
	m := nats.NewMsg(o.orders.Subject(id))
	for name, value := range blackbox.EventHeader(id.String(), kind, version) {
		m.Header.Set(name, value)
	}
	m.Data = []byte("{}")
	_, err := o.js.PublishMsg(natstest.Context(t), m)
	require.NoError(t, err)
}

func (o *office) statusOf(t testing.TB, id uuid.UUID) order.Status {
	t.Helper()
	now, err := o.buy.Current(natstest.Context(t), id)
	require.NoError(t, err)
	return now.State.Status
}

// said is an answer in a conversation's log.
type said struct {
	to       uuid.UUID
	text     string
	handOver string
}

// answers is what the Bot has said in a conversation, in order.
func (o *office) answers(t testing.TB, id uuid.UUID) (all []said) {
	t.Helper()
	log, err := o.conversations.Load(natstest.Context(t), id, 0, 0)
	require.NoError(t, err)
	require.Zero(t, log.Missing)
	owner := log.Events[0].Payload.(conversation.Opened).AccountID
	for _, e := range log.Events {
		switch p := e.Payload.(type) {
		case conversation.HandedOver:
			all = append(all, said{to: p.InReplyTo, handOver: p.Reason})
		case conversation.MessageSent:
			if p.Author != conversation.AuthorBot {
				continue
			}
			content, _ := p.Text.Sealed()
			text, err := o.keys.OpenText(natstest.Context(t), sealed.Field{Owner: owner, Aggregate: id, Name: conversation.TextField}, sealed.Text{Sealed: content})
			require.NoError(t, err)
			require.Equal(t, ReplyID(p.InReplyTo), p.MessageID)
			all = append(all, said{to: p.InReplyTo, text: text})
		}
	}
	return all
}

// answer waits for what the Bot says to a message.
func (o *office) answer(t testing.TB, id, message uuid.UUID) (found said) {
	t.Helper()
	eventually(t, "an answer", func() bool {
		for _, s := range o.answers(t, id) {
			if s.to == message {
				found = s
			}
		}
		return found.to == message
	})
	return found
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for !ok() {
		require.False(t, time.Now().After(deadline), "not in time: %s", what)
		time.Sleep(2 * time.Millisecond)
	}
}
