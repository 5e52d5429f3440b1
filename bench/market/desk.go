package market

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/commands/httpapi"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/sealed"
	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/processes"
	"github.com/admitone/admitone/processes/bot"
	"github.com/admitone/admitone/readapi"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
)

// Desk is a support desk: conversations that are open, of users with an order each, and
// a Bot that answers them.
type Desk struct {
	handler *bot.Conversations
	orders  *bot.Orders
	watch   *subscription.Watch
	talks   []*talk
}

// talk is one open conversation; its messages take turns.
type talk struct {
	mu   sync.Mutex
	id   uuid.UUID
	user uuid.UUID
}

// OpenOrders opens the stream of orders.
func OpenOrders(ctx context.Context, nc *nats.Conn) (*eventstore.Stream, error) {
	registry := eventstore.NewRegistry()
	for _, e := range order.Events() {
		registry.Register(e)
	}
	return eventstore.OpenStream(ctx, nc, eventstore.StreamConfig{Name: "ORDERS", Registry: registry, GroupCommit: true})
}

// OpenDesk starts the Bot, which finds orders in a read model of theirs, and opens so
// many conversations; later takes what ends it.
func OpenDesk(ctx context.Context, orders *eventstore.Stream, list *readapi.OrderQueries, later func(func()), talks int) (*Desk, error) {
	stream, err := eventstore.OpenStream(ctx, orders.Conn(), eventstore.StreamConfig{Name: Talks, Registry: TalkRegistry(), GroupCommit: true})
	if err != nil {
		return nil, err
	}
	keys, err := sealed.Open(ctx, stream.JetStream(), sealed.Config{})
	if err != nil {
		return nil, err
	}
	d := &Desk{watch: subscription.NewWatch(stream, slog.New(slog.DiscardHandler))}
	if d.handler, err = commands.New(stream, nil, httpapi.ConversationDecider(keys), commands.Config{}); err != nil {
		return nil, err
	}
	if d.orders, err = commands.New(orders, nil, httpapi.OrderDecider(), commands.Config{}); err != nil {
		return nil, err
	}
	runner, err := answering(ctx, stream, orders, keys, list)
	if err != nil {
		return nil, err
	}
	run(ctx, later, keys.Run, d.watch.Run, runner.Run)
	for _, started := range []<-chan struct{}{d.watch.Started(), runner.Started()} {
		select {
		case <-started:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return d, d.open(ctx, talks)
}

// answering is the Bot with handlers of its own, as a copy in the role bot has.
func answering(ctx context.Context, stream, orders *eventstore.Stream, keys *sealed.Keys, list *readapi.OrderQueries) (*processes.Runner, error) {
	process, err := bot.Define(bot.English{}, nil)
	if err != nil {
		return nil, err
	}
	talking, err := commands.New(stream, nil, httpapi.ConversationDecider(keys), commands.Config{})
	if err != nil {
		return nil, err
	}
	buying, err := commands.New(orders, nil, httpapi.OrderDecider(), commands.Config{})
	if err != nil {
		return nil, err
	}
	return processes.New(ctx, processes.Config{
		Streams: map[string]*eventstore.Stream{Talks: stream}, IsRefusal: bot.IsRefusal,
		Targets: bot.Targets(talking, buying), Lookups: bot.Lookups(talking, buying, keys, catalog{list}),
	}, process)
}

// run runs all until later ends them.
func run(ctx context.Context, later func(func()), all ...func(context.Context) error) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	for _, one := range all {
		running.Go(func() { _ = one(ctx) })
	}
	later(func() {
		cancel()
		running.Wait()
	})
}

func (d *Desk) open(ctx context.Context, talks int) error {
	for range talks {
		t := &talk{id: uuid.Must(uuid.NewV7()), user: uuid.New()}
		if err := d.place(ctx, t.user); err != nil {
			return err
		}
		cmd := conversation.Open{AccountID: t.user, Topic: conversation.TopicOther, MessageID: uuid.Must(uuid.NewV7()), Text: "hello"}
		if err := d.answered(ctx, t, true, cmd); err != nil {
			return err
		}
		d.talks = append(d.talks, t)
	}
	return nil
}

// place orders a ticket for a user.
func (d *Desk) place(ctx context.Context, user uuid.UUID) error {
	_, err := d.orders.Handle(ctx, commands.Command[order.Command]{
		ID: uuid.Must(uuid.NewV7()), Aggregate: uuid.Must(uuid.NewV7()), Fresh: true,
		Body: order.Place{
			TicketID: uuid.New(), BuyerID: user, SellerID: uuid.New(), Title: "Two seats in row 7",
			Price: domain.Money{Amount: 4500, Currency: "EUR"}, ExpiresAt: time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond),
		},
	})
	return err
}

// Found checks that the Bot finds each user's order, so that no reply is measured that
// says there is none.
func (d *Desk) Found(ctx context.Context, list *readapi.OrderQueries) error {
	for _, t := range d.talks {
		ids, err := catalog{list}.OrdersOf(ctx, t.user, 1)
		if err != nil {
			return err
		}
		if len(ids) != 1 {
			return fmt.Errorf("the read model has no order of user %s", t.user)
		}
	}
	return nil
}

// Exchange sends a user's message in the i-th conversation, and returns once the Bot's
// reply is in the stream.
func (d *Desk) Exchange(ctx context.Context, i int) error {
	t := d.talks[i]
	t.mu.Lock()
	defer t.mu.Unlock()
	return d.answered(ctx, t, false, conversation.Send{
		MessageID: uuid.Must(uuid.NewV7()), Author: conversation.AuthorUser, AuthorID: t.user, Text: "Where is my order?",
	})
}

func (d *Desk) answered(ctx context.Context, t *talk, fresh bool, c conversation.Command) error {
	id := uuid.Must(uuid.NewV7())
	result, err := d.handler.Handle(ctx, commands.Command[conversation.Command]{ID: id, Aggregate: t.id, Fresh: fresh, Body: c})
	if err != nil {
		return err
	}
	for {
		reached, forget := d.watch.Wait(t.id, result.Version+1)
		now, err := d.handler.Current(ctx, t.id)
		if err != nil || now.Version > result.Version {
			forget()
			return err
		}
		select {
		case <-reached:
			forget()
			return nil
		case <-ctx.Done():
			forget()
			return fmt.Errorf("waiting for the Bot: %w", ctx.Err())
		}
	}
}

// catalog is the list of orders. The questions of the bench ask for no other.
type catalog struct{ orders *readapi.OrderQueries }

func (c catalog) OrdersOf(ctx context.Context, buyer uuid.UUID, limit int) ([]uuid.UUID, error) {
	orders, err := c.orders.NewestOf(ctx, buyer, limit)
	ids := make([]uuid.UUID, len(orders))
	for i, o := range orders {
		ids[i] = uuid.MustParse(o.ID)
	}
	return ids, err
}

func (catalog) BuyerOf(context.Context, uuid.UUID) (uuid.UUID, error) { return uuid.Nil, nil }

func (catalog) ForSale(context.Context, bot.Wanted, int) (bot.Offers, error) {
	return bot.Offers{}, nil
}
